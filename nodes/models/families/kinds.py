"""What a file looks like by the names in it, for errors that say so."""

import re

from nodes.models.weights import Weights

MARKS: tuple[tuple[str, str], ...] = (
    ("conditioner.embedders.", "an SDXL checkpoint"),
    ("cond_stage_model.model.", "a Stable Diffusion 2 checkpoint"),
    ("cond_stage_model.transformer.", "a Stable Diffusion 1 checkpoint"),
    (".lllite_", "a ControlNet-LLLite"),
    (".ip_adapter.", "an IP-Adapter"),
    (".string_to_param", "a textual inversion embedding"),
    (".emb_params", "a textual inversion embedding"),
    (".style_embedding", "a style model"),
    (".on_input", "an (IA)3 of LyCORIS"),
    (".lora_unet_double_blocks_", "a LoRA for Flux"),
    (".lora_unet_joint_blocks_", "a LoRA for Stable Diffusion 3"),
    (".lora_te2_", "a LoRA for SDXL"),
    (".lora_", "a LoRA"),
    (".lora.", "a LoRA"),
    ("_lora.", "a LoRA"),
    (".hada_w1_", "a LoRA"),
    (".lokr_w", "a LoRA"),
    ("ctrl_to_base", "a ControlNet-XS"),
    ("enc_zero_convs", "a ControlNet-XS"),
    (".controlnet_x_embedder.", "a ControlNet for another family"),
    (".controlnet_blocks.", "a ControlNet for another family"),
    ("control_model.", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    (".controlnet_", "a ControlNet"),
    ("motion_modules.", "a motion module"),
    (".double_blocks.", "a Flux model"),
    (".joint_blocks.", "a Stable Diffusion 3 model"),
    (".label_emb.", "a UNet of SDXL's kind"),
    ("model.1.sub.", "an upscaler"),
    (".conv_first.", "an upscaler"),
    (".body.0.block1.", "a T2I-Adapter"),
    (".body.0.", "an upscaler"),
    (".vision_model.", "a CLIP vision model"),
    (".encoder.block.", "a T5 text encoder"),
    (".text_model.", "a text encoder"),
    (".down_blocks.", "a network in diffusers' layout"),
    (".encoder.conv_in.", "an autoencoder of another family"),
    (".model.diffusion_model.", "a diffusion model of a family that is not known yet"),
)
"""Parts of names, with a dot before each name, that tell what a file is; the first that fits counts."""

SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.")
"""How the parts of a model that is cut into several files are named."""


def looks_like(weights: Weights) -> str:
    """Say in words what a file looks like by its name and the names of its tensors."""
    if shard := SHARD.search(weights.path.name):
        return f"part {int(shard[1])} of a model that is cut into {int(shard[2])} files"
    for mark, kind in MARKS:
        if any(mark in f".{name}" for name in weights.infos):
            return f"looks like {kind}"
    shown = ", ".join([*weights.infos][:3]) or "none"
    return f"{len(weights.infos)} tensors, the first are {shown}"
