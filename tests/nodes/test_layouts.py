"""Files as people have them: every layout, dtype and container gives what a plain file gives.

The plain file holds the same rounded numbers as float32, so outputs must be equal, not near.
"""

from functools import cache
from itertools import product

import pytest
import torch
from safetensors.torch import load_file, save_file

from nodes.control import load_controlnet
from nodes.loaders import load_checkpoint, load_lora, load_vae
from nodes.loaders_apart import load_clip, load_unet
from nodes.models.service import pool
from nodes.models.text import embedding
from nodes.models.upscaler import build_upscaler
from nodes.models.weights import open_weights
from nodes.recipes import Clip, FileRef, Model
from nodes.text import clip_text_encode
from nodes.upscale import image_upscale_with_model, upscale_model_loader
from tests.nodes.calls import model_context
from tests.nodes.layouts import DTYPES, LAYOUTS, SUFFIXES, rounded, save
from tests.nodes.models.test_upscaler import compact

FILES = [*product(SUFFIXES, DTYPES)]
EACH = [*zip(SUFFIXES, (*DTYPES, torch.float16), strict=True)]
"""Every container and every dtype once."""


def tried(kind, layout):
    """Return the files that are tried by default: of the first layout of a kind in each container, of others in two."""
    return EACH if layout == next(iter(LAYOUTS[kind])) else EACH[:2]


ALL = [
    pytest.param(kind, layout, *file, marks=() if file in tried(kind, layout) else pytest.mark.slow)
    for kind in LAYOUTS
    for layout in LAYOUTS[kind]
    for file in FILES
]
DRAW = torch.Generator().manual_seed(0)
X, CONTEXT, PICTURE = (
    torch.randn(1, 4, 8, 8, generator=DRAW),
    torch.randn(1, 5, 32, generator=DRAW),
    torch.rand(1, 3, 64, 64, generator=DRAW),
)
STEP = torch.tensor([500.0])


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    save(folder / "checkpoints" / "base.safetensors", rounded("checkpoints", "original", torch.float32))
    compact(folder)
    return model_context(folder)


def told(ctx):
    ctx.said = []
    ctx.warn = ctx.said.append
    return ctx


def outputs(ctx, kind, name):
    """Load a file with the node for its kind and return what the model makes of fixed inputs."""
    models = ctx.use(pool)
    base = FileRef("checkpoints", "base.safetensors")

    def unet(model):
        return models.unet(model)(X, STEP, {"context": CONTEXT})

    def text(clip):
        return clip_text_encode(ctx, "a (cat:1.2)", clip).entries[0].context

    match kind:
        case "checkpoints":
            loaded = load_checkpoint(ctx, name)
            return unet(loaded.MODEL), text(loaded.CLIP), models.vae(loaded.VAE).decode(X)
        case "diffusion_models":
            return (unet(load_unet(ctx, name, "default")),)
        case "vae":
            vae = models.vae(load_vae(ctx, name))
            return vae.decode(X), vae.encode(PICTURE.movedim(1, -1))
        case "text_encoders":
            return (text(load_clip(ctx, name, "stable_diffusion")),)
        case "controlnet":
            skips, middle = models.controlnet(load_controlnet(ctx, name), Model(FileRef("checkpoints", "none")))(
                X, STEP, CONTEXT, PICTURE
            )
            return *skips, middle
        case "adapters":
            return tuple(
                models.controlnet(load_controlnet(ctx, name), Model(FileRef("checkpoints", "none")))(X, PICTURE)
            )
    patched = load_lora(ctx, Model(base), Clip(base), name, 0.7, 0.7)
    return unet(patched.MODEL), text(patched.CLIP)


def folder_of(kind):
    return "controlnet" if kind == "adapters" else kind


@pytest.fixture(scope="module")
def expected(ctx):
    """What the plain file of a layout gives, with the numbers that a dtype leaves."""

    @cache
    def of(kind, layout, dtype):
        path = ctx.folders.models[0] / folder_of(kind) / f"plain {kind} {layout} {dtype}.safetensors"
        plain = {name: tensor.float() for name, tensor in rounded(kind, layout, dtype).items()}
        save(path, plain)
        return outputs(told(ctx), kind, path.name)

    return of


@pytest.mark.parametrize(("kind", "layout", "suffix", "dtype"), ALL)
def test_files(ctx, expected, kind, layout, suffix, dtype):
    wanted = expected(kind, layout, dtype)
    path = ctx.folders.models[0] / folder_of(kind) / f"{kind} {layout} {dtype}{suffix}"
    save(path, rounded(kind, layout, dtype))
    found = outputs(told(ctx), kind, path.name)
    assert ctx.said == []
    assert len(found) == len(wanted) and all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    path.unlink()


@pytest.mark.parametrize(("kind", "layout"), [(kind, layout) for kind in LAYOUTS for layout in [*LAYOUTS[kind]][1:]])
def test_layouts_mean_the_same_model(expected, kind, layout):
    first = next(iter(LAYOUTS[kind]))
    pairs = zip(expected(kind, layout, torch.float32), expected(kind, first, torch.float32), strict=True)
    for found, wanted in pairs:
        torch.testing.assert_close(found, wanted)


AMONG_OTHERS = [
    ("checkpoints", "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.scale"),
    ("checkpoints", "first_stage_model.decoder.up.0.attn.0.q.weight"),
    ("checkpoints", "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.rotary.weight"),
    ("diffusion_models", "down_blocks.0.motion_modules.0.norm.weight"),
    ("diffusion_models", "time_embedding.cond_proj.weight"),
    ("vae", "encoder.down_blocks.0.attentions.0.to_q.weight"),
    ("text_encoders", "text_model.encoder.layers.0.mlp.fc3.weight"),
    ("controlnet", "down_blocks.0.motion_modules.0.norm.weight"),
    ("controlnet", "controlnet_cond_embedding.blocks.0.norm.weight"),
    ("adapters", "adapter.body.0.norm.weight"),
]
"""Names that no model has, which begin as those that it has."""


@pytest.mark.parametrize(("kind", "name"), [*((kind, "odd.weight") for kind in LAYOUTS), *AMONG_OTHERS])
def test_a_tensor_that_is_not_used_is_told(ctx, kind, name):
    first = next(iter(LAYOUTS[kind]))
    path = ctx.folders.models[0] / folder_of(kind) / f"{kind} with {name}.pt"
    save(path, {**rounded(kind, first, torch.float32), name: torch.ones(2)})
    outputs(told(ctx), kind, path.name)
    assert len(ctx.said) == 1 and "1 of its tensors" in ctx.said[0] and name in ctx.said[0]


@pytest.mark.parametrize(("suffix", "dtype"), EACH)
def test_upscalers(ctx, tmp_path, suffix, dtype):
    tensors = {key: tensor.to(dtype) for key, tensor in load_file(ctx.folders.models[0] / "compact").items()}
    path = tmp_path / f"up{suffix}"
    if suffix in (".safetensors", ".sft"):
        save_file(tensors, path)
    else:
        torch.save({"params_ema": tensors}, path)
    assert build_upscaler(open_weights(path), torch.device("cpu")).scale == 2


def test_an_upscaler_tells_what_it_does_not_use(ctx):
    folder = ctx.folders.models[0] / "upscale_models"
    folder.mkdir()
    save_file({**load_file(folder.parent / "compact"), "odd.weight": torch.ones(1)}, folder / "up.safetensors")
    said = []
    ctx.warn = said.append
    model = upscale_model_loader(ctx, "up.safetensors")
    assert image_upscale_with_model(ctx, model, torch.rand(1, 4, 4, 3)).shape == (1, 8, 8, 3)
    assert len(said) == 1 and "odd.weight" in said[0]


@pytest.mark.parametrize(("suffix", "dtype"), EACH)
def test_embeddings(ctx, suffix, dtype):
    rows = torch.linspace(-1, 1, 64).view(2, 32)
    stored = rows.to(dtype)
    folder = ctx.folders.models[0] / "embeddings"
    folder.mkdir(exist_ok=True)
    path = folder / f"e-{str(dtype)[6:]}{suffix}"
    if suffix in (".safetensors", ".sft"):
        save_file({"emb_params": stored}, path)
    elif suffix == ".bin":
        torch.save({"<style>": stored[0]}, path)
    else:
        torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": stored}, "name": "style", "step": 9}, path)
    (table,) = embedding(open_weights(path))
    torch.testing.assert_close(table, stored.float()[: len(table)])


def test_an_embedding_tells_what_it_does_not_use(ctx):
    folder = ctx.folders.models[0] / "embeddings"
    folder.mkdir(exist_ok=True)
    save_file({"emb_params": torch.ones(1, 32), "more": torch.ones(3, 3, 3)}, folder / "more.safetensors")
    token = {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": {"*": torch.ones(1, 32)}}
    torch.save(token, folder / "token.pt")
    said = []
    ctx.warn = said.append
    text = "a embedding:more and embedding:more embedding:token"
    clip_text_encode(ctx, text, Clip(FileRef("checkpoints", "base.safetensors")))
    assert len(said) == 1 and "more.safetensors: 1 of its tensors" in said[0]


def test_a_comma_behind_an_embedding_is_text(ctx):
    folder = ctx.folders.models[0] / "embeddings"
    folder.mkdir(exist_ok=True)
    save_file({"emb_params": torch.ones(1, 32)}, folder / "plain.safetensors")
    texts = ("embedding:plain, a", "embedding:plain , a", "embedding:plain a")
    clip = Clip(FileRef("checkpoints", "base.safetensors"))
    behind, apart, without = (clip_text_encode(ctx, text, clip).entries[0].context for text in texts)
    assert torch.equal(behind, apart) and not torch.equal(behind, without)
