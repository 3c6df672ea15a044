"""The one pool of an engine."""

import os
from pathlib import Path
from typing import cast

import torch

from engine.context import Environment
from engine.errors import SettingError
from nodes.models.pool import Pool
from nodes.models.precision import Precision
from nodes.recipes import FileRef


def pool(environment: Environment) -> Pool:
    """Build the pool of weights for an engine's settings. Ask for it with ``ctx.use(pool)``.

    Raises:
        SettingError: the device is not there.
    """
    settings = environment.settings

    def locate(file: FileRef) -> Path:
        return environment.path(file.folder, file.fingerprint)

    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingError(
            "The device cuda was chosen, and torch can't use it.",
            got=settings.device,
            expected="a GPU and driver that this torch supports",
            hint="Run with --device cpu.",
        )
    return Pool(settings.device, cast(Precision, settings.precision), _budget(environment), locate, bf16=settings.bf16)


def _budget(environment: Environment) -> int:
    """Return how many bytes of weights may stay: what was set, else four fifths of the GPU or half of the memory."""
    settings = environment.settings
    if settings.device.startswith("cuda"):
        return settings.vram or torch.cuda.get_device_properties(settings.device).total_memory * 4 // 5
    return settings.ram or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
