"""The families of models: the module ``comfy.supported_models``. Those that Loomis does not have are placeholders."""

from nodes.packs.names.placeholders import members_of
from nodes.packs.objects.base_model import SD15, SD20, SDXL, SDXLRefiner

__all__ = ["SD15", "SD20", "SDXL", "SDXLRefiner"]
__getattr__ = members_of(__name__)
