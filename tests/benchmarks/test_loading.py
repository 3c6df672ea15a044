"""The checkpoint node and the UNet are measured on the embedded model, and on a large one where it can be made."""

from argparse import Namespace

import pytest

from benchmarks.checkpoints import GENERATOR, embedded
from benchmarks.loading import measure


@pytest.mark.skipif(GENERATOR.exists(), reason="what the reference folder's generator makes takes seconds")
def test_without_a_reference_folder_the_embedded_model_is_measured(quick: Namespace) -> None:
    rows = list(measure(quick))

    assert [row.name for row in rows] == ["16 MB, read whole", "checkpoint node", "UNet, ready for use"]
    assert {row.shape for row in rows} == {embedded().name}


@pytest.mark.reference
def test_a_large_checkpoint_is_measured_too(quick: Namespace) -> None:
    rows = list(measure(quick))

    assert [(row.name, row.shape) for row in rows[3:]] == [
        ("524 MB, read whole", "sd15-mini.safetensors"),
        ("checkpoint node", "sd15-mini.safetensors"),
    ]
    assert rows[4].ratios["whole file"] < 1
