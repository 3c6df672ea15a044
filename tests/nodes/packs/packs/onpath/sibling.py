"""Loaded by its relative name."""

import comfy.utils  # noqa: F401
