import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio


def png(colour: tuple[int, ...], mode: str = "RGB") -> bytes:
    file = BytesIO()
    Image.new(mode, (8, 4), colour).save(file, "PNG")
    return file.getvalue()


async def test_a_file_is_taken_and_never_lost(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.input

        async def upload(content: bytes, **form: str) -> object:
            files = {"image": ("C:\\a.png", content, "image/png")}
            return (await http.post("/upload/image", files=files, data=form)).json()

        assert await upload(b"one") == {"name": "a.png", "subfolder": "", "type": "input"}
        assert await upload(b"one") == {"name": "a.png", "subfolder": "", "type": "input"}
        assert await upload(b"two") == {"name": "a (1).png", "subfolder": "", "type": "input"}
        assert await upload(b"three", overwrite="true") == {"name": "a.png", "subfolder": "", "type": "input"}
        assert {path.name: path.read_bytes() for path in root.iterdir()} == {"a.png": b"three", "a (1).png": b"two"}
        below = await upload(b"four", subfolder="x/y", type="temp")
        assert below == {"name": "a.png", "subfolder": "x/y", "type": "temp"}
        assert (services.engine.folders.temp / "x" / "y" / "a.png").read_bytes() == b"four"


@pytest.mark.parametrize(
    "form", [{"subfolder": "../out"}, {"subfolder": "/etc"}, {"type": "models"}, {"subfolder": "a\0b"}]
)
async def test_what_leaves_the_folder_is_refused(tmp_path: Path, form: dict[str, str]):
    async with client(tmp_path) as (http, services):
        answered = await http.post("/api/upload/image", files={"image": ("a.png", b"x")}, data=form)
        assert answered.status_code == 400
        assert not services.engine.folders.input.exists()
        assert (await http.post("/upload/image", data={"type": "input"})).status_code == 400


async def test_a_mask_is_drawn_into_the_original(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.input
        root.mkdir()
        (root / "a.png").write_bytes(png((255, 0, 0)))
        form = {
            "original_ref": json.dumps({"filename": "a.png", "subfolder": "", "type": "input"}),
            "subfolder": "clip",
        }
        files = {"image": ("masked.png", png((0, 0, 0, 7), "RGBA"), "image/png")}
        answered = await http.post("/upload/mask", files=files, data=form)
        assert answered.json() == {"name": "masked.png", "subfolder": "clip", "type": "input"}
        with Image.open(root / "clip" / "masked.png") as image:
            assert image.getpixel((0, 0)) == (255, 0, 0, 7)
        for reference, status in (("", 400), ("[]", 400), ('{"filename": "none.png", "type": "input"}', 404)):
            refused = await http.post("/upload/mask", files=files, data=form | {"original_ref": reference})
            assert refused.status_code == status
