"""What the command line gives a theme, at its smallest sizes."""

from argparse import Namespace
from pathlib import Path

import pytest


@pytest.fixture
def quick(tmp_path: Path) -> Namespace:
    return Namespace(quick=True, scratch=tmp_path, device="cpu", full=False, checkpoint=None, pixels=64)
