"""The one pool of an engine."""

from pathlib import Path
from typing import cast

import torch

from engine.context import Environment
from engine.settings import Settings
from nodes.machine import memory_bytes
from nodes.models import card, compiled
from nodes.models.pool import Pool
from nodes.models.precision import Precision
from nodes.recipes import FileRef, LoraModel


def pool(environment: Environment) -> Pool:
    """Build the pool of weights for an engine's settings. Ask for it with ``ctx.use(pool)``.

    Raises:
        SettingError: the device can't be used, or there is nothing to compile with.
    """
    settings = environment.settings

    def locate(file: FileRef) -> Path:
        return environment.path(file.folder, file.fingerprint)

    device = card.found(settings.device)
    if settings.compile:
        compiled.check()
    is_card = device.type == "cuda"
    total = torch.cuda.get_device_properties(device).total_memory if is_card else 0
    budget, host = budgets(settings, total, memory_bytes())
    if is_card and settings.vram:  # the allocator says no beyond it, and the ladder is climbed
        card.limit(device, settings.vram)
    if is_card and settings.precision == "fp32":
        torch.backends.cudnn.allow_tf32 = False  # else convolutions round what they multiply to 10 bits
    return Pool(
        str(device),
        cast(Precision, settings.precision),
        budget,
        locate,
        host,
        bf16=settings.bf16,
        compiled=settings.compile,
        trained=lambda lora: cast(LoraModel, environment.value(bytes.fromhex(lora.digest))),
    )


def budgets(settings: Settings, total: int, machine: int) -> tuple[int, int]:
    """Return the bytes for weights and work on the device, and for weights that are put aside on the host.

    ``total`` and ``machine`` are what there is; ``total`` is 0 where the device has no memory of its own. When nothing
    is set: nine tenths of the card, and half of the machine for what leaves it; without a card three quarters of the
    machine.
    """
    if not total:
        return settings.ram or machine * 3 // 4, 0
    return settings.vram or total * 9 // 10, settings.ram or machine // 2
