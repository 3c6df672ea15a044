"""What tests of files that change a model have in common: the tiny checkpoint and its UNet."""

from pathlib import Path

import pytest

from nodes.models.families import detect
from nodes.models.families.checkpoint import Network
from nodes.models.weights import Weights, open_weights


@pytest.fixture
def base(models: Path) -> Weights:
    return open_weights(models / "checkpoints" / "tiny")


@pytest.fixture
def unet(base: Weights) -> Network:
    network = detect(base).unet
    assert network
    return network
