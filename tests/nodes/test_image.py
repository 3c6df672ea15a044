import struct
import zlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import FileError
from engine.folders import Folders
from nodes.image import (
    check_prefix,
    empty_image,
    image_batch,
    image_scale,
    image_scale_by,
    image_scale_to_max_dimension,
    image_scale_to_total_pixels,
    load_image,
    load_image_output,
    preview_image,
    save_image,
    save_image_websocket,
)
from tests.nodes.calls import context

GRID = np.array([[[255, 0, 51], [0, 102, 255]]], dtype=np.uint8)
"""One row of two colours."""


@pytest.fixture
def ctx(tmp_path):
    return context(Folders(input=tmp_path))


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_colours_are_divided_by_255_and_the_mask_is_empty(ctx, tmp_path):
    Image.fromarray(GRID).save(tmp_path / "a.png")
    image, mask = load_image(ctx, "a.png")
    assert torch.equal(image, torch.from_numpy(GRID).float()[None] / 255)
    assert image.dtype == mask.dtype == torch.float32
    assert torch.equal(mask, torch.zeros(1, 64, 64))


def test_the_mask_is_where_the_picture_is_transparent(ctx, tmp_path):
    alpha = np.array([[[255], [51]]], dtype=np.uint8)
    Image.fromarray(np.concatenate([GRID, alpha], -1)).save(tmp_path / "a.png")
    image, mask = load_image(ctx, "a.png")
    assert torch.equal(image, torch.from_numpy(GRID).float()[None] / 255)
    assert torch.allclose(mask, torch.tensor([[[0, 0.8]]]))


def test_a_palette_with_transparency_has_a_mask(ctx, tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png", transparency=1)
    image, mask = load_image(ctx, "a.png")
    assert image.tolist() == [[[[1, 0, 0], [0, 0, 1]]]]
    assert mask.tolist() == [[[0, 1]]]


def test_sixteen_bits_of_grey_are_kept(ctx, tmp_path):
    Image.fromarray(np.array([[0, 1000, 65535]], dtype=np.uint16)).save(tmp_path / "a.png")
    image, mask = load_image(ctx, "a.png")
    assert torch.allclose(image[0, 0, :, 0], torch.tensor([0, 1000 / 65535, 1]))
    assert torch.equal(image[..., 0], image[..., 2]) and mask.shape == (1, 64, 64)


def test_exif_turns_the_picture_upright(ctx, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    Image.fromarray(np.zeros((2, 5, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(ctx, "a.jpg").IMAGE.shape == (1, 5, 2, 3)


@pytest.mark.parametrize("mode", ["L", "1", "LA", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_rgb(ctx, tmp_path, mode):
    Image.new(mode, (3, 2)).save(tmp_path / "a.tif")
    assert load_image(ctx, "a.tif").IMAGE.shape == (1, 2, 3, 3)


def test_an_animation_becomes_a_batch(ctx, tmp_path):
    frames = [Image.new("RGB", (4, 3), (level, level, level)) for level in (0, 51, 255)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    image, mask = load_image(ctx, "a.webp")
    assert torch.allclose(image[:, 0, 0, 0], torch.tensor([0, 0.2, 1]))
    assert mask.shape == (3, 64, 64)


def test_frames_of_another_size_are_left_out(ctx, tmp_path):
    pages = [Image.new("RGB", size) for size in ((4, 3), (2, 2), (4, 3))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert load_image(ctx, "a.tif").IMAGE.shape == (2, 3, 4, 3)


def test_opaque_frames_have_empty_masks_beside_transparent_ones(ctx, tmp_path):
    pages = [Image.new("RGB", (4, 3)), Image.new("RGBA", (4, 3), (0, 0, 0, 0))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert load_image(ctx, "a.tif").MASK[:, 0, 0].tolist() == [0, 1]


def test_a_camera_file_with_two_views_gives_the_first(ctx, tmp_path):
    views = [Image.new("RGB", (4, 3)), Image.new("RGB", (4, 3))]
    views[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=views[1:])
    assert load_image(ctx, "a.jpg").IMAGE.shape == (1, 3, 4, 3)


def test_a_picture_that_is_not_there(ctx, tmp_path):
    with pytest.raises(FileError, match="not there") as caught:
        load_image(ctx, "a.png")
    assert str(tmp_path) in caught.value.expected


def test_a_text_is_not_a_picture(ctx, tmp_path):
    (tmp_path / "a.png").write_text("hello there")
    with pytest.raises(FileError, match=r"'a\.png' is not a picture") as caught:
        load_image(ctx, "a.png")
    assert "hello there" in caught.value.got and "PNG" in caught.value.expected and caught.value.hint


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_picture_that_was_cut_off(ctx, tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    Image.fromarray((noise(64, 64, 3) * 255).byte().numpy()).save(file)
    file.write_bytes(file.read_bytes()[:1500])
    with pytest.raises(FileError, match="is damaged") as caught:
        load_image(ctx, file.name)
    assert caught.value.got == "1500 bytes" and caught.value.hint


def png_of(width, height):
    """Return a PNG file that says it has this size and holds nothing."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (50_000, 10, "50000 x 10 pixels"),
        (9000, 9000, "9000 x 9000"),
        (10_000, 9900, "99000000"),
        (50_000, 50_000, "25"),
    ],
)
def test_a_huge_picture_is_refused_by_its_header(ctx, tmp_path, width, height, said):
    (tmp_path / "a.png").write_bytes(png_of(width, height))
    with pytest.raises(FileError, match="too large") as caught:
        load_image(ctx, "a.png")
    assert said in caught.value.message and "16384 pixels a side and 80,000,000 in all" in caught.value.message


def test_a_long_animation_is_refused(ctx, tmp_path, monkeypatch):
    monkeypatch.setattr("nodes.pixels.files.MAX_FRAME_PIXELS", 30)
    pages = [Image.new("RGB", (4, 3))] * 3
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(FileError, match="3 frames of 4 x 3 pixels, and 30 pixels are the limit"):
        load_image(ctx, "a.tif")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damaged EXIF and TIFF tags
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_picture_or_a_clear_error(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["png", "jpeg", "gif", "tiff", "webp", "bmp"]))
    file = BytesIO()
    Image.fromarray((noise(9, 9, 3) * 255).byte().numpy()).save(file, kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a.png").write_bytes(content[: data.draw(st.integers(4, len(content)))])
    try:
        image, _ = load_image(context(Folders(input=folder)), "a.png")
        assert image.ndim == 4
    except FileError as error:
        assert error.hint


def test_a_saved_picture_is_cut_off_not_rounded_and_holds_no_text():
    image = torch.tensor([[[[0.0, 1.0, 0.999], [-0.5, 1.5, 0.5]]]])
    shown = save_image(image, "sub/pic")
    assert shown.result is None and len(shown.files) == 1
    picture = Image.open(BytesIO(shown.files[0].data))
    assert np.asarray(picture).tolist() == [[[0, 255, 254], [0, 255, 127]]]
    assert picture.format == "PNG" and not picture.info


def test_each_picture_of_a_batch_is_an_artifact():
    files = save_image(noise(3, 4, 5, 3), "pic").files
    assert [(file.prefix, file.folder, file.suffix, file.kind) for file in files] == [
        ("pic", "output", ".png", "images")
    ] * 3
    assert [(file.width, file.height) for file in files] == [(5, 4)] * 3
    assert len({file.data for file in files}) == 3


def test_a_preview_goes_to_the_temporary_folder():
    (file,) = preview_image(noise(1, 2, 2, 4)).files
    assert (file.folder, file.prefix) == ("temp", "preview")
    assert Image.open(BytesIO(file.data)).mode == "RGBA"


def test_pictures_for_a_client_are_files_for_everybody_else():
    images = noise(2, 4, 5, 3)
    shown = save_image_websocket(images)
    assert [(file.folder, file.suffix, file.kind) for file in shown.files] == [("temp", ".png", "images")] * 2
    assert [file.data for file in shown.files] == [file.data for file in save_image(images).files]
    assert shown.notes == {}


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4]), st.randoms())
def test_8_bit_pictures_survive_saving(height, width, channels, random):
    levels = torch.tensor([random.randrange(256) for _ in range(height * width * channels)])
    image = ((levels + 0.5) / 255).reshape(1, height, width, channels)
    (file,) = save_image(image).files
    back = torch.from_numpy(np.array(Image.open(BytesIO(file.data)))).reshape(height, width, channels)
    assert torch.equal(back, levels.reshape(height, width, channels).clamp(max=255).byte())


def test_text_chunks_of_a_loaded_picture_do_not_come_back(ctx, tmp_path):
    text = PngInfo()
    text.add_text("prompt", "{}")
    Image.fromarray(GRID).save(tmp_path / "a.png", pnginfo=text)
    (file,) = save_image(load_image(ctx, "a.png").IMAGE).files
    assert b"tEXt" not in file.data


@pytest.mark.parametrize("prefix", ["../a", "/a", "a/../../b", "C:/a", "..\\a", ""])
def test_a_prefix_that_leaves_the_folder_is_a_fault(prefix):
    with pytest.raises(FileError, match="leaves its folder"):
        check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["a", "a/b", "%year%-%month%/a", "a..b", "a\\b"])
def test_a_prefix_below_the_folder_is_fine(prefix):
    check_prefix(prefix)


def test_empty_image_has_one_colour():
    image = empty_image(3, 2, 2, 0xFF8000)
    assert image.shape == (2, 2, 3, 3)
    assert torch.equal(image, torch.tensor([1, 128 / 255, 0]).expand(2, 2, 3, 3))


def test_a_batch_is_one_after_the_other():
    first, second = noise(1, 2, 3, 3), noise(2, 2, 3, 3)
    assert torch.equal(image_batch(first, second), torch.cat([first, second]))


def test_a_batch_takes_the_size_of_the_first():
    second = torch.arange(8.0).reshape(1, 1, 8, 1).expand(1, 4, 8, 3)
    batch = image_batch(noise(1, 4, 4, 3), second)
    assert torch.equal(batch[1], second[0, :, 2:6])


def test_a_batch_gets_an_opaque_alpha_where_one_has_it():
    batch = image_batch(noise(1, 2, 2, 4), noise(1, 2, 2, 3))
    assert torch.equal(batch[1, ..., 3], torch.ones(2, 2))
    assert torch.equal(image_batch(noise(1, 2, 2, 3), noise(1, 2, 2, 4))[0, ..., 3], torch.ones(2, 2))


def test_scaling_to_a_size():
    image = torch.tensor([[[[0.0], [1.0]]]])
    wide = image_scale(image, upscale_method="bilinear", width=4, height=1, crop="disabled")
    assert wide.flatten().tolist() == [0, 0.25, 0.75, 1]


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(6, 0, (4, 6)), (0, 2, (2, 3)), (0, 0, (8, 12)), (5, 7, (7, 5))]
)
def test_a_side_of_zero_keeps_the_proportions(width, height, expected):
    result = image_scale(noise(1, 8, 12, 3), upscale_method="area", width=width, height=height, crop="disabled")
    assert result.shape[1:3] == expected


def test_scaling_crops_to_the_new_proportions():
    image = noise(1, 4, 8, 3)
    result = image_scale(image, upscale_method="nearest-exact", width=4, height=4, crop="center")
    assert torch.equal(result, image[:, :, 2:6])


@given(st.integers(1, 20), st.integers(1, 20), st.floats(0.01, 8))
def test_scaling_by_a_factor_rounds_each_side(height, width, factor):
    result = image_scale_by(noise(1, height, width, 3), upscale_method="nearest-exact", scale_by=factor)
    assert result.shape == (1, max(1, round(height * factor)), max(1, round(width * factor)), 3)


def test_scaling_to_a_number_of_pixels_keeps_the_proportions():
    result = image_scale_to_total_pixels(noise(1, 40, 80, 3), upscale_method="area", megapixels=0.03125)
    assert result.shape == (1, 128, 256, 3)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 4))
def test_enlarging_by_a_whole_number_and_back_is_the_identity(height, width, factor):
    image = noise(1, height, width, 3)
    large = image_scale_by(image, upscale_method="nearest-exact", scale_by=float(factor))
    assert torch.allclose(image_scale_by(large, upscale_method="area", scale_by=1 / factor), image, atol=1e-6)


@pytest.mark.parametrize(("size", "largest", "expected"), [
    ((4, 8), 16, (8, 16)), ((8, 4), 2, (2, 1)), ((5, 5), 0, (5, 5)), ((3, 9), 4, (1, 4)),
])  # fmt: skip
def test_the_longer_side_decides(size, largest, expected):
    image = torch.rand(1, *size, 3)
    found = image_scale_to_max_dimension(image, upscale_method="bilinear", largest_size=largest)
    assert found.shape == (1, *expected, 3)


def test_a_picture_of_the_output_folder(ctx, tmp_path):
    folders = replace(ctx.folders, output=tmp_path / "out")
    folders.output.mkdir()
    Image.new("RGB", (3, 2), "white").save(folders.output / "a.png")
    found = load_image_output(context(folders), "a.png [output]")
    assert found.IMAGE.shape == (1, 2, 3, 3) and found.IMAGE.min() == 1
