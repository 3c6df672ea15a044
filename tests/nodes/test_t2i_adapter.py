import pytest
import torch

from engine.errors import ModelError
from nodes.control import apply_controlnet_advanced, load_controlnet
from nodes.models.families import t2i_adapter
from nodes.models.service import pool
from nodes.models.weights import open_weights
from nodes.recipes import Cond, Conditioning, FileRef, Latent, Model
from nodes.sampler import ksampler
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_xl

CONFIG = {
    "conditioning_channels": 3, "channels": (16, 32), "num_res_blocks": 2, "downscale_factor": 8, "is_light": False,
}  # fmt: skip
DEEP = {
    "conditioning_channels": 1, "channels": (32,) * 4, "num_res_blocks": 1, "downscale_factor": 16, "is_light": False,
}  # fmt: skip
LIGHT = {**CONFIG, "channels": (16, 32, 32), "is_light": True}
PICTURE = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))


def original(state, per_level):
    """An adapter in the original layout: blocks numbered through all levels."""
    found = {}
    for name, tensor in state.items():
        match name.removeprefix("adapter.").split("."):
            case ["body", level, "resnets", place, *rest]:
                found[".".join(["body", str(int(level) * per_level + int(place)), *rest])] = tensor
            case ["body", level, "in_conv", leaf]:
                found[f"body.{int(level) * per_level}.in_conv.{leaf}"] = tensor
            case _:
                found[name.removeprefix("adapter.")] = tensor
    return found


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    state = tiny.filled(t2i_adapter.build(CONFIG), 5).state_dict()
    light = tiny.filled(t2i_adapter.build(LIGHT), 5).state_dict()
    tiny.write(folder / "checkpoints" / "base.safetensors", tiny.tensors())
    tiny.write(folder / "checkpoints" / "xl.safetensors", tiny_xl.tensors(tiny_xl.modules()), {})
    for name, content in (
        ("original", original(state, 2)),
        ("diffusers", state),
        ("deep", tiny.filled(t2i_adapter.build(DEEP), 5).state_dict()),
        ("light diffusers", light),
        ("light", {name.removeprefix("adapter.").replace("resnets", "body"): light[name] for name in light}),
    ):
        tiny.write(folder / "controlnet" / f"{name}.safetensors", content, {})
    return model_context(folder)


def sampled(ctx, name, strength=1.0, checkpoint="base", width=32, end=1.0):
    prompt = Conditioning((Cond(torch.ones(1, 7, width), torch.ones(1, 32)),))
    steered = prompt
    if name:
        net = load_controlnet(ctx, f"{name}.safetensors")
        steered = apply_controlnet_advanced(prompt, prompt, net, PICTURE, strength, 0.0, end).positive
    model, latent = Model(FileRef("checkpoints", f"{checkpoint}.safetensors")), Latent(torch.zeros(1, 4, 8, 8))
    return ksampler(
        ctx, model, seed=1, steps=1, cfg=2.0, sampler_name="euler", scheduler="normal", positive=steered,
        negative=prompt, latent_image=latent,
    ).samples  # fmt: skip


def test_both_layouts_are_one_adapter(ctx):
    plain, one, two = sampled(ctx, None), sampled(ctx, "original"), sampled(ctx, "diffusers")
    assert torch.equal(one, two) and not torch.equal(one, plain)
    assert not torch.equal(sampled(ctx, "original", 0.5), one)
    torch.testing.assert_close(sampled(ctx, "original", 1.0, end=0.0), plain, rtol=1e-4, atol=1e-4)


def test_features_are_those_of_diffusers(ctx):
    net = load_controlnet(ctx, "original.safetensors")
    module, x = tiny.filled(t2i_adapter.build(CONFIG), 5), torch.zeros(1, 4, 4, 4)
    with torch.no_grad():
        expected = module(PICTURE.movedim(-1, 1))
    found = ctx.use(pool).controlnet(net, Model(FileRef("checkpoints", "base.safetensors")))(x, PICTURE.movedim(-1, 1))
    assert [feature.shape for feature in found] == [(1, 16, 4, 4), (1, 32, 2, 2)]
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


def test_those_of_sdxl_are_known_and_kept_apart(ctx):
    network = t2i_adapter.detect(open_weights(ctx.folders.models[0] / "controlnet" / "deep.safetensors"))
    assert network.config == DEEP
    with pytest.raises(ModelError, match=r"deep\.safetensors does not fit base\.safetensors"):
        sampled(ctx, "deep")
    with pytest.raises(ModelError, match=r"original\.safetensors does not fit xl\.safetensors"):
        sampled(ctx, "original", checkpoint="xl", width=64)
    assert not torch.equal(
        sampled(ctx, "deep", checkpoint="xl", width=64), sampled(ctx, None, checkpoint="xl", width=64)
    )


def test_a_light_one_is_known_in_both_layouts(ctx):
    folder = ctx.folders.models[0] / "controlnet"
    for name in ("light", "light diffusers"):
        weights = open_weights(folder / f"{name}.safetensors")
        network = t2i_adapter.detect(weights)
        assert network.config == LIGHT and set(network.keys.values()) == set(weights.infos)
    net = load_controlnet(ctx, "light.safetensors")
    found = ctx.use(pool).controlnet(net, Model(FileRef("checkpoints", "base.safetensors")))
    with torch.no_grad():
        expected = tiny.filled(t2i_adapter.build(LIGHT), 5)(PICTURE.movedim(-1, 1))
    for one, two in zip(found(torch.zeros(1, 4, 4, 4), PICTURE.movedim(-1, 1)), expected, strict=True):
        torch.testing.assert_close(one, two)
    assert not torch.equal(sampled(ctx, "light"), sampled(ctx, None))


def test_half_an_adapter_is_an_error(tmp_path):
    light = tiny.filled(t2i_adapter.build(LIGHT), 5).state_dict()
    half = {name: tensor for name, tensor in light.items() if "body.1.out_conv" not in name}
    with pytest.raises(ModelError, match="do not make up a T2I-Adapter"):
        t2i_adapter.detect(open_weights(tiny.write(tmp_path / "half", half, {})))
