"""The one pool of an engine."""

from pathlib import Path
from typing import cast

import torch

from engine.context import Environment
from engine.errors import SettingError
from engine.settings import Settings
from nodes.machine import memory_bytes
from nodes.models import compiled
from nodes.models.pool import Pool
from nodes.models.precision import Precision
from nodes.recipes import FileRef, LoraModel


def pool(environment: Environment) -> Pool:
    """Build the pool of weights for an engine's settings. Ask for it with ``ctx.use(pool)``.

    Raises:
        SettingError: the device is not there, or nothing to compile with.
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
    if settings.compile:
        compiled.check()
    is_card = settings.device.startswith("cuda")
    card = torch.cuda.get_device_properties(settings.device).total_memory if is_card else 0
    device, host = budgets(settings, card, memory_bytes())
    if is_card and settings.vram:  # the allocator says no beyond it, and the ladder is climbed
        torch.cuda.set_per_process_memory_fraction(min(1.0, settings.vram / card), settings.device)
    return Pool(
        settings.device,
        cast(Precision, settings.precision),
        device,
        locate,
        host,
        bf16=settings.bf16,
        compiled=settings.compile,
        trained=lambda lora: cast(LoraModel, environment.value(bytes.fromhex(lora.digest))),
    )


def budgets(settings: Settings, card: int, machine: int) -> tuple[int, int]:
    """Return the bytes for weights and work on the device, and for weights that are put aside on the host.

    ``card`` and ``machine`` are what there is; ``card`` is 0 where the device has no memory of its own. When nothing is
    set: nine tenths of the card, and half of the machine for what leaves it; without a card three quarters of the
    machine.
    """
    if not card:
        return settings.ram or machine * 3 // 4, 0
    return settings.vram or card * 9 // 10, settings.ram or machine // 2
