"""CLIP_VISION, what it sees, and STYLE_MODEL."""

from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.members import Members, context, unusable
from nodes.packs.objects.pixels import image as pictures
from nodes.packs.objects.pixels import plain
from nodes.recipes import ClipVision, ClipVisionOutput
from nodes.recipes import StyleModel as StyleRecipe

if TYPE_CHECKING:
    import torch

    from nodes.models import service
else:
    torch = lazy("torch")
    service = lazy("nodes.models.service")


class Output(Members):
    """What an image encoder made of pictures, by the names that foreign code has for it; also as ``output["name"]``."""

    kind = "CLIP_VISION_OUTPUT"

    def __init__(
        self,
        image_embeds: Tensor | None = None,
        last_hidden_state: Tensor | None = None,
        penultimate_hidden_states: Tensor | None = None,
    ) -> None:
        given = {
            "image_embeds": image_embeds,
            "last_hidden_state": last_hidden_state,
            "penultimate_hidden_states": penultimate_hidden_states,
        }
        for name, value in given.items():
            if value is not None:
                setattr(self, name, value)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)


def output(found: ClipVisionOutput) -> Output:
    return Output(found.embeds, found.last, found.penultimate)


def output_of(given: Any) -> ClipVisionOutput:
    """Return what an image encoder saw, of any object that has it by the usual names.

    Raises:
        InputError: it has not.
    """
    embeds = getattr(given, "image_embeds", None)
    if not torch.is_tensor(embeds):
        raise unusable("CLIP_VISION_OUTPUT", type(given).__name__, "an object with image_embeds")
    last, penultimate = (getattr(given, name, None) for name in ("last_hidden_state", "penultimate_hidden_states"))
    states = (torch.empty(0) if each is None else plain(each) for each in (last, penultimate))
    return ClipVisionOutput(plain(embeds), *states)


class ClipVisionModel(Members):
    """An image encoder."""

    kind = "CLIP_VISION"

    def __init__(self, recipe: ClipVision) -> None:
        self.recipe = recipe

    def encode_image(self, image: Tensor, crop: bool = True) -> Output:
        """Encode pictures (batch, height, width, channels); those that are not square are cut, or else squeezed."""
        return output(context().use(service.pool).image_encoder(self.recipe)(pictures(image), bool(crop)))


class StyleModel(Members):
    """A network that turns what an image encoder saw into tokens of a prompt."""

    kind = "STYLE_MODEL"

    def __init__(self, recipe: StyleRecipe) -> None:
        self.recipe = recipe

    def get_cond(self, input: Any) -> Tensor:
        """Return tokens (batch, tokens, width) for what an image encoder saw."""
        adapter = context().use(service.pool).style_model(self.recipe)
        seen = plain(input.last_hidden_state).to(next(adapter.parameters()).device)
        return adapter(seen).cpu()
