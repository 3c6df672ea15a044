"""Pictures of a latent on its way: the module ``latent_preview``. Our samplers show their own; these are for
packs that sample by themselves."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nodes.packs import current
from nodes.packs.names import progress
from nodes.packs.names.comfy.cli_args import LatentPreviewMethod
from nodes.packs.names.placeholders import absent, members_of

__all__ = [
    "Latent2RGBPreviewer", "LatentPreviewMethod", "LatentPreviewer", "get_previewer", "prepare_callback",
    "set_preview_method",
]  # fmt: skip
__getattr__ = members_of(__name__)

MAX_PREVIEW_RESOLUTION = 512


class LatentPreviewer:
    """Makes a picture of a latent. A pack's own says how in ``decode_latent_to_preview``."""

    def decode_latent_to_preview(self, x0: Any) -> Image.Image:
        """Return the picture of the first latent of a batch."""
        raise absent("latent_preview.LatentPreviewer.decode_latent_to_preview")

    def decode_latent_to_preview_image(self, preview_format: str, x0: Any) -> progress.Shown:
        """Return a picture as progress bars take it: format, picture, most pixels of a side."""
        return preview_format, self.decode_latent_to_preview(x0), MAX_PREVIEW_RESOLUTION


class Latent2RGBPreviewer(LatentPreviewer):
    """Maps channels to colours linearly: a row (red, green, blue) per channel, and what is added to each colour."""

    def __init__(
        self, latent_rgb_factors: Any, latent_rgb_factors_bias: Any = None, latent_rgb_factors_reshape: Any = None
    ) -> None:
        self.factors = torch.as_tensor(latent_rgb_factors, dtype=torch.float32)
        self.bias = torch.as_tensor(latent_rgb_factors_bias or (0, 0, 0), dtype=torch.float32)

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """Return the picture of the first latent (batch, channels, height, width), or of its first frame."""
        first = (x0[0, :, 0] if x0.ndim == 5 else x0[0]).detach().cpu().float()
        colours = torch.einsum("chw,cr->hwr", first, self.factors) + self.bias
        return Image.fromarray(((colours + 1) * 127.5).clamp(0, 255).byte().numpy())


def get_previewer(device: Any, latent_format: Any) -> LatentPreviewer | None:
    """Return what makes pictures of a model's latents; None where its colours are not known."""
    factors = getattr(latent_format, "latent_rgb_factors", None)
    return Latent2RGBPreviewer(factors) if factors else None


def prepare_callback(model: Any, steps: int, x0_output_dict: dict[str, Any] | None = None) -> Any:
    """Return a function for a sampler to call with step, denoised latent, latent and number of steps."""
    context = current.context()
    previewer = get_previewer(None, model.model.latent_format)

    def told(step: int, x0: Any, x: Any, total_steps: int) -> None:
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        shown = previewer.decode_latent_to_preview_image("JPEG", x0) if previewer else None
        progress.report(context, step + 1, total_steps, shown)

    return told


def set_preview_method(override: str | None = None) -> None:
    """Do nothing: who looks decides whether there are previews."""
