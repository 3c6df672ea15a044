from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from nodes.training.export import export
from nodes.training.parts import Design, build, load, resized
from tests.nodes.models import tiny as models
from tests.nodes.training import tiny


def test_a_seed_decides_the_start() -> None:
    before = torch.get_rng_state()
    first, same, other = (build(tiny.DESIGN, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.unet.conv_in.weight, same.unet.conv_in.weight)
    assert not torch.equal(first.unet.conv_in.weight, other.unet.conv_in.weight)


def test_the_default_design_fits_into_twenty_megabytes(tmp_path: Path) -> None:
    export(tmp_path / "model.safetensors", build(replace(Design(), scale=1.0), 0), torch.zeros(4, 3), "default")
    assert (tmp_path / "model.safetensors").stat().st_size < 20e6
    assert load(tmp_path / "model.safetensors").design == replace(Design(), scale=1.0)


def test_sizes_that_the_networks_can_take() -> None:
    assert resized(Design(), None).size == 128
    assert resized(Design(), 64).size == 64
    with pytest.raises(ModelError, match="this size") as caught:
        resized(Design(), 100)
    assert caught.value.expected == "a multiple of 32"


def test_a_file_without_a_unet_is_refused(tmp_path: Path) -> None:
    tensors = {name: t for name, t in models.tensors().items() if name.startswith("first_stage_model.")}
    models.write(tmp_path / "vae.safetensors", tensors)
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        load(tmp_path / "vae.safetensors")
