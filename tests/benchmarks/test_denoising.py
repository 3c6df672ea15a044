"""Both kinds of steps are measured on each model."""

from argparse import Namespace

from benchmarks.checkpoints import embedded
from benchmarks.denoising import measure


def test_each_model_is_measured_with_the_sampler_and_bare(quick: Namespace) -> None:
    quick.checkpoint = embedded()

    rows = list(measure(quick))

    assert [(row.name, row.size, row.count) for row in rows] == [
        ("bare UNet, batch of 2", 16, 2),
        ("our sampler: euler, cfg", 16, 2),
        ("bare UNet, batch of 2", 8, 3),
        ("our sampler: euler, cfg", 8, 3),
    ]
    assert all(row.ratios["bare UNet"] > 0 for row in rows[1::2])
