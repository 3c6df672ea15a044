from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from server.comfy.view import preview_form
from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio


def picture(path: Path, mode: str = "RGBA") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (8, 4), (255, 0, 0, 64)[: len(mode)]).save(path, "PNG")


async def test_a_picture_is_sent_as_it_is_or_made_smaller(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        folders = services.engine.folders
        picture(folders.output / "sub" / "a.png")
        picture(folders.input / "b.png", "RGB")
        whole = await http.get("/view?filename=a.png&subfolder=sub&type=output&rand=0.1")
        assert whole.content == (folders.output / "sub" / "a.png").read_bytes()
        assert whole.headers["content-type"] == "image/png"
        assert 'filename="a.png"' in whole.headers["content-disposition"]
        assert (await http.get("/api/view?filename=x/a.png&subfolder=sub")).content == whole.content
        again = await http.get("/view?filename=a.png&subfolder=sub", headers={"if-none-match": whole.headers["etag"]})
        assert again.status_code == 304
        for query, kind, mode in (
            ("filename=a.png&subfolder=sub&preview=webp;90", "WEBP", "RGBA"),
            ("filename=a.png&subfolder=sub&preview=jpeg;50", "JPEG", "RGB"),
            ("filename=a.png&subfolder=sub&channel=rgb", "PNG", "RGB"),
            ("filename=a.png&subfolder=sub&channel=a", "PNG", "RGBA"),
            ("filename=b.png [input]&channel=a", "PNG", "RGBA"),
        ):
            made = await http.get(f"/view?{query}")
            with Image.open(BytesIO(made.content)) as image:
                assert (image.format, image.mode, image.size) == (kind, mode, (8, 4)), query
        alone = await http.get("/view?filename=a.png&subfolder=sub&channel=a")
        with Image.open(BytesIO(alone.content)) as image:
            assert image.getpixel((0, 0)) == (0, 0, 0, 64)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 404), ("filename=", 400), ("filename=/etc/passwd", 400), ("filename=../a.png", 400),
        ("filename=a.png&type=models", 400), ("filename=a.png&subfolder=../..", 403), ("filename=none.png", 404),
        ("filename=a.txt&preview=webp", 403), ("filename=link.txt", 403),
    ],
)  # fmt: skip
async def test_what_cannot_be_seen_is_refused(tmp_path: Path, query: str, status: int):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.output
        root.mkdir()
        (root / "a.txt").write_text("no picture")
        (root / "link.txt").symlink_to("/etc/passwd")
        assert (await http.get(f"/view?{query}")).status_code == status


async def test_what_could_run_is_a_download(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.output
        root.mkdir()
        for name in ("a.svg", "a.html"):
            (root / name).write_text("<svg/>")
            sent = await http.get(f"/view?filename={name}")
            assert sent.headers["content-type"] == "application/octet-stream"
            assert sent.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("wanted", "alpha", "form"),
    [
        ("webp;90", False, ("WEBP", 90)), ("jpeg", False, ("JPEG", 90)), ("jpeg;75", True, ("WEBP", 75)),
        ("gif;x", False, ("WEBP", 90)), ("jpeg;0", False, ("JPEG", 1)), ("", False, ("WEBP", 90)),
    ],
)  # fmt: skip
def test_previews_are_asked_for_by_format_and_quality(wanted: str, alpha: bool, form: tuple[str, int]):
    assert preview_form(wanted, alpha) == form
