"""In which dtype weights are kept: chosen once, by the device and what the user asks for."""

from dataclasses import dataclass
from typing import Literal

import torch

from engine.errors import SettingError

Precision = Literal["auto", "fp32", "bf16", "fp16"]

Casts = tuple[torch.dtype, ...]
"""The dtypes that a weight is cast to, one after the other."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The casts of each kind of network. The last dtype is the one that is kept.

    ``transformer`` is for diffusion transformers and ``t5`` for T5, which keep their matrices as narrow as their files
    have them: at most in the first dtype, and compute in the last.
    """

    unet: Casts
    vae: Casts
    text: Casts
    transformer: Casts
    t5: Casts = (torch.float16, torch.float32)


def policy(precision: Precision, device: str, has_bf16: bool) -> Policy:
    """Return the policy for a device (``cpu``, ``cuda``, ...) that does or does not compute in bf16.

    Text weights are always rounded to fp16 and computed in float32, as in the files that people's pictures come from;
    on the CPU they are kept as float32. fp16 on a CPU is refused: it is slow and no one's picture. Diffusion
    transformers were trained in bf16, and some of their numbers are too large for fp16: they work in bf16 in its place.
    """
    on_cpu = device == "cpu"
    if on_cpu and precision == "fp16":
        raise SettingError("fp16 is not for CPUs", got="fp16", expected="auto, fp32 or bf16")
    text = (torch.float16, torch.float32) if on_cpu else (torch.float16,)
    small = torch.bfloat16 if has_bf16 else torch.float32
    match precision:
        case "fp32":
            return Policy((torch.float32,), (torch.float32,), text, (torch.float32,))
        case "bf16":
            return Policy((torch.bfloat16,), (torch.bfloat16,), text, (torch.bfloat16,))
        case "fp16":
            return Policy((torch.float16,), (small,), text, (small,))
    return policy("fp32" if on_cpu else "fp16", device, has_bf16)
