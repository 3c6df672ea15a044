"""Loading a checkpoint of full size: no tensor is read twice, and memory holds its weights and little else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nodes.models import families
from nodes.models.weights import open_weights
from tests.parity.cases import MODELS, REFERENCE, make_model
from tests.parity.first_picture import STATUS

NAME = "checkpoints/sd15.safetensors"
MORE = 2 * 2**30
"""Bytes that the first picture may take beside the weights."""


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not STATUS.exists(), reason="reads the process's memory as Linux tells it")
def test_the_first_picture_takes_its_weights_and_two_gib():
    if not (REFERENCE / "parity" / "make_checkpoint.py").exists():
        pytest.skip(f"no generator of checkpoints in {REFERENCE}")
    make_model(NAME)
    command = [sys.executable, "-m", "tests.parity.first_picture", Path(NAME).name]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    weights = open_weights(MODELS / NAME)
    held = {name for network in families.detect(weights).networks for name in network.keys.values()}
    assert {name for name, count in made["reads"].items() if count > 1} == set()
    assert held == {*made["reads"]}
    assert made["peak"] <= sum(weights.infos[name].numbers * 4 for name in held) + MORE
