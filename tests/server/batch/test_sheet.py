from pathlib import Path

import pytest
from PIL import Image

from engine.errors import FileError
from server.batch.sheet import LEFT, MARGIN, MISSING, PAPER, SIDE, TEXT, draw_sheet

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture
def root(tmp_path: Path):
    for name, color in (("a.png", RED), ("b.png", BLUE), ("c.png", RED)):
        Image.new("RGB", (16, 8), color).save(tmp_path / name)
    Image.new("RGB", (2 * SIDE, SIDE), RED).save(tmp_path / "large.png")
    return tmp_path


def line(name, **values):
    return {"state": "done", "files": [name] if name else [], "values": values}


def drawn(root, lines, columns=None):
    draw_sheet(root / "sheet.png", lines, root, columns)
    with Image.open(root / "sheet.png") as image:
        return image.convert("RGB")


def test_columns_are_the_last_axis(root):
    lines = [line("a.png", x=1, y=1), line("b.png", x=2, y=1), line("b.png", x=1, y=2), line("c.png", x=2, y=2)]
    image = drawn(root, lines, 2)
    top = TEXT + 2 * MARGIN
    assert image.size == (LEFT + 2 * (16 + MARGIN), top + 2 * (16 + MARGIN))
    found = [image.getpixel((LEFT + x * 24 + 5, top + y * 24 + 5)) for y in range(2) for x in range(2)]
    assert found == [RED, BLUE, BLUE, RED]
    heads, sides = image.crop((LEFT, 0, image.width, top)), image.crop((0, top, LEFT, image.height))
    assert heads.getextrema()[0][0] < 100 and sides.getextrema()[0][0] < 100


def test_other_rows_fill_a_square_with_labels(root):
    image = drawn(
        root, [line("a.png", x=1), line("b.png", x=2), line(None, x=3), {"state": "failed", "values": {"x": 4}}]
    )
    step, down = 16 + MARGIN, 16 + 3 * MARGIN + TEXT
    assert image.size == (MARGIN + 2 * step, MARGIN + 2 * down)
    assert [image.getpixel((MARGIN + 5, MARGIN + 5)), image.getpixel((MARGIN + step + 5, MARGIN + 5))] == [RED, BLUE]
    assert image.getpixel((MARGIN + 1, MARGIN + down + 1)) == MISSING
    assert image.getpixel((image.width - 1, image.height - 1)) == PAPER


def test_large_pictures_become_small(root):
    assert drawn(root, [line("large.png")]).width == MARGIN + SIDE + MARGIN


def test_a_sheet_that_is_too_large_or_has_no_suffix(root, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(FileError, match="272 x 302 pixels"):
        patch.setattr("server.batch.sheet.LARGEST", 272 * 302 - 1)
        draw_sheet(root / "sheet.png", [line("large.png")], root, None)
    with pytest.raises(FileError, match="no suffix"):
        draw_sheet(root / "sheet", [line("a.png")], root, None)
    with pytest.raises(FileError, match="can't be written"):
        draw_sheet(root / "a.png" / "sheet.png", [line("a.png")], root, None)
