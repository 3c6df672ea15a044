import pytest
import torch

from engine.errors import ModelError
from nodes.loaders import load_checkpoint, load_lora, load_vae
from nodes.loaders_apart import (
    check_pair,
    check_single,
    load_checkpoint_with_config,
    load_clip,
    load_two_clips,
    load_unet,
)
from nodes.models.families import clip_text, ldm_vae
from nodes.models.service import pool
from nodes.recipes import Clip, DiscreteSampling, FileRef, Model, Vae
from nodes.text import clip_set_last_layer, clip_text_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_xl

L, G = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."


def under(tensors, prefix, new=""):
    return {new + name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def early(name):
    """An attention of a VAE as early files of diffusers call it."""
    parts = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, old in parts.items():
        name = name.replace(f"mid_block.attentions.0.{new}.", f"mid_block.attentions.0.{old}.")
    return name


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart")
    unet, vae, _ = tiny.modules()
    deep = tiny.filled(clip_text.build({**tiny_xl.G, "num_hidden_layers": 32}), 4)  # bigG is known by its layers
    whole, xl = tiny.tensors(), tiny_xl.tensors({**tiny_xl.modules(), "g": deep})
    tiny.write(folder / "checkpoints" / "tiny.safetensors", whole)
    tiny.write(folder / "checkpoints" / "xl.safetensors", xl, {})
    for name, content, metadata in (
        ("diffusion_models/original", under(whole, "model.diffusion_model."), tiny.METADATA),
        ("diffusion_models/unet", unet.state_dict(), tiny.METADATA),
        ("diffusion_models/xl_unet", tiny_xl.unet().state_dict(), {}),
        ("text_encoders/clip", under(whole, "cond_stage_model.transformer."), tiny.METADATA),
        ("text_encoders/l", under(xl, L), {}),
        ("text_encoders/g", under(xl, G), {}),
        ("vae/diffusers", vae.state_dict(), tiny.METADATA),
        ("vae/early", {early(name): tensor for name, tensor in vae.state_dict().items()}, tiny.METADATA),
        ("vae/more", {**under(whole, "first_stage_model."), "odd.weight": torch.ones(1)}, tiny.METADATA),
        ("vae/clip", under(whole, "cond_stage_model.transformer."), tiny.METADATA),
        ("loras/lora", tiny.lora(), {}),
    ):
        tiny.write(folder / f"{name}.safetensors", content, metadata)
    found = model_context(folder)
    found.said = []
    found.warn = found.said.append
    return found


def file(folder, name):
    return FileRef(folder, f"{name}.safetensors")


@pytest.mark.parametrize("name", ["original", "unet"])
def test_a_network_alone_is_that_of_its_checkpoint(ctx, name):
    model = load_unet(ctx, f"{name}.safetensors", "default")
    found = ctx.use(pool).unet(model).module.state_dict()
    expected = ctx.use(pool).unet(Model(file("checkpoints", "tiny"))).module.state_dict()
    assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def test_sdxl_in_the_layout_of_diffusers(ctx):
    model = load_unet(ctx, "xl_unet.safetensors", "default")
    assert ctx.use(pool).checkpoint(model.file).family == "sdxl"
    found, expected = (ctx.use(pool).unet(m).module.state_dict() for m in (model, Model(file("checkpoints", "xl"))))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize(("dtype", "kind"), [
    ("fp8_e4m3fn", torch.float8_e4m3fn), ("fp8_e4m3fn_fast", torch.float8_e4m3fn), ("fp8_e5m2", torch.float8_e5m2),
])  # fmt: skip
def test_eight_bits_round_every_weight(ctx, dtype, kind):
    plain = ctx.use(pool).unet(load_unet(ctx, "original.safetensors", "default")).module.state_dict()
    found = ctx.use(pool).unet(load_unet(ctx, "original.safetensors", dtype)).module.state_dict()
    assert all(torch.equal(found[key], plain[key].to(kind).float()) for key in plain)
    assert not torch.equal(found["conv_in.weight"], plain["conv_in.weight"])


def test_a_text_encoder_alone_is_that_of_its_checkpoint(ctx):
    clip = load_clip(ctx, "clip.safetensors", "stable_diffusion")
    (found,), (expected,) = (
        clip_text_encode(ctx, "a cat", c).entries for c in (clip, Clip(file("checkpoints", "tiny")))
    )
    assert torch.equal(found.context, expected.context)


@pytest.mark.parametrize("names", [("l", "g"), ("g", "l")])
@pytest.mark.parametrize("layer", [None, -3])
def test_two_text_encoders_are_those_of_their_checkpoint(ctx, names, layer):
    pair = load_two_clips(ctx, *(f"{name}.safetensors" for name in names), "sdxl")
    whole = Clip(file("checkpoints", "xl"))
    if layer:
        pair, whole = (clip_set_last_layer(clip, layer) for clip in (pair, whole))
    (found,), (expected,) = (clip_text_encode(ctx, "a (cat:1.2)", clip).entries for clip in (pair, whole))
    assert torch.equal(found.context, expected.context) and torch.equal(found.pooled, expected.pooled)


def test_a_lora_reaches_a_text_encoder_beside(ctx):
    pair = load_two_clips(ctx, "g.safetensors", "l.safetensors", "sdxl")
    patched = load_lora(ctx, Model(file("checkpoints", "tiny")), pair, "lora.safetensors", 0.0, 1.0).CLIP
    plain, changed = (clip_text_encode(ctx, "a cat", clip).entries[0].context for clip in (pair, patched))
    assert not torch.equal(plain[..., :32], changed[..., :32]) and torch.equal(plain[..., 32:], changed[..., 32:])


def test_two_of_a_kind_are_not_the_two_of_sdxl(ctx):
    with pytest.raises(ModelError, match="are not the text encoders of sdxl"):
        load_two_clips(ctx, "l.safetensors", "clip.safetensors", "sdxl")


@pytest.mark.parametrize(("load", "folder", "lacks"), [
    (lambda ctx: load_unet(ctx, "no", "default"), "diffusion_models", "diffusion network"),
    (lambda ctx: load_clip(ctx, "no", "stable_diffusion"), "text_encoders", "text encoder"),
    (lambda ctx: load_vae(ctx, "clip.safetensors"), "vae", "VAE"),
    (lambda ctx: load_checkpoint(ctx, "no"), "checkpoints", "diffusion network"),
])  # fmt: skip
def test_a_file_without_the_part_is_refused_when_it_is_loaded(ctx, load, folder, lacks, monkeypatch):
    monkeypatch.setattr(
        type(ctx.folders), "model", lambda self, kind, name: self.models[0] / "vae" / "clip.safetensors"
    )
    if lacks == "text encoder":
        monkeypatch.setattr(
            type(ctx.folders), "model", lambda self, kind, name: self.models[0] / "vae" / "diffusers.safetensors"
        )
    with pytest.raises(ModelError, match=f"holds no {lacks}"):
        load(ctx)


@pytest.mark.parametrize("name", ["diffusers", "early"])
def test_a_vae_in_the_layout_of_diffusers(ctx, name):
    samples = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    found = ctx.use(pool).vae(load_vae(ctx, f"{name}.safetensors")).decode(samples)
    assert torch.equal(found, ctx.use(pool).vae(Vae(file("checkpoints", "tiny"))).decode(samples))


def test_tensors_without_a_place_are_told(ctx):
    ctx.said.clear()
    load_vae(ctx, "diffusers.safetensors")
    load_unet(ctx, "unet.safetensors", "default")
    assert ctx.said == []
    load_vae(ctx, "more.safetensors")
    assert ctx.said == [
        "more.safetensors: 1 of its tensors have no place in the model and are not used (odd.weight ...)."
    ]


def test_families_that_are_not_known_yet():
    assert check_single("stable_diffusion") is None and "wan are not supported yet" in check_single("wan")
    assert check_pair("sdxl") is check_pair("flux") is None and "hidream are not" in check_pair("hidream")


def test_original_names_lead_to_the_names_of_diffusers():
    names = {early(name) for name in tiny.modules()[1].state_dict()}
    found = ldm_vae.diffusers_names(names)
    assert found.keys() == tiny.modules()[1].state_dict().keys() and {*found.values()} == names


@pytest.mark.parametrize(("config", "options", "layer"), [
    ("v1-inference.yaml", (), None),
    ("v1-inference_clip_skip_2_fp16.yaml", (), -2),
    ("anything_v3.yaml", (), -2),
    ("v2-inference-v_fp32.yaml", (DiscreteSampling("v_prediction"),), None),
    ("v2-inpainting-inference.yaml", (), None),
])  # fmt: skip
def test_a_configuration_says_what_no_file_does(ctx, config, options, layer):
    loaded = load_checkpoint_with_config(ctx, config_name=config, ckpt_name="tiny.safetensors")
    assert (loaded.MODEL.options, loaded.CLIP.layer) == (options, layer)
    assert loaded.VAE == load_checkpoint(ctx, "tiny.safetensors").VAE
