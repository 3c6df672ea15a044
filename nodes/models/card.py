"""The GPU of a pool, as torch finds it."""

import re
from collections.abc import Sequence

import torch

from engine.errors import SettingError

INSTEAD = "Run with --device cpu."


def found(device: str) -> torch.device:
    """Return a device by its name in the settings: ``cuda`` is ``cuda:0``.

    Raises:
        SettingError: torch can't use it.
    """
    wanted = torch.device(device)
    if wanted.type == "cuda":
        wanted = torch.device("cuda", wanted.index or 0)
        _check_there(wanted, device)
        _check_code(wanted)
    elif wanted.type == "mps" and not torch.backends.mps.is_available():
        raise SettingError(
            "The device mps was chosen, and torch can't use it.",
            got=device,
            expected="a Mac with a GPU and a system that this torch supports",
            hint=INSTEAD,
        )
    return wanted


def _check_there(device: torch.device, name: str) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.index >= count:
        raise SettingError(
            f"The device {name} was chosen, and torch can't use it.",
            got=name,
            expected=f"cuda:0 to cuda:{count - 1}" if count else "a GPU and driver that this torch supports",
            hint=INSTEAD,
        )


def _check_code(device: torch.device) -> None:
    """See that this build of torch has code for the GPU; one without fails at the first operation."""
    if torch.version.hip:
        return
    capability, built = torch.cuda.get_device_capability(device), torch.cuda.get_arch_list()
    if not runs(capability, built):
        raise SettingError(
            f"This build of torch has no code for the device {device}, {torch.cuda.get_device_name(device)}.",
            got=f"compute capability {capability[0]}.{capability[1]}",
            expected=", ".join(built),
            hint=f"Install a build of torch that has it. {INSTEAD}",
        )


def runs(capability: tuple[int, int], built: Sequence[str]) -> bool:
    """Tell whether a GPU runs what torch was built for: ``sm_86`` and so on, or ``compute_90`` for what comes later.

    Code for a GPU runs on those of the same major version and the same or a later minor one (CUDA's programming guide).
    """
    for name in built:
        if match := re.match(r"(sm|compute)_(\d+)(\d)", name):
            made_for = int(match[2]), int(match[3])
            is_same = match[1] == "compute" or made_for[0] == capability[0]
            if is_same and made_for <= capability:
                return True
    return False


def limit(device: torch.device, most: int) -> None:
    """Let torch's allocator say no beyond so many bytes of a GPU."""
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, most / total), device)
