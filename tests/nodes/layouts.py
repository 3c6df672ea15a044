"""Tiny models in the layouts that people's files have: by kind and layout, tensors that mean the same model.

Their widths are such that nothing has to be said in metadata, which torch's own format does not have.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nodes.models.families import ldm_unet, open_clip, sd1, t2i_adapter
from tests.nodes.models import tiny, tiny_xl
from tests.nodes.test_loaders_apart import early, under
from tests.nodes.test_t2i_adapter import original as original_adapter

Tensors = Mapping[str, Tensor]

UNET = {**tiny.UNET, "block_out_channels": (32, 32), "attention_head_dim": 8, "norm_num_groups": 32}
TEXT = {**tiny.TEXT, "num_attention_heads": 1}
CONTROL = {**{name: UNET[name] for name in tiny.CONTROL if name in UNET}, **{
    name: tiny.CONTROL[name] for name in ("conditioning_channels", "conditioning_embedding_out_channels")
}}  # fmt: skip
ADAPTER = {
    "conditioning_channels": 3,
    "channels": (32, 64),
    "num_res_blocks": 2,
    "downscale_factor": 8,
    "is_light": False,
}

UNET_MODULES = ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", "mid_block.resnets.0.conv1")
TEXT_MODULE = "encoder.layers.1.mlp.fc1"


@cache
def built() -> tuple[nn.Module, nn.Module, nn.Module]:
    return tiny.modules(UNET, tiny_xl.VAE, TEXT)


def plain(kind: str) -> dict[str, Tensor]:
    """Return the tensors of a kind in the layout that the others are made from."""
    unet, vae, text = built()
    match kind:
        case "diffusion_models":
            return dict(unet.state_dict())
        case "vae":
            return dict(vae.state_dict())
        case "text_encoders":
            return dict(text.state_dict())
        case "controlnet":
            return tiny.control(CONTROL)
        case "adapters":
            return dict(tiny.filled(t2i_adapter.build(ADAPTER), 5).state_dict())
        case "loras":
            return tiny.lora(width=32)
    return sd1.original_layout(unet.state_dict(), vae.state_dict(), text.state_dict())


def prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()}


def original_unet(tensors: Tensors) -> Tensors:
    return {old: tensors[new] for old, new in ldm_unet.original_names(tensors).items()}


def original_vae(tensors: Tensors) -> Tensors:
    whole = sd1.original_layout(dict(built()[0].state_dict()), tensors, {})
    return under(whole, "first_stage_model.")


def early_transformers(tensors: Tensors) -> Tensors:
    return {name.replace("transformer.text_model.", "transformer."): tensor for name, tensor in tensors.items()}


KOHYA = ("lora_up.weight", "lora_down.weight")


def lora(
    unet: str, text: str, up: str, down: str, *, original: bool = False, alpha: bool = False
) -> Callable[[Tensors], Tensors]:
    """Return what renames kohya's LoRA: module by module, without alpha where the layout has none."""

    def renamed(tensors: Tensors) -> Tensors:
        names = {
            new.removesuffix(".weight"): old.removesuffix(".weight")
            for old, new in ldm_unet.original_names(plain("diffusion_models")).items()
        }
        found = {}
        modules = [(unet, "lora_unet_", module) for module in UNET_MODULES]
        for prefix, kohya, module in [*modules, (text, "lora_te_text_model_", TEXT_MODULE)]:
            old = kohya + module.replace(".", "_")
            named = names[module] if original and kohya == "lora_unet_" else module
            new = prefix + (named.replace(".", "_") if prefix.endswith("_") else named)
            scale = tensors.get(f"{old}.alpha", torch.tensor(2.0)) / 2
            found[f"{new}.{up}"] = tensors[f"{old}.lora_up.weight"] * (1 if alpha else scale)
            found[f"{new}.{down}"] = tensors[f"{old}.lora_down.weight"]
            if alpha and f"{old}.alpha" in tensors:
                found[f"{new}.alpha"] = tensors[f"{old}.alpha"]
        return found

    return renamed


LAYOUTS: Mapping[str, Mapping[str, Callable[[Tensors], Tensors]]] = {
    "checkpoints": {
        "original": dict,
        "early transformers": early_transformers,
    },
    "diffusion_models": {
        "diffusers": dict,
        "original": original_unet,
        "of a checkpoint": lambda tensors: prefixed("model.diffusion_model.")(original_unet(tensors)),
    },
    "vae": {
        "diffusers": dict,
        "early diffusers": lambda tensors: {early(name): tensor for name, tensor in tensors.items()},
        "original": original_vae,
        "of a checkpoint": lambda tensors: prefixed("first_stage_model.")(original_vae(tensors)),
    },
    "text_encoders": {
        "transformers": prefixed("text_model."),
        "bare": dict,
        "OpenCLIP": open_clip.original,
        "of a checkpoint": prefixed("cond_stage_model.transformer.text_model."),
    },
    "controlnet": {
        "diffusers": dict,
        "original": tiny.original_control,
        "bare original": lambda tensors: tiny.original_control(tensors, ""),
    },
    "adapters": {"diffusers": dict, "original": lambda tensors: original_adapter(tensors, 2)},
    "loras": {
        "kohya": dict,
        "kohya by original names": lora("lora_unet_", "lora_te_text_model_", *KOHYA, original=True, alpha=True),
        "diffusers": lora("unet.", "text_encoder.text_model.", "lora_B.weight", "lora_A.weight"),
        "early diffusers": lora("unet.", "text_encoder.text_model.", "lora.up.weight", "lora.down.weight"),
        "peft by original names": lora(
            "diffusion_model.", "text_encoder.", "lora_B.default.weight", "lora_A.default.weight", original=True
        ),
    },
}  # fmt: skip
"""How each layout is made from the plain tensors of its kind."""

SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin")
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)

source = cache(plain)


@cache
def rounded(kind: str, layout: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the tensors of a layout in a dtype."""
    return {name: tensor.to(dtype).contiguous() for name, tensor in LAYOUTS[kind][layout](source(kind)).items()}


def save(path: Path, tensors: Tensors) -> None:
    """Write tensors as the suffix says: below a key, as checkpoints are, in ``.ckpt``; with the old stream in ``.bin``.

    Torch can't read 8-bit numbers back from the old stream, so those are in the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".safetensors", ".sft"):
        save_file(dict(tensors), path)
    elif path.suffix == ".ckpt":
        torch.save({"epoch": 3, "global_step": 840_000, "state_dict": dict(tensors)}, path)
    else:
        is_old = path.suffix == ".bin" and all(tensor.itemsize > 1 for tensor in tensors.values())
        torch.save(dict(tensors), path, _use_new_zipfile_serialization=not is_old)
