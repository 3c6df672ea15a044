"""What is meant by a name that is spelled wrong."""

from pathlib import Path

import pytest

from engine.spelling import meant, nearest, nearest_file, nearest_path


def test_the_nearest_name():
    assert nearest("ksampler", ["KSampler", "VAEDecode"]) == "KSampler"
    assert nearest("x", []) is None and nearest("zzzz", ["KSampler"]) is None


def test_the_nearest_file_is_not_the_one_with_the_same_suffix():
    files = ["tiny-portrait.safetensors", "xl/sd_xl_base_1.0.safetensors"]
    assert nearest_file("tiny-portrat.ckpt", files) == files[0]
    assert nearest_file("sd_xl_base.safetensors", files) == files[1]
    assert nearest_file("dreamshaper_8.safetensors", files) is None


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name in ("workflows/portrait.json", "workflows/upscale.json", "workflows/.portrat.json", "photos/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("workflows/portrat.json", "workflows/portrait.json"),
        ("workflows/portrait", "workflows/portrait.json"),
        ("workflow/portrait.json", "workflows/portrait.json"),
        ("workflow/portrat.json", "workflows/portrait.json"),
        ("portrait.json", "workflows/portrait.json"),
        ("workflws", "workflows"),
        ("photos/zzzz.png/deeper", None),
        ("quite/another/place", None),
        ("nope", None),
        ("a" * 5000, None),
        ("a\0b", None),
    ],
)
def test_the_nearest_file_or_folder(here, given, found):
    assert nearest_path(Path(given)) == (found and Path(found))


def test_an_absolute_path_stays_one(here):
    assert nearest_path(here / "workflow" / "upscal.json") == here / "workflows" / "upscale.json"
    assert nearest_path(Path("/zzzz-is-not-there/zzzz")) is None


def test_what_is_said(here):
    assert meant(Path("portrait.jsn")) == "Check the path."
    assert meant(Path("workflows/portrait.jsn")) == "Did you mean workflows/portrait.json?"
    assert meant(Path("zzz"), "Name another.") == "Name another."
