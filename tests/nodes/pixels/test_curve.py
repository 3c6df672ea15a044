import math
from io import BytesIO

import numpy
import pytest
from PIL import Image

from nodes.pixels.curve import BOTTOM, HEIGHT, LEFT, RAW, RIGHT, SMOOTH, TOP, WIDTH, png, smoothed


def drawn(losses: list[float], colour: str) -> list[tuple[int, int]]:
    """Return where a colour is, as (x, y)."""
    pixels = numpy.asarray(Image.open(BytesIO(png(losses))))
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return [(int(x), int(y)) for y, x in numpy.argwhere((pixels == wanted).all(-1))]


def test_a_curve_falls_from_corner_to_corner() -> None:
    raw = drawn([1.0, 0.0], RAW)
    assert min(raw)[1] == pytest.approx(TOP, abs=4) and max(raw)[1] == pytest.approx(HEIGHT - BOTTOM, abs=4)
    assert min(raw)[0] == pytest.approx(LEFT, abs=8) and max(raw)[0] == WIDTH - RIGHT


def test_the_average_lies_within_the_values() -> None:
    values = [math.sin(step) + 3 for step in range(60)]
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 3.0])[1] == pytest.approx((0.9 * 1 + 3) / 1.9)
    ends = [y for _, y in drawn(values, SMOOTH)]
    assert min(ends) > TOP and max(ends) < HEIGHT - BOTTOM


@pytest.mark.parametrize("losses", [[0.5], [0.0], [0.3, 0.3, 0.3], [1e-9, 1e9], [5.0] * 3000])
def test_every_course_can_be_drawn(losses: list[float]) -> None:
    assert drawn(losses, SMOOTH)
