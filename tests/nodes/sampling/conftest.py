import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def reference():
    """The reference folder, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[4] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference folder at {folder} (LOOMIS_REFERENCE)")
    return folder


@pytest.fixture(autouse=True)
def global_generator_untouched():
    """Nothing in sampling may draw from torch's global generator."""
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state())
