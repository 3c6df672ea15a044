"""What the command line gives a theme, at its smallest sizes."""

import gc
from argparse import Namespace
from pathlib import Path

import pytest


@pytest.fixture
def quick(tmp_path: Path) -> Namespace:
    return Namespace(quick=True, scratch=tmp_path, device="cpu", full=False, checkpoint=None, pixels=64)


@pytest.fixture(scope="package", autouse=True)
def settled() -> None:
    """Garbage is collected before each call that is timed: let that not look through what other tests left."""
    gc.collect()
    gc.freeze()
