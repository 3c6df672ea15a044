"""The version of ComfyUI whose surface is answered, for packs that look at it."""

__version__ = "0.3.64"
