"""Upscalers made of weights: the module ``comfy_extras.chainner_models.model_loading``."""

from typing import Any

from nodes.packs.names.loaded import file_of, load, name_of
from nodes.packs.names.placeholders import members_of

__getattr__ = members_of(__name__)


def load_state_dict(state_dict: Any) -> Any:
    """Return the upscaler of weights that were loaded from a file.

    Raises:
        InputError: they are not as they are in the file.
    """
    return load("UpscaleModelLoader", name_of(("upscale_models",), file_of(state_dict, "an upscaler")))[0]
