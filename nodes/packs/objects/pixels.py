"""Pictures and masks as foreign code gives them, made into what IMAGE and MASK are."""

from typing import TYPE_CHECKING, Any

from engine.types import Tensor
from nodes.lazy import lazy
from nodes.packs.objects.members import unusable

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor as float32 on the CPU, without gradients, that other code may work on."""
    found = tensor.detach().to("cpu", torch.float32)
    return found.clone() if found.is_inference() else found


def image(given: Any) -> Tensor:
    """Return pictures (batch, height, width, channels) of what a foreign node gave as an IMAGE.

    One picture without a batch and a list of pictures of one size become a batch; grey becomes three channels.

    Raises:
        InputError: it is something else.
    """
    if isinstance(given, list | tuple) and given:
        parts = [image(each) for each in given]
        if len({part.shape[1:] for part in parts}) > 1:
            raise unusable("IMAGE", [tuple(part.shape) for part in parts], "pictures of one size")
        return torch.cat(parts)
    if not torch.is_tensor(given) or given.ndim not in (3, 4):
        raise unusable("IMAGE", _described(given), "a tensor (batch, height, width, channels)")
    found = plain(given)
    found = found[None] if found.ndim == 3 else found
    return found.repeat(1, 1, 1, 3) if found.shape[-1] == 1 else found


def mask(given: Any) -> Tensor:
    """Return masks (batch, height, width) of what a foreign node gave as a MASK.

    One mask without a batch, a list of masks of one size and masks with one channel become a batch.

    Raises:
        InputError: it is something else.
    """
    if isinstance(given, list | tuple) and given:
        parts = [mask(each) for each in given]
        if len({part.shape[1:] for part in parts}) > 1:
            raise unusable("MASK", [tuple(part.shape) for part in parts], "masks of one size")
        return torch.cat(parts)
    if not torch.is_tensor(given) or given.ndim not in (2, 3, 4):
        raise unusable("MASK", _described(given), "a tensor (batch, height, width)")
    found = plain(given)
    if found.ndim == 2:
        return found[None]
    if found.ndim == 4:
        if 1 not in (found.shape[1], found.shape[-1]):
            raise unusable("MASK", tuple(found.shape), "a tensor (batch, height, width)")
        return found[:, 0] if found.shape[1] == 1 else found[..., 0]
    return found


def _described(given: Any) -> str:
    return f"a tensor of shape {tuple(given.shape)}" if torch.is_tensor(given) else type(given).__name__
