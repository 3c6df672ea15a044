from dataclasses import replace

import pytest
import torch

from engine.values import pack
from nodes.hooks import set_clip_hooks
from nodes.model_patches import clip_attention_multiply
from nodes.packs import current
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import Clip, FileRef, LoraPatch
from nodes.text import clip_set_last_layer, clip_text_encode
from nodes.text_sdxl import clip_text_encode_sdxl
from nodes.weight_hooks import HookKeyframe, WeightHook
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_xl

CLIP = Clip(FileRef("checkpoints", "tiny"))
PROMPT = "a (red:1.3) house, ((tall)) trees, a river and many other things that make this longer " * 4


@pytest.mark.parametrize("text", ["", "a house", PROMPT])
def test_tokens_encode_to_what_our_node_makes(ctx, text):
    clip = to_foreign("CLIP", CLIP)
    cond, pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)
    ours = clip_text_encode(ctx, text, CLIP).entries[0]
    assert torch.equal(cond, ours.context)
    assert pooled.shape == (1, 32)
    assert torch.equal(clip.encode(text), cond)
    found = clip.encode_from_tokens(clip.tokenize(text), return_dict=True)
    assert torch.equal(found["cond"], cond) and torch.equal(found["pooled_output"], pooled)
    [[context, options]] = clip.encode_from_tokens_scheduled(clip.tokenize(text), add_dict={"a": 1})
    assert torch.equal(context, cond) and options["a"] == 1


def test_prompts_are_encoded_under_hooks_for_each_strength(ctx):
    frames = (HookKeyframe(0.0), HookKeyframe(1.0, 0.5))
    hooks = (WeightHook(FileRef("loras", "lora"), 1.0, 0.5, frames),)
    hooked = set_clip_hooks(ctx, CLIP, True, True, hooks)
    clip = to_foreign("CLIP", hooked)
    found = clip.encode_from_tokens_scheduled(clip.tokenize("a house"))
    for (context, options), cond in zip(found, clip_text_encode(ctx, "a house", hooked).entries, strict=True):
        assert torch.equal(context, cond.context)
        assert {name: options[name] for name in cond.options} == cond.options
    patched = replace(CLIP, patches=(LoraPatch(FileRef("loras", "lora"), 0.5),))
    assert torch.equal(found[1][0], clip_text_encode(ctx, "a house", patched).entries[0].context)
    assert from_foreign("CLIP", clip) == hooked


def test_tokens_have_the_usual_form():
    tokens = to_foreign("CLIP", CLIP).tokenize("a (b:1.5)")["l"]
    assert [len(chunk) for chunk in tokens] == [77]
    assert tokens[0][0] == (598, 1.0) and tokens[0][-1] == (599, 1.0)
    assert {weight for _, weight in tokens[0]} == {1.0, 1.5}
    words = [word for *_, word in to_foreign("CLIP", CLIP).tokenize("a (b:1.5)", return_word_ids=True)["l"][0]]
    assert words[0] == 0 and words[1] == 1 and max(words) == 2 and words[-1] == 0


def test_tokens_can_be_changed_before_they_are_encoded(ctx):
    clip = to_foreign("CLIP", CLIP)
    tokens = clip.tokenize("a house")
    weighted = {"l": [[(token, 1.5 if token < 598 else 1.0) for token, _ in chunk] for chunk in tokens["l"]]}
    ours = clip_text_encode(ctx, "(a house:1.5)", CLIP).entries[0].context
    torch.testing.assert_close(clip.encode_from_tokens(weighted), ours)


def test_layers_and_copies(ctx):
    clip = to_foreign("CLIP", CLIP)
    other = clip.clone()
    other.clip_layer(-2)
    assert from_foreign("CLIP", other) == clip_set_last_layer(CLIP, -2)
    assert from_foreign("CLIP", clip) == CLIP
    ours = clip_text_encode(ctx, "a", clip_set_last_layer(CLIP, -2)).entries[0].context
    assert torch.equal(other.encode("a"), ours)


def test_vectors_of_textual_inversion_are_tokens(tmp_path, tiny_tensors):
    tiny.write(tmp_path / "checkpoints" / "tiny", tiny_tensors)
    tiny.write(tmp_path / "embeddings" / "style.safetensors", {"emb_params": torch.randn(2, 32)}, {})
    ctx = model_context(tmp_path)
    with current.running("Pack", "Test", ctx):
        clip = to_foreign("CLIP", CLIP)
        tokens = clip.tokenize("a embedding:style house")
        assert sum(torch.is_tensor(token) for token, _ in tokens["l"][0]) == 2
        ours = clip_text_encode(ctx, "a embedding:style house", CLIP).entries[0].context
        assert torch.equal(clip.encode_from_tokens(tokens), ours)


def test_both_encoders_of_sdxl(tmp_path):
    tiny.write(tmp_path / "checkpoints" / "xl", tiny_xl.tensors(tiny_xl.modules()), {})
    ctx, recipe = model_context(tmp_path), Clip(FileRef("checkpoints", "xl"))
    with current.running("Pack", "Test", ctx):
        clip = to_foreign("CLIP", recipe)
        tokens = clip.tokenize("one")
        tokens["l"] = clip.tokenize("another one")["l"]
        cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        ours = clip_text_encode_sdxl(ctx, recipe, text_g="one", text_l="another one").entries[0]
        assert torch.equal(cond, ours.context) and torch.equal(pooled, ours.pooled)


def test_patches_of_weights_change_what_is_encoded(ctx):
    clip = to_foreign("CLIP", CLIP).clone()
    lora = tiny.lora()
    text = "lora_te_text_model_encoder_layers_1_mlp_fc1"
    up, down = lora[f"{text}.lora_up.weight"], lora[f"{text}.lora_down.weight"]
    key = "clip_l.transformer.text_model.encoder.layers.1.mlp.fc1.weight"
    assert clip.add_patches({key: ("lora", (up, down, None, None, None, None)), "other": (up,)}, 0.5) == [key]
    laid = Clip(CLIP.file, (LoraPatch(FileRef("loras", "lora"), 0.5),))
    assert torch.equal(clip.encode("a house"), clip_text_encode(ctx, "a house", laid).entries[0].context)
    assert not torch.equal(clip.encode("a house"), clip_text_encode(ctx, "a house", CLIP).entries[0].context)


def test_weights_can_be_scaled_by_their_names(ctx):
    clip = to_foreign("CLIP", CLIP).clone()
    for name in clip.patcher.model_state_dict():
        if "q_proj" in name:
            clip.add_patches({name: (None,)}, 0.0, 0.5)
    ours = clip_text_encode(ctx, "a house", clip_attention_multiply(CLIP, q=0.5)).entries[0].context
    assert torch.equal(clip.encode("a house"), ours)


def test_merged_encoders_have_bytes(ctx):
    clip = to_foreign("CLIP", CLIP)
    other = to_foreign("CLIP", Clip(FileRef("checkpoints", "tiny"), layer=-2))
    for key, patch in other.get_key_patches().items():
        clip.add_patches({key: patch}, 0.25, 0.75)
    recipe = from_foreign("CLIP", clip)
    assert pack(recipe).digest and len(recipe.patches) == 1
    ours = clip_text_encode(ctx, "a", CLIP).entries[0].context
    torch.testing.assert_close(clip.encode("a"), ours, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["cond_stage_model", "tokenizer", "load_sd"])
def test_anything_else_is_one_error(name):
    clip = to_foreign("CLIP", CLIP)
    with pytest.raises(NoSuchMember, match=f"The node Test of Pack uses CLIP.{name}, which Loomis does not offer"):
        getattr(clip, name)
    assert not hasattr(clip, name)
