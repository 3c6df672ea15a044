from itertools import product

import pytest
import torch

from engine.errors import SettingError
from engine.settings import Settings
from nodes.models.precision import Policy, policy

F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_a_cpu_computes_in_float32_with_rounded_text_weights(precision: str) -> None:
    assert policy(precision, "cpu", True) == Policy((F32,), (F32,), (F16, F32), (F32,))  # type: ignore[arg-type]


def test_a_gpu_computes_the_unet_in_fp16() -> None:
    assert policy("auto", "cuda", True) == Policy((F16,), (BF16,), (F16,), (BF16,))
    assert policy("auto", "cuda", False) == Policy((F16,), (F32,), (F16,), (F32,))
    assert policy("fp32", "cuda", True) == Policy((F32,), (F32,), (F16,), (F32,))


def test_bf16_is_a_choice() -> None:
    assert policy("bf16", "cpu", True) == Policy((BF16,), (BF16,), (F16, F32), (BF16,))


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(SettingError, match="not for CPUs"):
        policy("fp16", "cpu", True)


def test_settings_have_one_profile_exactly_where_they_have_one_policy() -> None:
    """The profile is in the keys, without torch; the policy is what numbers are computed with."""
    found: dict[tuple[str, ...], set[tuple[str, Policy]]] = {}
    for device, precision, bf16 in product(("cpu", "cuda", "mps"), ("auto", "fp32", "bf16", "fp16"), (True, False)):
        if (device, precision) != ("cpu", "fp16"):
            profile = Settings(device, precision, bf16=bf16).profile
            found.setdefault(profile, set()).add((device, policy(precision, device, bf16)))  # type: ignore[arg-type]
    assert all(len(policies) == 1 for policies in found.values())
    assert len({next(iter(policies)) for policies in found.values()}) == len(found)
