"""The package ``comfy_extras.chainner_models``, which older packs import."""

from nodes.packs.names import modules_of

__getattr__ = modules_of(__name__)
