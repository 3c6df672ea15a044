"""Where and in which precision a training computes, and where its randomness comes from."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch import device as TorchDevice
from torch import dtype as DType

from engine.errors import SettingError

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Device:
    """A device and the dtype that networks compute in there; their weights stay float32."""

    torch: TorchDevice
    dtype: DType

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.torch.type, self.dtype, enabled=self.dtype is not torch.float32)

    def placed(self, pictures: Tensor) -> Tensor:
        """Return pictures or latents (batch, channels, height, width) on the device, in its order of channels."""
        layout = torch.channels_last if self.torch.type == "cuda" else torch.contiguous_format
        return pictures.to(self.torch, memory_format=layout)


def choose(name: str, precision: Precision) -> Device:
    """Return the device of a name such as ``cpu`` or ``cuda:1``; ``auto`` takes a GPU where there is one.

    Raises SettingError where it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"The device {name} can't be used.", got=str(error), hint="Train with --device cpu."
        ) from None
    if precision == "auto":
        precision = "bf16" if _is_fast_in_bf16(device) else "fp32"
    return Device(device, torch.bfloat16 if precision == "bf16" else torch.float32)


def _is_fast_in_bf16(device: torch.device) -> bool:
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Return the randomness of a step. It depends on nothing that happened before, so a resumed run draws the same."""
    (state,) = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state) >> 1)
