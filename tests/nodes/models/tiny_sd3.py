"""Tiny models of SD3's kind, with random weights under the names of the original files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from torch import Tensor

from nodes.models.families import clip_text
from tests.nodes.models import tiny, tiny_flux, tiny_t5, tiny_xl

WIDTH, CONTEXT, CHANNELS, PLACES = 64, 64, 16, 6
POOLED = 64
L: Mapping[str, Any] = tiny_flux.L
G: Mapping[str, Any] = tiny_xl.G
T5_WIDTH = 64


def shapes(*, is_normed: bool = True, dual: int = 1, blocks: int = 3) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a transformer as its original file has them: SD3.5 medium's kind, or SD3's."""

    def linear(name: str, out: int, given: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (out, given), f"{name}.bias": (out,)}

    def attention(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}.ln_q.weight": (32,), f"{name}.ln_k.weight": (32,)} if is_normed else {}

    found: dict[str, tuple[int, ...]] = {
        "pos_embed": (1, PLACES**2, WIDTH),
        "x_embedder.proj.weight": (WIDTH, CHANNELS, 2, 2),
        "x_embedder.proj.bias": (WIDTH,),
    }
    found |= linear("context_embedder", WIDTH, CONTEXT)
    for name, given in (("t_embedder", 256), ("y_embedder", POOLED)):
        found |= linear(f"{name}.mlp.0", WIDTH, given) | linear(f"{name}.mlp.2", WIDTH, WIDTH)
    for block in range(blocks):
        x, context, is_last = (
            f"joint_blocks.{block}.x_block",
            f"joint_blocks.{block}.context_block",
            block == blocks - 1,
        )
        found |= linear(f"{x}.adaLN_modulation.1", (9 if block < dual else 6) * WIDTH, WIDTH)
        found |= linear(f"{context}.adaLN_modulation.1", (2 if is_last else 6) * WIDTH, WIDTH)
        for name in (f"{x}.attn", f"{context}.attn", *([f"{x}.attn2"] if block < dual else [])):
            found |= linear(f"{name}.qkv", 3 * WIDTH, WIDTH) | attention(name)
            if not (is_last and name.startswith(context)):
                found |= linear(f"{name}.proj", WIDTH, WIDTH)
        for name in (x, *([] if is_last else [context])):
            found |= linear(f"{name}.mlp.fc1", 4 * WIDTH, WIDTH) | linear(f"{name}.mlp.fc2", WIDTH, 4 * WIDTH)
    return (
        found
        | linear("final_layer.linear", 4 * CHANNELS, WIDTH)
        | linear("final_layer.adaLN_modulation.1", 2 * WIDTH, WIDTH)
    )


def transformer(**kind: Any) -> dict[str, Tensor]:
    return tiny_flux.drawn(shapes(**kind))


def reference(tensors: Mapping[str, Tensor]) -> SD3Transformer2DModel:
    """The transformer of diffusers with the same weights, by its own conversion."""
    is_normed = "joint_blocks.0.x_block.attn.ln_q.weight" in tensors
    head = 32 if is_normed else 64
    module = SD3Transformer2DModel(
        sample_size=2 * PLACES,
        patch_size=2,
        in_channels=CHANNELS,
        num_layers=len({name.split(".")[1] for name in tensors if name.startswith("joint_blocks.")}),
        attention_head_dim=head,
        num_attention_heads=WIDTH // head,
        joint_attention_dim=CONTEXT,
        caption_projection_dim=WIDTH,
        pooled_projection_dim=POOLED,
        out_channels=CHANNELS,
        pos_embed_max_size=PLACES,
        dual_attention_layers=tuple(sorted({int(name.split(".")[1]) for name in tensors if "attn2" in name})),
        qk_norm="rms_norm" if is_normed else None,
    )
    module.load_state_dict(convert_sd3_transformer_checkpoint_to_diffusers(dict(tensors)))
    return module.eval().requires_grad_(False)


def clip_g() -> dict[str, Tensor]:
    state = tiny.filled(clip_text.build({**G, "num_hidden_layers": 32}), 4).state_dict()
    return {name if name.startswith("text_projection") else f"text_model.{name}": t for name, t in state.items()}


def checkpoint(*, has_t5: bool = True, **kind: Any) -> dict[str, Tensor]:
    """A file that holds everything, or everything but T5."""
    found = {f"model.diffusion_model.{name}": tensor for name, tensor in transformer(**kind).items()} | tiny_flux.vae()
    found |= {f"text_encoders.clip_l.transformer.{name}": tensor for name, tensor in tiny_flux.clip_l().items()}
    found |= {f"text_encoders.clip_g.transformer.{name}": tensor for name, tensor in clip_g().items()}
    reading = tiny_t5.encoder(T5_WIDTH) if has_t5 else {}
    return found | {f"text_encoders.t5xxl.transformer.{name}": tensor for name, tensor in reading.items()}


def folder(path: Path) -> Path:
    """A models folder with everything in one file, and with each part in one of its own."""
    tiny.write(path / "checkpoints" / "sd3.safetensors", checkpoint(), {})
    tiny.write(path / "checkpoints" / "sd3_clips.safetensors", checkpoint(has_t5=False), {})
    tiny.write(path / "diffusion_models" / "sd3_unet.safetensors", transformer(), {})
    tiny.write(path / "text_encoders" / "clip_l.safetensors", tiny_flux.clip_l(), {})
    tiny.write(path / "text_encoders" / "clip_g.safetensors", clip_g(), {})
    tiny.write(path / "text_encoders" / "t5.safetensors", tiny_t5.encoder(T5_WIDTH), {})
    return path


def widened(*contexts: Tensor) -> Tensor:
    """Contexts side by side, with zeros to the width of T5."""
    both = torch.cat(contexts, -1)
    return torch.nn.functional.pad(both, (0, T5_WIDTH - both.shape[-1]))
