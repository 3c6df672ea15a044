"""Changes of weights by foreign code, which knows weights by ComfyUI's names for them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import ModelError
from nodes.models.dora import Decomposed
from nodes.models.families.checkpoint import TextEncoder
from nodes.models.lora import Pair
from nodes.models.pool import Pool
from nodes.models.weights import TensorInfo, Weights
from nodes.packs.objects.members import no_member
from nodes.recipes import Clip, FileRef, ForeignPatch, Merge, Model

Recipe = Model | Clip
Place = tuple[str, str]
"""The part of a recipe that a weight is of, and the name of the weight in the original layout, as in ForeignPatch."""

Change = Callable[[Tensor], Tensor]

UNET = "diffusion_model."


@dataclass(frozen=True, slots=True, eq=False)
class WeightOf:
    """Stands for a weight of a recipe, to be merged into another one."""

    recipe: Recipe
    place: Place


def stand_ins(pool: Pool, recipe: Recipe, prefix: str = "") -> dict[str, WeightOf]:
    """Return what stands for each weight whose name begins with a prefix. Options of a model change no weights."""
    bare = replace(recipe, options=()) if isinstance(recipe, Model) else replace(recipe, layer=None)
    found = places(pool, recipe).items()
    return {name: WeightOf(bare, place) for name, (place, *_) in found if name.startswith(prefix)}


def places(pool: Pool, recipe: Recipe) -> dict[str, tuple[Place, FileRef, Any]]:
    """Return ComfyUI's name of each weight -> its place, its file, and the network that has it. Reads headers only."""
    found: dict[str, tuple[Place, FileRef, Any]] = {}
    if isinstance(recipe, Model):
        network = pool.network(recipe)
        for name in network.keys:
            original = network.originals.get(name, name)
            found[UNET + original] = ("", original), recipe.file, (network, name)
        return found
    for file, encoder in pool.encoders(recipe):
        for name in encoder.network.keys:
            found[_text_name(encoder, name)] = (encoder.name, name), file, (encoder.network, name)
    return found


def _text_name(encoder: TextEncoder, name: str) -> str:
    inner = "" if name.startswith("text_projection.") else "text_model."
    return f"clip_{encoder.name}.transformer.{inner}{name}"


def copies(pool: Pool, recipe: Recipe, prefix: str = "") -> dict[str, Tensor]:
    """Return copies of the weights whose names begin with a prefix, as they are in their files."""
    return {
        name: network.tensor(pool.weights(file), own).clone()
        for name, (_, file, (network, own)) in places(pool, recipe).items()
        if name.startswith(prefix)
    }


def added(
    pool: Pool, recipe: Any, patches: Mapping[Any, Any], strength_patch: float, strength_model: float
) -> tuple[Any, list[Any]]:
    """Return a recipe with changes of its weights, and the keys of those that it has.

    A key is a name, or (name, (dim, start, length)) for a part of a weight. A patch is (diff,), ("diff", (tensor,)),
    ("set", (tensor,)), ("lora", (up, down, alpha, ...)), an object with such a ``name`` and ``weights``, or what
    ``WeightOf`` stands for. W becomes W * strength_model + change * strength_patch; (None,) changes nothing else.

    Raises:
        NodeFailure: a patch is of another kind.
    """
    known = places(pool, recipe)
    keys = [key for key in patches if _name(key) in known]
    merged: dict[int, tuple[Recipe, dict[str, tuple[float, float]]]] = {}
    changes: dict[Place, tuple[Change, ...]] = {}
    for key in keys:
        place, patch = known[_name(key)][0], patches[key]
        if isinstance(patch, WeightOf):
            shares = merged.setdefault(id(patch.recipe), (patch.recipe, {}))[1]
            if shares.setdefault(place[1], (strength_model, strength_patch)) != (strength_model, strength_patch):
                raise no_member("CLIP", "add_patches with another share for each text encoder")
            continue
        change = _change(patch, float(strength_patch), float(strength_model), _part(key))
        changes[place] = (*changes.get(place, ()), change)
    for other, shares in merged.values():
        recipe = _merged(recipe, other, shares)
    return (_changed(recipe, changes) if changes else recipe), keys


def _name(key: Any) -> str:
    return key if isinstance(key, str) else key[0]


def _part(key: Any) -> tuple[int, int, int] | None:
    if isinstance(key, str):
        return None
    if len(key) > 2 and key[2] is not None:
        raise no_member("MODEL", "add_patches with a function in the key")
    return key[1] if len(key) > 1 else None


def _merged(recipe: Recipe, other: Recipe, shares: Mapping[str, tuple[float, float]]) -> Recipe:
    """Return a recipe with a merge behind its patches, or with more shares in the one that is there."""
    *before, last = recipe.patches or (None,)
    rest = (("", 1.0, 0.0),)
    rows = tuple((name, *share) for name, share in shares.items())
    if isinstance(last, Merge) and last.other == other and not {name for name, *_ in last.shares} & shares.keys():
        return replace(recipe, patches=(*before, Merge(other, (*last.shares, *rows))))
    return replace(recipe, patches=(*recipe.patches, Merge(other, (*rest, *rows))))


def _changed(recipe: Recipe, changes: Mapping[Place, tuple[Change, ...]]) -> Recipe:
    *before, last = recipe.patches or (None,)
    if not isinstance(last, ForeignPatch):
        return replace(recipe, patches=(*recipe.patches, ForeignPatch(changes)))
    joined = {place: (*last.changes.get(place, ()), *changes.get(place, ())) for place in {**last.changes, **changes}}
    return replace(recipe, patches=(*before, ForeignPatch(joined)))


def _change(patch: Any, strength: float, own: float, part: tuple[int, int, int] | None) -> Change:
    kind, tensors = _read(patch)
    if kind == "set":
        delta: Change = lambda weight: (tensors[0].to(weight) - weight) / (strength or 1.0)  # noqa: E731
    elif kind == "diff":
        delta = lambda weight: weight * 0 if tensors[0] is None else _fitted(tensors[0], weight)  # noqa: E731
    elif kind == "lora":
        delta = _lora(tensors)
    else:
        raise no_member("MODEL", f"add_patches with {kind}", "Lay a LoRA over the model with LoraLoader.")

    def changed(weight: Tensor) -> Tensor:
        found = weight * own
        target = found if part is None else found.narrow(*part)
        return found + strength * delta(target) if part is None else _with_part(found, target, delta, strength, part)

    return changed


def _with_part(found: Tensor, target: Tensor, delta: Change, strength: float, part: tuple[int, int, int]) -> Tensor:
    whole = found.clone()
    whole.narrow(*part).add_(strength * delta(target))
    return whole


def _read(patch: Any) -> tuple[str, tuple[Any, ...]]:
    """Return the kind of a patch and its tensors."""
    if hasattr(patch, "weights") and hasattr(patch, "name"):
        return str(patch.name), tuple(patch.weights)
    if isinstance(patch, Iterable) and not isinstance(patch, str | Tensor):
        items = tuple(patch)
        if len(items) == 1:
            return "diff", items
        if len(items) > 1 and isinstance(items[0], str):
            return items[0], tuple(items[1])
    return type(patch).__name__, ()


def _fitted(diff: Tensor, weight: Tensor) -> Tensor:
    if diff.numel() != weight.numel():
        raise _misfit(tuple(diff.shape), weight)
    return diff.to(weight).reshape(weight.shape)


def _misfit(shapes: object, weight: Tensor) -> ModelError:
    return ModelError(
        "A change of a weight by a node pack does not fit: it is made for another model.",
        got=shapes,
        expected=tuple(weight.shape),
    )


def _lora(tensors: tuple[Any, ...]) -> Change:
    """Return the change of (up, down, alpha, mid, magnitude), of which those at the end may be left out or None."""
    roles = ("up", "down", "alpha", "mid", "magnitude")
    if any(each is not None for each in tensors[len(roles) :]):
        raise no_member("MODEL", "add_patches with a LoRA that gives a weight another shape")
    given = {role: torch.as_tensor(each) for role, each in zip(roles, tensors, strict=False) if each is not None}
    pair = Pair("up", "down", *(role if role in given else None for role in ("alpha", "mid")))
    change = Decomposed(pair, "magnitude") if "magnitude" in given else pair
    infos = {role: TensorInfo("F32", tuple(tensor.shape)) for role, tensor in given.items()}
    file = Weights(Path("a node pack"), {}, infos, given.__getitem__)

    def delta(weight: Tensor) -> Tensor:
        if not change.fits(file, weight.shape):
            raise _misfit(tuple(info.shape for info in infos.values()), weight)
        product, factor = change.added(lambda role: given[role].to(weight), weight)
        return product * factor

    return delta
