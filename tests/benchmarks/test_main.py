"""The whole programme at its smallest sizes: what it lists, not how fast."""

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.graphs import SHAPES
from benchmarks.overhead import MODES, QUICK_SIZES
from benchmarks.rivals import RIVALS


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    main(["--quick", "--only", "overhead", "--results", str(folder)])
    return folder


def test_every_shape_size_and_mode_has_a_row(results: Path) -> None:
    rows = json.loads((results / "latest.json").read_text())["rows"]

    names = {*(f"{name} loop" for name in RIVALS), *MODES}
    expected = {
        (shape, len(draw(size)), name) for shape, draw in SHAPES.items() for size in QUICK_SIZES for name in names
    }
    assert {(row["shape"], row["size"], row["name"]) for row in rows} == expected


@pytest.mark.parametrize(
    ("mode", "ran"),
    [
        ("first run", 50),
        ("remembered", 0),
        ("remembered, new process", 0),
        ("changed at the sink", 1),
        ("changed in the middle", 25),
    ],
)
def test_what_ran_in_a_chain_of_fifty(results: Path, mode: str, ran: int) -> None:
    rows = json.loads((results / "latest.json").read_text())["rows"]

    (row,) = (row for row in rows if (row["shape"], row["size"], row["name"]) == ("chain", 50, mode))
    assert row["note"] == f"{ran} ran"
    assert row["ratios"].keys() == {"networkx", "graphlib"}


def test_the_plot_is_a_picture(results: Path) -> None:
    with Image.open(results / "overhead.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height
