"""Tables fit 80 columns and show every figure."""

from io import StringIO

from rich.console import Console

from benchmarks.measure import Timing
from benchmarks.overhead import MODES
from benchmarks.report import Row, show


def shown(*rows: Row) -> str:
    console = Console(file=StringIO(), width=80)
    show(rows, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_graph_theme_has_a_line_per_size_and_a_column_per_way() -> None:
    ways = ("networkx loop", "graphlib loop", *MODES)
    ratios = {"networkx": 1234.5, "graphlib": 2.0}
    rows = [
        Row("overhead", way, Timing(seconds, 1.0, 1.0, 3), "chain", size, size, ratios=ratios if way in MODES else {})
        for size, seconds in ((1_000, 123.456), (10_000, 67.8))
        for way in ways
    ]

    text = shown(*rows)

    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert all(word in text for way in ways for word in way.split())
    assert text.count("123,456") == text.count("6,780") == len(ways) and text.count("(1,234.5)") == 2 * len(MODES)
    assert text.count("x 0.05") == len(ways)


def test_other_themes_have_a_line_per_row_and_a_column_per_rival() -> None:
    timing = Timing(0.25, 0.5, 0.125, 7)
    alone = Row("denoising", "bare UNet, batch of 2", timing, "tiny-portrait.safetensors", 16, 20, note="float32")
    ours = Row("denoising", "our sampler: euler, cfg", timing, "tiny-portrait.safetensors", 16, 20,
               ratios={"bare UNet": 1.0123}, note="float32")  # fmt: skip

    text = shown(alone, ours)

    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert all(part in text for part in ("tiny-portrait.safetensors", "float32", "x bare UNet", "1.01", "12.5 ms"))
