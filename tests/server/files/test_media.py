import pytest

from server.files.media import DOWNLOAD, kind, media_type


@pytest.mark.parametrize(
    "name",
    [
        "a.svg",
        "a.SVG",
        "a.html",
        "a.htm",
        "a.xhtml",
        "a.js",
        "a.css",
        "a.xml",
        "a.pdf",
        "a.json",
        "a",
        "a.png.html",
        "a.svgz",
    ],
)
def test_what_can_hold_a_script_is_a_download(name):
    assert media_type(name) == DOWNLOAD
    assert kind(name) == "other"


@pytest.mark.parametrize(
    ("name", "type"), [("a.PNG", "image/png"), ("b.c.mp4", "video/mp4"), ("x/y.flac", "audio/flac")]
)
def test_pictures_sound_and_video_are_shown(name, type):
    assert media_type(name) == type
    assert kind(name) == type.partition("/")[0]
