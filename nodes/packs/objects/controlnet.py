"""CONTROL_NET: a ControlNet, and one at work on a prompt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.base_model import pool
from nodes.packs.objects.members import Members, no_member, unusable
from nodes.packs.objects.pixels import plain
from nodes.recipes import Control
from nodes.recipes import ControlNet as Recipe

if TYPE_CHECKING:
    from nodes.models import control_files
else:
    control_files = lazy("nodes.models.control_files")


class ControlNet(Members):
    """A ControlNet as foreign code knows it: a chain of them lies under ``control`` in the options of a prompt."""

    kind = "CONTROL_NET"

    def __init__(self, recipe: Recipe, at_work: Control | None = None, previous: "ControlNet | None" = None) -> None:
        self.recipe = recipe
        self.at_work = at_work
        self.previous_controlnet = previous

    def copy(self) -> "ControlNet":
        """Return one that can be given a picture of its own."""
        return ControlNet(self.recipe, self.at_work)

    def set_cond_hint(
        self,
        cond_hint: Tensor,
        strength: float = 1.0,
        timestep_percent_range: tuple[float, float] = (0.0, 1.0),
        vae: Any = None,
        extra_concat: Sequence[Any] = (),
    ) -> "ControlNet":
        """Give it a picture (batch, channels, height, width), 0 to 1, and the part of the sampling that it is for."""
        if len(extra_concat):
            raise no_member(self.kind, "set_cond_hint(extra_concat=...)")
        start, end = (float(each) for each in timestep_percent_range)
        self.at_work = Control(self.recipe, plain(cond_hint).movedim(1, -1), float(strength), start, end)
        return self

    def set_extra_arg(self, argument: str, value: Any = None) -> None:
        """Tell a union ControlNet the type of its picture: ``control_type``, a list of its place or an empty one."""
        if argument != "control_type" or len(value or ()) > 1:
            raise no_member(self.kind, f"set_extra_arg({argument!r}, {value!r})")
        type = int(value[0]) if value else None
        known = control_files.types(pool().weights(self.recipe.file))
        if known and type is not None and type >= len(known):
            raise no_member(self.kind, f"set_extra_arg with the type {type} of a union of {len(known)}")
        self.recipe = replace(self.recipe, type=type if known else None)
        if self.at_work:
            self.at_work = replace(self.at_work, net=self.recipe)

    def set_previous_controlnet(self, controlnet: "ControlNet") -> "ControlNet":
        self.previous_controlnet = controlnet
        return self

    @property
    def cond_hint_original(self) -> Tensor | None:
        return self.at_work.image.movedim(-1, 1) if self.at_work else None

    @property
    def strength(self) -> float:
        return self.at_work.strength if self.at_work else 1.0

    @strength.setter
    def strength(self, strength: float) -> None:
        if self.at_work is None:
            raise no_member(self.kind, "strength before set_cond_hint")
        self.at_work = replace(self.at_work, strength=float(strength))

    @property
    def timestep_percent_range(self) -> tuple[float, float]:
        return (self.at_work.start, self.at_work.end) if self.at_work else (0.0, 1.0)

    def get_models(self) -> list[Any]:
        """Return nothing: what a ControlNet needs in memory is the pool's to decide."""
        return []

    def cleanup(self) -> None:
        """Do nothing, for the same reason."""


def controlnet_of(controls: Sequence[Control]) -> ControlNet | None:
    """Return the chain for ControlNets at work; the last of them is its head."""
    head: ControlNet | None = None
    for control in controls:
        head = ControlNet(control.net, control, head)
    return head


def controls_of(head: Any) -> tuple[Control, ...]:
    """Return the ControlNets at work of a chain.

    Raises:
        InputError: one is no ControlNet of ours, or has no picture.
    """
    found: list[Control] = []
    while head is not None:
        if not isinstance(head, ControlNet) or head.at_work is None:
            raise unusable("CONTROL_NET", type(head).__name__, "a ControlNet that was given a picture (set_cond_hint)")
        found.append(head.at_work)
        head = head.previous_controlnet
    return tuple(reversed(found))


def recipe_of(given: ControlNet) -> Recipe:
    """Return the ControlNet alone. Raises NodeFailure where it was given a picture, which CONTROL_NET can't carry."""
    if given.at_work is not None:
        raise no_member("CONTROL_NET", "set_cond_hint on an output", "Put it under control in a CONDITIONING.")
    return given.recipe
