"""What a foreign node gets for our values, and how what it returns becomes values of ours.

Our values on a wire are recipes and tensors; foreign code expects objects with methods, dicts and lists. What it gets
is made anew for each call, so it may change all of it but the elements of tensors.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from nodes.lazy import lazy
from nodes.packs.objects import conditioning as conditionings
from nodes.packs.objects import controlnet, guider, noise, pixels, sampler, vision
from nodes.packs.objects import latent as latents
from nodes.packs.objects.clip import CLIP
from nodes.packs.objects.members import unusable
from nodes.packs.objects.model import ModelPatcher
from nodes.packs.objects.upscale import ImageModelDescriptor
from nodes.packs.objects.vae import VAE
from nodes.recipes import (
    Clip,
    ClipVision,
    ClipVisionOutput,
    Conditioning,
    ControlNet,
    Guider,
    Latent,
    Model,
    NoiseSource,
    Sampler,
    StyleModel,
    UpscaleModel,
    Vae,
)

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

Change: TypeAlias = Callable[[Any], Any]


def to_foreign(type_name: str, value: Any) -> Any:
    """Return what a foreign node gets for a value on a wire of a type.

    Values of ours also lie in lists, tuples and dicts of packs (pipes): these are converted within.
    """
    change = _change(TO_FOREIGN, value)
    return change(value) if change else _within(value, _inner_to)


def from_foreign(type_name: str, value: Any) -> Any:
    """Return the value for what a foreign node gave for an output of a type. None stays None.

    Raises:
        InputError: it is nothing that can lie on a wire of that type.
        NodeFailure: it asks for something that Loomis does not offer.
    """
    if value is None:
        return None
    if type_name in NAMED:
        return NAMED[type_name](value)
    if type_name in RECIPES:
        found = _inner_from(value)
        if not isinstance(found, RECIPES[type_name]):
            raise unusable(type_name, type(value).__name__, f"a {type_name} that came in, or was made of one")
        return found
    if type_name == "*" and isinstance(value, dict) and torch.is_tensor(value.get("samples")):
        return latents.latent(value, _inner_from)
    if type_name == "*" and isinstance(value, list) and value and all(map(conditionings.is_entry, value)):
        return conditionings.conditioning(value, _inner_from)
    return _inner_from(value)


def _inner_to(value: Any) -> Any:
    return to_foreign("*", value)


def _inner_from(value: Any) -> Any:
    change = _change(FROM_FOREIGN, value)
    return change(value) if change else _within(value, _inner_from)


def _change(table: Mapping[type, Change], value: Any) -> Change | None:
    return next((change for cls, change in table.items() if isinstance(value, cls)), None)


def _within(value: Any, change: Change) -> Any:
    """Return a container with each thing in it changed. Others are returned as they are."""
    if type(value) is dict:
        return {name: change(each) for name, each in value.items()}
    return type(value)(map(change, value)) if type(value) in (list, tuple) else value


TO_FOREIGN: Mapping[type, Change] = {
    Model: ModelPatcher,
    Clip: CLIP,
    Vae: VAE,
    ControlNet: controlnet.ControlNet,
    ClipVision: vision.ClipVisionModel,
    ClipVisionOutput: vision.output,
    StyleModel: vision.StyleModel,
    UpscaleModel: ImageModelDescriptor,
    Latent: lambda value: latents.latent_dict(value, _inner_to),
    Conditioning: lambda value: conditionings.conditioning_list(value, _inner_to),
    NoiseSource: noise.noise,
    Sampler: sampler.sampler,
    Guider: guider.guider,
}


def _recipe(given: Any) -> Any:
    return given.recipe


FROM_FOREIGN: Mapping[type, Change] = {
    ModelPatcher: _recipe,
    CLIP: _recipe,
    VAE: _recipe,
    controlnet.ControlNet: controlnet.recipe_of,
    vision.ClipVisionModel: _recipe,
    vision.Output: vision.output_of,
    vision.StyleModel: _recipe,
    ImageModelDescriptor: _recipe,
    latents.LatentDict: lambda given: latents.latent(given, _inner_from),
    noise.RandomNoise: noise.source_of,
    noise.EmptyNoise: noise.source_of,
    sampler.KSAMPLER: sampler.recipe_of,
    guider.CFGGuider: guider.recipe_of,
}
"""What can be told by its class, wherever it lies."""

NAMED: Mapping[str, Change] = {
    "IMAGE": pixels.image,
    "MASK": pixels.mask,
    "SIGMAS": pixels.plain,
    "LATENT": lambda given: latents.latent(given, _inner_from),
    "CONDITIONING": lambda given: conditionings.conditioning(given, _inner_from),
    "CLIP_VISION_OUTPUT": vision.output_of,
    "NOISE": noise.source_of,
    "SAMPLER": sampler.recipe_of,
    "GUIDER": guider.recipe_of,
}
"""What foreign code also makes itself, of things of its own."""

RECIPES: Mapping[str, type] = {
    "MODEL": Model,
    "CLIP": Clip,
    "VAE": Vae,
    "CONTROL_NET": ControlNet,
    "CLIP_VISION": ClipVision,
    "STYLE_MODEL": StyleModel,
    "UPSCALE_MODEL": UpscaleModel,
}
"""What only Loomis makes."""
