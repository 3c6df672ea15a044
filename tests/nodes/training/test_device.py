import pytest
import torch

from engine.errors import SettingError
from nodes.training.device import choose, generator


def test_a_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SettingError, match="nonsense"):
        choose("nonsense", "auto")


def test_precision() -> None:
    assert choose("cpu", "fp32").dtype is torch.float32
    device = choose("cpu", "bf16")
    a = torch.ones(2, 2)
    with device.autocast():
        assert (a @ a).dtype is torch.bfloat16
    with choose("cpu", "fp32").autocast():
        assert (a @ a).dtype is torch.float32


def test_randomness_of_a_step_is_its_own() -> None:
    cpu = torch.device("cpu")
    drawn = [torch.rand(4, generator=generator(*which, cpu)) for which in ((1, 2), (1, 2), (2, 1), (1, 3))]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])
