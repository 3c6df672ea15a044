"""Pictures of a latent on its way: the module ``latent_preview``. Our samplers show their own."""

from typing import Any

from PIL import Image

from nodes.packs import current
from nodes.packs.names import progress
from nodes.packs.names.comfy.cli_args import LatentPreviewMethod
from nodes.packs.names.placeholders import absent, members_of

__all__ = ["LatentPreviewMethod", "LatentPreviewer", "get_previewer", "prepare_callback", "set_preview_method"]
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


def get_previewer(device: Any, latent_format: Any) -> None:
    """Return no previewer: packs that sample on their own show no pictures."""
    return


def prepare_callback(model: Any, steps: int, x0_output_dict: dict[str, Any] | None = None) -> Any:
    """Return a function for a sampler to call with step, denoised latent, latent and number of steps."""
    context = current.context()

    def told(step: int, x0: Any, x: Any, total_steps: int) -> None:
        if x0_output_dict is not None:
            x0_output_dict["x0"] = x0
        progress.report(context, step + 1, total_steps)

    return told


def set_preview_method(override: str | None = None) -> None:
    """Do nothing: who looks decides whether there are previews."""
