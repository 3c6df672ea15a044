"""Draw engine overhead per node over the size of the graph, one panel a shape, both axes logarithmic."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.report import Row

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#999999", "#56b4e9")
PANEL, LEFT, RIGHT, TOP, BOTTOM = 420, 70, 20, 40, 50
LEGEND = 24
Point = tuple[float, float]


class Axis:
    """Maps a range of values to pixels by their logarithm; ``ticks`` are its powers of ten."""

    def __init__(self, values: Sequence[float], start: int, end: int) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a PNG of the rows that have a shape and a size. Values at or below zero are left out."""
    points = [row for row in rows if row.each > 0]
    names = list(dict.fromkeys(row.name for row in points))
    shapes = list(dict.fromkeys(row.shape for row in points))
    height = TOP + PANEL + BOTTOM
    picture = Image.new("RGB", (len(shapes) * (LEFT + PANEL + RIGHT), height + LEGEND * len(names)), "white")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(14)
    y = Axis([row.each * 1e6 for row in points], TOP + PANEL, TOP)
    for index, shape in enumerate(shapes):
        left = LEFT + index * (LEFT + PANEL + RIGHT)
        x = Axis([row.size for row in points], left, left + PANEL)
        _frame(pen, font, f"{shape}: overhead per node (us) over nodes", x, y)
        for name, colour in zip(names, COLOURS, strict=False):
            line = [(x(row.size), y(row.each * 1e6)) for row in points if (row.shape, row.name) == (shape, name)]
            _line(pen, line, colour)
    for index, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        top = height + LEGEND * index
        pen.line([(LEFT, top), (LEFT + 40, top)], fill=colour, width=3)
        pen.text((LEFT + 50, top), name, fill="black", font=font, anchor="lm")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def _frame(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, title: str, x: Axis, y: Axis
) -> None:
    for tick in x.ticks:
        pen.line([(x(tick), y.start), (x(tick), y.end)], fill="#dddddd")
        pen.text((x(tick), y.start + 6), f"{tick:,.0f}", fill="black", font=font, anchor="mt")
    for tick in y.ticks:
        pen.line([(x.start, y(tick)), (x.end, y(tick))], fill="#dddddd")
        pen.text((x.start - 6, y(tick)), f"{tick:,g}", fill="black", font=font, anchor="rm")
    pen.text(((x.start + x.end) / 2, TOP / 2), title, fill="black", font=font, anchor="mm")


def _line(pen: ImageDraw.ImageDraw, points: Sequence[Point], colour: str) -> None:
    pen.line(points, fill=colour, width=3)
    for x, y in points:
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
