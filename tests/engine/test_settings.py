"""The profile names what numbers depend on, and no more."""

import pytest

from engine.settings import Settings


def test_the_profile_has_what_numbers_depend_on():
    given = Settings(device="cuda:1", precision="fp16", runtime="torch 2")
    assert given.profile == ("cuda", "fp16", "next-seed", "torch 2")
    assert Settings(device="cuda:1").profile == Settings(device="cuda:0", ram=5).profile != Settings().profile


@pytest.mark.parametrize(("device", "precision"), [("cpu", "fp32"), ("cuda", "fp16"), ("mps", "fp16")])
def test_auto_is_what_it_comes_to(device: str, precision: str):
    assert Settings(device).profile == Settings(device, precision).profile


def test_bf16_counts_where_it_makes_a_difference():
    assert Settings("cuda", bf16=False).profile != Settings("cuda").profile
    assert Settings("cuda", "fp32", bf16=False).profile == Settings("cuda", "fp32").profile
    assert Settings("cuda", "bf16", bf16=False).profile == Settings("cuda", "bf16").profile
    assert Settings("cpu", bf16=False).profile == Settings("cpu").profile
