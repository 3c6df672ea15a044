import json

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import InputError, ModelError
from engine.values import pack, unpack
from nodes.models.families import clip_vision as family
from nodes.models.families import open_clip
from nodes.models.image_encoder import MEAN, SPREAD, ImageEncoder
from nodes.models.service import pool
from nodes.models.style import StyleAdapter
from nodes.recipes import Cond, Conditioning, Latent
from nodes.sampler import ksampler
from nodes.text import clip_text_encode
from nodes.vision import (
    apply_style_model,
    clip_vision_encode,
    load_clip_vision,
    load_style_model,
    load_unclip,
    unclip_conditioning,
)
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_sd2

CONFIG = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14, "projection_dim": 24, "hidden_act": "quick_gelu",
}  # fmt: skip
METADATA = {"config": json.dumps({"vision": {"num_attention_heads": 2}})}


def fused(state):
    """The tensors of an encoder in OpenCLIP's layout."""
    outer = {new: old for old, new in family.OUTER.items()}
    modules = {new: old for old, new in open_clip.MODULES.items()}
    found = {}
    for name, tensor in state.items():
        if name in outer:
            found[outer[name]] = tensor.T.contiguous() if name == family.PROJECTION else tensor
            continue
        layer, rest = name.removeprefix("vision_model.encoder.layers.").split(".", 1)
        module, _, leaf = rest.rpartition(".")
        if module in modules:
            found[f"transformer.resblocks.{layer}.{modules[module]}.{leaf}"] = tensor
        elif module == "self_attn.q_proj":
            parts = [state[name.replace("q_proj", part)] for part in open_clip.FUSED]
            found[f"transformer.resblocks.{layer}.attn.in_proj_{leaf}"] = torch.cat(parts)
    return found


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vision")
    state = tiny.filled(family.build(CONFIG), 1).state_dict()
    tiny.write(folder / "clip_vision" / "hf.safetensors", {**state, "odd": torch.ones(1)}, METADATA)
    tiny.write(
        folder / "clip_vision" / "open.safetensors", {f"visual.{k}": v for k, v in fused(state).items()}, METADATA
    )
    tiny.write(folder / "clip_vision" / "lora.safetensors", tiny.lora(), {})
    tiny.write(folder / "clip_vision" / "part.safetensors", {family.CLASS: torch.ones(32)}, {})
    style = tiny.filled(StyleAdapter(3, 32, 16, 2, 8), 2).state_dict()
    (folder / "style_models").mkdir()
    torch.save(style, folder / "style_models" / "style.pth")
    save_file({"redux_up.weight": torch.ones(1)}, folder / "style_models" / "redux")
    found = model_context(folder)
    found.said = []
    found.warn = found.said.append
    return found


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class TestEncoder:
    def test_both_layouts_are_one_encoder(self, ctx):
        found = [
            clip_vision_encode(ctx, load_clip_vision(ctx, f"{name}.safetensors"), noise(2, 20, 30, 3), "center")
            for name in ("hf", "open")
        ]
        assert found[0].embeds.shape == (2, 24)
        assert found[0].last.shape == found[0].penultimate.shape == (2, 5, 32)
        for name in ("embeds", "last", "penultimate"):
            torch.testing.assert_close(getattr(found[0], name), getattr(found[1], name))
        assert torch.equal(unpack(pack(found[0])).last, found[0].last)

    def test_it_is_the_encoder_of_transformers(self, ctx):
        module = tiny.filled(family.build(CONFIG), 1)
        image = noise(1, 28, 28, 3)
        pixels = ((image * 255).round() / 255).movedim(-1, 1)
        pixels = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]
        with torch.no_grad():
            expected = module(pixels)
        found = clip_vision_encode(ctx, load_clip_vision(ctx, "hf.safetensors"), image, "none")
        torch.testing.assert_close(found.embeds, expected.image_embeds)

    def test_what_is_not_square_is_cut_or_squeezed(self):
        image = torch.zeros(1, 28, 84, 3)
        image[:, :, 28:56] = 1
        encoder = ImageEncoder(None, 28)
        white = (1 - torch.tensor(MEAN)) / torch.tensor(SPREAD)
        assert torch.allclose(encoder.prepared(image, crop=True)[0, :, 14, 2:26], white[:, None].expand(3, 24))
        squeezed = encoder.prepared(image, crop=False)
        assert squeezed.shape == (1, 3, 28, 28) and not torch.allclose(squeezed[0, :, 14, 2], white, atol=0.1)

    def test_tensors_without_a_place_are_told(self, ctx):
        ctx.said.clear()
        load_clip_vision(ctx, "open.safetensors")
        assert ctx.said == []
        load_clip_vision(ctx, "hf.safetensors")
        assert len(ctx.said) == 1 and "odd" in ctx.said[0]

    @pytest.mark.parametrize(("name", "said"), [("lora", "not a CLIP image encoder"), ("part", "lacks a part")])
    def test_something_else_is_refused(self, ctx, name, said):
        with pytest.raises(ModelError, match=said):
            load_clip_vision(ctx, f"{name}.safetensors")

    def test_the_large_encoders_are_known_by_their_shapes(self):
        shapes = {
            family.CLASS: (1280,), family.PATCHES: (1280, 3, 14, 14), family.POSITIONS: (257, 1280),
            family.PROJECTION: (1024, 1280), family.FIRST_LAYER: (5120, 1280),
        } | {f"vision_model.encoder.layers.{layer}.x": () for layer in range(32)}  # fmt: skip
        found = family._config(shapes, family.Facts({}))
        assert (found["num_attention_heads"], found["image_size"], found["hidden_act"]) == (16, 224, "gelu")


class TestStyle:
    def seen(self, ctx, count=1):
        return clip_vision_encode(ctx, load_clip_vision(ctx, "hf.safetensors"), noise(count, 28, 28, 3), "none")

    def applied(self, ctx, width=16, count=1, **options):
        prompt = Conditioning((Cond(noise(1, 7, width), None, {"strength": 0.5}),))
        options = {"strength_type": "multiply", **options}
        return apply_style_model(ctx, prompt, load_style_model(ctx, "style.pth"), self.seen(ctx, count), **options)

    def test_tokens_go_behind_the_prompt(self, ctx):
        (cond,) = self.applied(ctx).entries
        assert cond.context.shape == (1, 10, 16) and cond.options == {"strength": 0.5}
        assert torch.equal(cond.context[:, :7], noise(1, 7, 16))
        (two,) = self.applied(ctx, count=2).entries
        assert two.context.shape == (1, 13, 16)
        (half,) = self.applied(ctx, strength=0.5).entries
        torch.testing.assert_close(half.context[:, 7:], cond.context[:, 7:] * 0.5)

    def test_the_network_is_that_of_the_paper(self, ctx):
        module = ctx.use(pool).style_model(load_style_model(ctx, "style.pth"))
        x = noise(2, 5, 32)
        y = module.ln_pre(torch.cat([x, module.style_embedding.expand(2, -1, -1)], 1))
        for layer in module.transformer_layes:
            n = layer.ln_1(y)
            y = y + layer.attn(n, n, n)[0]
            h = layer.mlp.c_fc(layer.ln_2(y))
            y = y + layer.mlp.c_proj(h * torch.sigmoid(1.702 * h))
        torch.testing.assert_close(module(x), module.ln_post(y[:, -3:]) @ module.proj)

    def test_what_does_not_fit_is_refused(self, ctx):
        with pytest.raises(ModelError, match="does not fit the prompt"):
            self.applied(ctx, width=20)
        with pytest.raises(InputError, match="not supported yet"):
            self.applied(ctx, strength_type="attn_bias", strength=0.5)
        with pytest.raises(ModelError, match="not a style model"):
            load_style_model(ctx, "redux")


@pytest.fixture(scope="module")
def unclip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unclip")
    state = fused(tiny.filled(family.build(CONFIG), 1).state_dict())
    seen = {f"embedder.model.visual.{name}": tensor for name, tensor in state.items()}
    tiny.write(folder / "checkpoints" / "it.safetensors", tiny_sd2.unclip() | seen, METADATA)
    found = model_context(folder)
    found.said = []
    found.warn = found.said.append
    return found


class TestUnclip:
    def sampled(self, ctx, loaded, *pictures):
        (cond,) = clip_text_encode(ctx, "a cat", loaded.CLIP).entries
        prompt = Conditioning((cond,))
        for strength, noise_augmentation in pictures:
            seen = clip_vision_encode(ctx, loaded.CLIP_VISION, noise(1, 28, 28, 3), "center")
            prompt = unclip_conditioning(prompt, seen, strength, noise_augmentation)
        latent = Latent(torch.zeros(1, 4, 8, 8))
        return ksampler(
            ctx, loaded.MODEL, seed=1, steps=1, cfg=2.0, sampler_name="euler", scheduler="normal", positive=prompt,
            negative=Conditioning((cond,)), latent_image=latent,
        ).samples  # fmt: skip

    def test_pictures_steer_what_is_sampled(self, unclip):
        loaded = load_unclip(unclip, "it.safetensors")
        assert unclip.said == []
        plain, once, more = (
            self.sampled(unclip, loaded, *pictures) for pictures in ((), ((1.0, 0.0),), ((1.0, 0.0), (0.5, 0.2)))
        )
        assert not torch.equal(plain, once) and not torch.equal(once, more)
        assert torch.equal(plain, self.sampled(unclip, loaded, (0.0, 0.0)))

    def test_a_checkpoint_without_an_image_encoder_is_refused(self, ctx, unclip):
        tiny.write(unclip.folders.models[0] / "checkpoints" / "plain.safetensors", tiny.tensors())
        with pytest.raises(ModelError, match="not a CLIP image encoder"):
            load_unclip(unclip, "plain.safetensors")
