"""CONDITIONING: our value, and the list of [tensor, dict] that foreign code works with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nodes.lazy import lazy
from nodes.packs.objects.controlnet import controlnet_of, controls_of
from nodes.packs.objects.members import unusable
from nodes.packs.objects.pixels import plain
from nodes.packs.objects.vision import Output, output_of
from nodes.recipes import Cond, Conditioning, GligenBox, Unclip

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

Inner = Callable[[Any], Any]


def conditioning_list(conditioning: Conditioning, inner: Inner) -> list[Any]:
    """Return [context, options] for each encoded prompt. ``inner`` converts what options foreign nodes gave it."""
    return [
        [cond.context, {"pooled_output": cond.pooled, **_foreign_options(cond.options, inner)}]
        for cond in conditioning.entries
    ]


def conditioning(given: Any, inner: Inner) -> Any:
    """Return encoded prompts of a list of [context, options].

    A dict, or a list of something else, is returned as such: packs hand them from one of their nodes to another.

    Raises:
        InputError: it is neither list nor dict.
    """
    if not isinstance(given, list | tuple | dict):
        raise unusable("CONDITIONING", type(given).__name__, "a list of [tensor, dict]")
    if isinstance(given, dict) or not all(map(is_entry, given)):
        return inner(given)
    return Conditioning(tuple(_cond(context, options, inner) for context, options in given))


def is_entry(given: Any) -> bool:
    """Whether something is an encoded prompt with its options."""
    return (
        isinstance(given, list | tuple)
        and len(given) == 2
        and torch.is_tensor(given[0])
        and isinstance(given[1], Mapping)
    )


def _cond(context: Any, options: Mapping[str, Any], inner: Inner) -> Cond:
    pooled = options.get("pooled_output")
    return Cond(plain(context), None if pooled is None else plain(pooled), _own_options(options, inner))


def _foreign_options(options: Mapping[str, Any], inner: Inner) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        match name, value:
            case "control", tuple():
                found["control"] = controlnet_of(value)
            case "control_both", bool():
                found["control_apply_to_uncond"] = value
            case "unclip", tuple():
                found["unclip_conditioning"] = [_foreign_unclip(each) for each in value]
            case "gligen", (model, boxes):
                found["gligen"] = ("position", model, [_foreign_box(box) for box in boxes])
            case _:
                found[name] = inner(value)
    return found


def _own_options(options: Mapping[str, Any], inner: Inner) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        match name, value:
            case "pooled_output", _:
                pass
            case "control", _:
                found["control"] = controls_of(value)
            case "control_apply_to_uncond", _:
                found["control_both"] = bool(value)
            case "unclip_conditioning", _:
                found["unclip"] = tuple(_own_unclip(each) for each in value)
            case "gligen", ("position", model, boxes):
                found["gligen"] = (model, tuple(_own_box(*box) for box in boxes))
            case _:
                found[name] = inner(value)
    return found


def _foreign_unclip(picture: Unclip) -> dict[str, Any]:
    output = Output(picture.embeds, None, None)
    return {
        "clip_vision_output": output,
        "strength": picture.strength,
        "noise_augmentation": picture.noise_augmentation,
    }


def _own_unclip(given: Mapping[str, Any]) -> Unclip:
    embeds = output_of(given["clip_vision_output"]).embeds
    return Unclip(embeds, given["strength"], given["noise_augmentation"])


def _foreign_box(box: GligenBox) -> tuple[Any, ...]:
    return box.text, box.height, box.width, box.y, box.x


def _own_box(text: Any, height: int, width: int, y: int, x: int) -> GligenBox:
    return GligenBox(plain(text), width, height, x, y)
