"""Networks that enlarge pictures."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models.families.kinds import looks_like
from nodes.models.weights import Weights


@dataclass(frozen=True, slots=True)
class Upscaler:
    """An upscaler: (B, 3, H, W) in 0 to 1 -> (B, 3, H * scale, W * scale), clamped to 0 to 1.

    ``call`` fills pictures up to sizes that the ``module`` takes. ``unused`` are the tensors of its file that have no
    place in it.
    """

    module: nn.Module
    call: Callable[[Tensor], Tensor]
    scale: int
    unused: tuple[str, ...] = ()

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        like = next(self.module.parameters())
        enlarged = self.call(pixels.to(like.device, like.dtype))
        return enlarged.clone().float().cpu()  # what spandrel made is not to be used beyond its call


def check(weights: Weights) -> None:
    """Raise ModelError where weights are of no upscaler that is known. Reads names and shapes only."""
    import spandrel

    state = spandrel.canonicalize_state_dict(weights.state_dict())
    if not any(known.detect(state) for known in spandrel.MAIN_REGISTRY.architectures("detection")):
        raise _not_known(weights, looks_like(weights))


def build_upscaler(weights: Weights, device: torch.device) -> Upscaler:
    """Build an upscaler in float32; its architecture is known by its tensors.

    spandrel is imported here, because it imports torchvision. Raises ModelError where it knows no such architecture.
    """
    import spandrel

    check(weights)
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
    except Exception as error:  # networks raise what they like for weights of another build
        raise _not_known(weights, str(error).split("\n")[0]) from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.input_channels != 3:
        raise ModelError(
            f"{weights.path.name} does not turn a picture into a picture",
            got=f"{found.architecture.name} with {found.input_channels} channels",
            expected="an upscaler of pictures with 3 channels",
            hint="choose another upscaler",
        )
    module: nn.Module = found.model.to(device, torch.float32).eval().requires_grad_(False)
    return Upscaler(module, found, found.scale, unused)


def _not_known(weights: Weights, got: str) -> ModelError:
    return ModelError(
        f"{weights.path.name} is not an upscaler that is known",
        got=got or "an unknown architecture",
        expected="ESRGAN, Real-ESRGAN, SwinIR, DAT, HAT or another that spandrel knows",
        hint="choose another file, or the node that loads this kind",
    )


def _unexpected(error: RuntimeError) -> list[str]:
    """Return the names of tensors that torch found no place for, from what it says."""
    said = re.search(r"Unexpected key\(s\) in state_dict: (.*?)\.\s*(\n|$)", str(error), re.S)
    return re.findall(r'"([^"]+)"', said[1]) if said else []
