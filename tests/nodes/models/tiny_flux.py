"""Tiny models of Flux's kind, with random weights under the names of the original files."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import single_file_utils
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from torch import Tensor

from nodes.models.families import clip_text, ldm_vae, sd1
from tests.nodes.models import tiny, tiny_t5

WIDTH, HEAD, CONTEXT, POOLED, CHANNELS = 64, 32, tiny_t5.WIDTH, 32, 16

VAE: Mapping[str, Any] = {
    **tiny.VAE,
    "latent_channels": CHANNELS,
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 32,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
L: Mapping[str, Any] = {**tiny.TEXT, "num_attention_heads": 1}


def shapes(*, guided: bool = True, double: int = 2, single: int = 3, taken: int = 4 * CHANNELS) -> dict[str, Any]:
    """Names and shapes of a transformer as its original file has them."""

    def linear(name: str, out: int, given: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (out, given), f"{name}.bias": (out,)}

    def attention(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}query_norm.scale": (HEAD,), f"{name}key_norm.scale": (HEAD,)}

    found = linear("img_in", WIDTH, taken) | linear("txt_in", WIDTH, CONTEXT)
    embedders = {"time_in": 256, "vector_in": POOLED, **({"guidance_in": 256} if guided else {})}
    for name, given in embedders.items():
        found |= linear(f"{name}.in_layer", WIDTH, given) | linear(f"{name}.out_layer", WIDTH, WIDTH)
    for block in range(double):
        for side in ("img", "txt"):
            name = f"double_blocks.{block}.{side}_"
            found |= linear(f"{name}mod.lin", 6 * WIDTH, WIDTH) | linear(f"{name}attn.qkv", 3 * WIDTH, WIDTH)
            found |= attention(f"{name}attn.norm.") | linear(f"{name}attn.proj", WIDTH, WIDTH)
            found |= linear(f"{name}mlp.0", 4 * WIDTH, WIDTH) | linear(f"{name}mlp.2", WIDTH, 4 * WIDTH)
    for block in range(single):
        name = f"single_blocks.{block}."
        found |= linear(f"{name}modulation.lin", 3 * WIDTH, WIDTH) | attention(f"{name}norm.")
        found |= linear(f"{name}linear1", 7 * WIDTH, WIDTH) | linear(f"{name}linear2", WIDTH, 5 * WIDTH)
    found |= linear("final_layer.linear", 4 * CHANNELS, WIDTH)
    return found | linear("final_layer.adaLN_modulation.1", 2 * WIDTH, WIDTH)


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * 0.15 for name, shape in shapes.items()}


def transformer(**kind: Any) -> dict[str, Tensor]:
    return drawn(shapes(**kind))


def converted(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in the layout of diffusers, by its own conversion, told the width of the tiny model."""
    source = inspect.getsource(single_file_utils.convert_flux_transformer_checkpoint_to_diffusers)
    space: dict[str, Any] = {"torch": torch}
    assert "inner_dim = 3072" in source
    exec(source.replace("inner_dim = 3072", f"inner_dim = {WIDTH}"), space)
    convert: Callable[..., dict[str, Tensor]] = space["convert_flux_transformer_checkpoint_to_diffusers"]
    return convert(dict(tensors))


def reference(tensors: Mapping[str, Tensor]) -> FluxTransformer2DModel:
    """The transformer of diffusers with the same weights."""
    count = {kind: len({n.split(".")[1] for n in tensors if n.startswith(kind)}) for kind in ("double", "single")}
    module = FluxTransformer2DModel(
        in_channels=tensors["img_in.weight"].shape[1],
        out_channels=4 * CHANNELS,
        num_layers=count["double"],
        num_single_layers=count["single"],
        attention_head_dim=HEAD,
        num_attention_heads=WIDTH // HEAD,
        joint_attention_dim=CONTEXT,
        pooled_projection_dim=POOLED,
        guidance_embeds="guidance_in.in_layer.weight" in tensors,
        axes_dims_rope=(4, 14, 14),
    )
    module.load_state_dict(converted(tensors))
    return module.eval().requires_grad_(False)


def vae() -> dict[str, Tensor]:
    """An autoencoder alone, as its original file has it."""
    return sd1.components.vae_layout(tiny.filled(ldm_vae.build(VAE), 2).state_dict())


def clip_l() -> dict[str, Tensor]:
    return {f"text_model.{name}": t for name, t in tiny.filled(clip_text.build(L), 3).state_dict().items()}


def checkpoint(**kind: Any) -> dict[str, Tensor]:
    """A file that holds everything."""
    found = {f"model.diffusion_model.{name}": tensor for name, tensor in transformer(**kind).items()}
    found |= {name.replace("first_stage_model.", "vae."): tensor for name, tensor in vae().items()}
    found |= {f"text_encoders.clip_l.transformer.{name}": tensor for name, tensor in clip_l().items()}
    return found | {f"text_encoders.t5xxl.transformer.{n}": tensor for n, tensor in tiny_t5.encoder().items()}


def folder(path: Path, **kind: Any) -> Path:
    """A models folder with everything in one file, and with each part in one of its own."""
    tiny.write(path / "checkpoints" / "flux.safetensors", checkpoint(**kind), {})
    tiny.write(path / "diffusion_models" / "flux_unet.safetensors", transformer(**kind), {})
    tiny.write(path / "text_encoders" / "clip_l.safetensors", clip_l(), {})
    tiny.write(path / "text_encoders" / "t5.safetensors", tiny_t5.encoder(), {})
    alone = {name.removeprefix("first_stage_model."): tensor for name, tensor in vae().items()}
    tiny.write(path / "vae" / "ae.safetensors", alone, {})
    return path
