"""Loading a checkpoint of full size: no tensor is read twice, and memory holds its weights and little else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nodes.models import families
from nodes.models.weights import open_weights
from tests.parity.cases import MODELS, REFERENCE, make_model
from tests.parity.first_picture import STATUS

NAME = "checkpoints/sd15.safetensors"
MORE = 2 * 2**30
"""Bytes that the first picture may take beside the weights."""


LITTLE = 1.5
"""GiB for models and their work: less than half of the UNet in fp32, and enough for the VAE and for its work."""

LIBRARIES = 2**30
"""Bytes that the process has for torch and its like."""

pytestmark = [
    pytest.mark.reference,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not STATUS.exists(), reason="reads the process's memory as Linux tells it"),
]


def made(*budget: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.parity.first_picture", Path(NAME).name, *budget]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    if not (REFERENCE / "parity" / "make_checkpoint.py").exists():
        pytest.skip(f"no generator of checkpoints in {REFERENCE}")
    make_model(NAME)
    return made()


def test_the_first_picture_takes_its_weights_and_two_gib(plain):
    weights = open_weights(MODELS / NAME)
    held = {name for network in families.detect(weights).networks for name in network.keys.values()}
    assert {name for name, count in plain["reads"].items() if count > 1} == set()
    assert {*plain["reads"]} == {name for name in held if not name.endswith("position_ids")}
    assert plain["peak"] <= sum(weights.infos[name].numbers * 4 for name in held) + MORE
    assert plain["told"] == []


def test_a_network_that_does_not_fit_gives_the_same_picture(plain):
    low = made(str(LITTLE))
    assert "of the diffusion network come in" in " ".join(low["told"])
    assert low["picture"] == plain["picture"]
    assert low["peak"] <= LITTLE * 2**30 + LIBRARIES
