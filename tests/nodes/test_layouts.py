"""Files as people have them: every container and dtype gives what the plain file gives, as far as its dtype goes."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from nodes.control import load_controlnet
from nodes.loaders import load_checkpoint, load_lora_model_only, load_vae
from nodes.loaders_apart import load_unet
from nodes.models.service import pool
from nodes.models.text import embedding
from nodes.models.upscaler import build_upscaler
from nodes.models.weights import open_weights
from nodes.recipes import Clip, FileRef, Model
from nodes.text import clip_text_encode
from nodes.upscale import image_upscale_with_model, upscale_model_loader
from tests.nodes.calls import model_context
from tests.nodes.models import tiny
from tests.nodes.models.test_upscaler import compact

SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin")
DTYPES = (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
KINDS = [(suffix, torch.float32) for suffix in SUFFIXES] + [(".safetensors", dtype) for dtype in DTYPES]
KINDS += [(".pt", torch.float16), (".pth", torch.bfloat16)]
CLOSE = {
    torch.float32: 0.0,
    torch.float16: 1e-3,
    torch.bfloat16: 1e-2,
    torch.float8_e4m3fn: 0.1,
    torch.float8_e5m2: 0.2,
}


def diffusers_lora(kohya):
    """The same LoRA as diffusers writes it."""
    names = {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k":
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k",
        "lora_unet_mid_block_resnets_0_conv1": "unet.mid_block.resnets.0.conv1",
        "lora_te_text_model_encoder_layers_1_mlp_fc1": "text_encoder.text_model.encoder.layers.1.mlp.fc1",
    }  # fmt: skip
    found = {}
    for name, tensor in kohya.items():
        module, _, rest = name.partition(".")
        if rest != "alpha":
            ending = "lora_B.weight" if "up" in rest else "lora_A.weight"
            alpha = kohya.get(f"{module}.alpha")
            scale = float(alpha) / 2 if alpha is not None and "up" in rest else 1.0
            found[f"{names[module]}.{ending}"] = tensor * scale
    return found


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    whole = tiny.tensors()
    vae = {k.removeprefix("first_stage_model."): t for k, t in whole.items() if k.startswith("first_stage_model.")}
    tiny.write(folder / "checkpoints" / "base.safetensors", whole)
    contents = {
        "loras": tiny.lora(),
        "controlnet": tiny.control(),
        "vae": vae,
        "diffusion_models": {k: t for k, t in whole.items() if k.startswith("model.diffusion_model.")},
    }
    for kind, content in contents.items():
        (folder / kind).mkdir()
        for suffix, dtype in KINDS:
            path = folder / kind / f"{kind}-{str(dtype)[6:]}{suffix}"
            tensors = {name: tensor.to(dtype).contiguous() for name, tensor in content.items()}
            if suffix in (".safetensors", ".sft"):
                save_file(tensors, path, metadata=tiny.METADATA)
            else:
                torch.save({"state_dict": tensors} if suffix == ".ckpt" else tensors, path)
    save_file(diffusers_lora(tiny.lora()), folder / "loras" / "diffusers.safetensors")
    compact(folder)
    return model_context(folder)


def name(kind, suffix, dtype):
    return f"{kind}-{str(dtype)[6:]}{suffix}"


def close(found, expected, dtype):
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=CLOSE[dtype], atol=CLOSE[dtype])


@pytest.mark.parametrize(("suffix", "dtype"), KINDS)
def test_loras(ctx, suffix, dtype):
    base = Model(FileRef("checkpoints", "base.safetensors"))
    expected = ctx.use(pool).unet(load_lora_model_only(ctx, base, name("loras", ".safetensors", torch.float32)))
    found = ctx.use(pool).unet(load_lora_model_only(ctx, base, name("loras", suffix, dtype)))
    changed = found.module.state_dict(), expected.module.state_dict()
    for key, tensor in changed[1].items():
        torch.testing.assert_close(changed[0][key], tensor, rtol=3 * CLOSE[dtype], atol=3 * CLOSE[dtype])


def test_a_lora_of_diffusers(ctx):
    base = Model(FileRef("checkpoints", "base.safetensors"))
    names = name("loras", ".safetensors", torch.float32), "diffusers.safetensors"
    kohya, diffusers = (ctx.use(pool).unet(load_lora_model_only(ctx, base, each)).module.state_dict() for each in names)
    for key in kohya:
        torch.testing.assert_close(diffusers[key], kohya[key])


@pytest.mark.parametrize(("suffix", "dtype"), KINDS)
def test_vaes_without_metadata_need_their_usual_widths(ctx, suffix, dtype):
    if suffix not in (".safetensors", ".sft"):
        pytest.skip("only safetensors states the groups of a tiny VAE")
    found = ctx.use(pool).vae(load_vae(ctx, name("vae", suffix, dtype))).module.state_dict()
    loaded = load_checkpoint(ctx, "base.safetensors")
    close(found, ctx.use(pool).vae(loaded.VAE).module.state_dict(), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, *DTYPES])
def test_controlnets_and_networks(ctx, dtype):
    found = ctx.use(pool).controlnet(load_controlnet(ctx, name("controlnet", ".safetensors", dtype)))
    expected = ctx.use(pool).controlnet(load_controlnet(ctx, name("controlnet", ".sft", torch.float32)))
    close(found.module.state_dict(), expected.module.state_dict(), dtype)
    unet = ctx.use(pool).unet(load_unet(ctx, name("diffusion_models", ".safetensors", dtype), "default"))
    whole = ctx.use(pool).unet(load_unet(ctx, name("diffusion_models", ".sft", torch.float32), "default"))
    close(unet.module.state_dict(), whole.module.state_dict(), dtype)


@pytest.mark.parametrize(("suffix", "dtype"), KINDS)
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


@pytest.mark.parametrize(("suffix", "dtype"), KINDS)
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
    said = []
    ctx.warn = said.append
    clip_text_encode(ctx, "a embedding:more and embedding:more", Clip(FileRef("checkpoints", "base.safetensors")))
    assert len(said) == 1 and "more.safetensors: 1 of its tensors" in said[0]
