"""The scales of latents: the module ``comfy.latent_formats``. Those of families that Loomis lacks are placeholders."""

from nodes.models.families import sd1, sdxl
from nodes.packs.names.placeholders import members_of
from nodes.packs.objects.base_model import LatentFormat

__all__ = ["SD15", "SDXL", "LatentFormat"]
__getattr__ = members_of(__name__)


class SD15(LatentFormat):
    """The latents of Stable Diffusion 1 and 2."""

    def __init__(self) -> None:
        super().__init__(sd1.LATENT)


class SDXL(LatentFormat):
    """The latents of SDXL."""

    def __init__(self) -> None:
        super().__init__(sdxl.LATENT)
