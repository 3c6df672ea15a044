"""The package ``comfy_extras``: its modules are imported when they are first named."""

from nodes.packs.names import modules_of

__getattr__ = modules_of(__name__)
