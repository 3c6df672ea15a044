from io import BytesIO

import pytest
from PIL import Image, PngImagePlugin

from engine.errors import FileError
from server.files.errors import FileTooLarge
from server.files.pictures import masked, thumbnail


def png(picture, **options) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def read(data: bytes):
    with Image.open(BytesIO(data)) as picture:
        picture.load()
    return picture


def test_a_thumbnail_is_small_and_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "red").save(tmp_path / "a.jpg", exif=exif)
    small = read(thumbnail(tmp_path / "a.jpg", 100))
    assert (small.format, small.size) == ("WEBP", (50, 100))
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert read(thumbnail(tmp_path / "a.png", 100)).getpixel((5, 5))[3] == 0


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"GIF89a", png(Image.effect_noise((50, 50), 90))[:600]])
def test_what_is_no_whole_picture_has_none(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(FileError, match="no whole picture"):
        thumbnail(tmp_path / "a.png", 100)


@pytest.mark.parametrize("side", [9_001, 30_000])
def test_a_decompression_bomb_is_refused_before_it_is_read(tmp_path, side):
    header = bytearray(png(Image.new("L", (1, 1))))
    header[16:24] = side.to_bytes(4, "big") * 2
    from zlib import crc32

    header[29:33] = crc32(header[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(header)
    with pytest.raises(FileTooLarge):
        thumbnail(tmp_path / "bomb.png", 100)


def test_a_mask_is_drawn_into_the_original_and_nothing_else_is(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", '{"1": {}}')
    (tmp_path / "a.png").write_bytes(png(Image.new("RGB", (4, 3), "red"), pnginfo=texts))
    evil = PngImagePlugin.PngInfo()
    evil.add_text("evil", "<script>")
    drawn = Image.new("RGBA", (4, 3), (0, 255, 0, 255))
    drawn.putpixel((1, 1), (0, 0, 0, 7))
    made = masked(tmp_path / "a.png", png(drawn, pnginfo=evil) + b"trailing")
    assert b"evil" not in made and b"trailing" not in made
    picture = read(made)
    assert picture.getpixel((0, 0)) == (255, 0, 0, 255)
    assert picture.getpixel((1, 1)) == (255, 0, 0, 7)
    assert picture.info["prompt"] == '{"1": {}}'


@pytest.mark.parametrize("mask", [Image.new("RGBA", (4, 4)), Image.new("RGB", (4, 3))])
def test_a_mask_that_does_not_fit(tmp_path, mask):
    (tmp_path / "a.png").write_bytes(png(Image.new("RGB", (4, 3))))
    with pytest.raises(FileError, match="does not fit"):
        masked(tmp_path / "a.png", png(mask))
