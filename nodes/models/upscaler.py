"""Networks that enlarge pictures."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models.weights import Weights


@dataclass(frozen=True, slots=True)
class Upscaler:
    """An upscaler: (B, 3, H, W) in 0 to 1 -> (B, 3, H * scale, W * scale), not clamped.

    ``unused`` are the tensors of its file that have no place in it.
    """

    module: nn.Module
    scale: int
    unused: tuple[str, ...] = ()

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        like = next(self.module.parameters())
        enlarged: Tensor = self.module(pixels.to(like.device, like.dtype))
        return enlarged.float().cpu()


def build_upscaler(weights: Weights, device: torch.device) -> Upscaler:
    """Build an upscaler in float32; its architecture is known by its tensors.

    spandrel is imported here, because it imports torchvision. Raises ModelError where it knows no such architecture.
    """
    import spandrel

    loader, state = spandrel.ModelLoader(device="cpu"), weights.state_dict()
    unused: tuple[str, ...] = ()
    try:
        try:
            found = loader.load_from_state_dict(dict(state))
        except RuntimeError as error:
            unused = tuple(name for name in _unexpected(error) if name in state)
            if not unused:
                raise
            found = loader.load_from_state_dict({name: tensor for name, tensor in state.items() if name not in unused})
    except (spandrel.UnsupportedModelError, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{weights.path.name} is not an upscaler that is known",
            got=str(error).split("\n")[0] or "an unknown architecture",
            expected="ESRGAN, Real-ESRGAN, SwinIR, DAT, HAT or another that spandrel knows",
        ) from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.input_channels != 3:
        raise ModelError(f"{weights.path.name} does not turn a picture into a picture", expected="an upscaler")
    module: nn.Module = found.model
    return Upscaler(module.to(device, torch.float32).eval().requires_grad_(False), found.scale, unused)


def _unexpected(error: RuntimeError) -> list[str]:
    """Return the names of tensors that torch found no place for, from what it says."""
    said = re.search(r"Unexpected key\(s\) in state_dict: (.*?)\.\s*(\n|$)", str(error), re.S)
    return re.findall(r'"([^"]+)"', said[1]) if said else []
