"""The vocabulary of nodes. Importing it imports no torch: what computes is loaded when a node first runs."""

from importlib import import_module
from pathlib import Path

from engine.node import Registry, registry
from engine.settings import Settings
from engine.values import register_codec
from nodes import fits as fits  # adds its check to the registry
from nodes import machine

register_codec("torch.Tensor", "nodes.tensors")

EMBEDDED = Path(__file__).parent / "data" / "models"
"""The models that ship with Loomis. They come last on every model path."""

MODULES = (
    "loaders",
    "loaders_apart",
    "loaders_folder",
    "merge",
    "merge_transformers",
    "save_models",
    "model_options",
    "model_patches",
    "model_guidance",
    "skip_layers",
    "step_caching",
    "text",
    "text_sdxl",
    "sd3",
    "flux",
    "conditioning",
    "conditioning_properties",
    "hooks",
    "hook_keyframes",
    "control",
    "gligen",
    "latent",
    "latent_files",
    "latent_compose",
    "latent_transform",
    "latent_math",
    "latent_operations",
    "sampler",
    "sampler_seeds",
    "samplers",
    "sampler_upscale",
    "sigmas",
    "sigmas_change",
    "guiders",
    "vae",
    "inpaint",
    "vision",
    "image",
    "image_adjust",
    "image_batch",
    "image_compose",
    "image_filter",
    "image_animation",
    "image_sets",
    "train",
    "trained_loras",
    "mask",
    "mask_files",
    "upscale",
    "primitive",
    "strings",
)
"""The modules that declare nodes."""


def vocabulary() -> Registry:
    """Return all node types."""
    for name in MODULES:
        import_module(f"nodes.{name}")
    return registry


def settings(device: str = "auto", precision: str = "auto") -> Settings:
    """Return settings for this machine: its device when none is named, and the installed version of torch."""
    torch = machine.torch_version()
    chosen = machine.detect_device(torch) if device == "auto" else device
    return Settings(chosen, precision, runtime=machine.runtime(torch), bf16=machine.has_bf16(chosen))
