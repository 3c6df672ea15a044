import os
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.server.app.test_jobs import client
from tests.server.online import online

pytestmark = pytest.mark.anyio


def png(size: tuple[int, int] = (640, 320), mode: str = "RGB") -> bytes:
    file = BytesIO()
    Image.new(mode, size, "red").save(file, "PNG")
    return file.getvalue()


async def test_files_are_listed_newest_first_and_paged(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.output
        (root / "sub").mkdir(parents=True)
        for time, name in enumerate(["a.png", "sub/b.txt", "c.mp4"]):
            (root / name).write_bytes(b"x")
            os.utime(root / name, (time, time))
        found = (await http.get("/api/v1/files/output")).json()
        assert [(file["name"], file["kind"]) for file in found["files"]] == [
            ("c.mp4", "video"), ("sub/b.txt", "other"), ("a.png", "image"),
        ]  # fmt: skip
        page = (await http.get("/api/v1/files/output?limit=1&offset=1&below=sub")).json()
        assert page == {"files": [], "total": 1}
        assert (await http.get("/api/v1/files/models")).status_code == 404
        assert (await http.get("/api/v1/files/output?below=..")).status_code == 422


async def test_a_file_is_sent_whole_in_parts_or_not_again(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.output
        root.mkdir(parents=True)
        (root / "a b.png").write_bytes(b"0123456789")
        url = "/api/v1/files/output/a%20b.png"
        whole = await http.get(url)
        assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, b"0123456789", "image/png")
        assert whole.headers["content-disposition"].startswith("inline;")
        assert whole.headers["content-security-policy"].startswith("sandbox")
        part = await http.get(url, headers={"range": "bytes=2-4", "if-range": whole.headers["etag"]})
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
        assert (await http.get(url, headers={"range": "bytes=20-"})).status_code == 416
        again = await http.get(url, headers={"if-none-match": whole.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await http.head(url)
        assert (head.headers["content-length"], head.content) == ("10", b"")
        os.utime(root / "a b.png", (1, 1))
        assert (await http.get(url, headers={"if-none-match": whole.headers["etag"]})).status_code == 200


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.js", "a.xml", "a"])
async def test_what_could_run_is_a_download(tmp_path: Path, name: str):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.output
        root.mkdir(parents=True)
        (root / name).write_text("<svg onload=alert(1)>")
        answer = await http.get(f"/api/v1/files/output/{name}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_picture_is_sent_small(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        root = services.engine.folders.output
        root.mkdir(parents=True)
        (root / "a.png").write_bytes(png())
        (root / "b.txt").write_text("no picture")
        small = await http.get("/api/v1/files/output/a.png?size=100")
        with Image.open(BytesIO(small.content)) as picture:
            assert (picture.format, picture.size) == ("WEBP", (100, 50))
        again = await http.get("/api/v1/files/output/a.png?size=100", headers={"if-none-match": small.headers["etag"]})
        assert again.status_code == 304
        assert (await http.get("/api/v1/files/output/a.png?size=5000")).status_code == 422
        assert (await http.get("/api/v1/files/output/b.txt?size=100")).status_code == 422


async def test_an_upload_is_there_and_a_workflow_could_name_it(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        stored = await http.put("/api/v1/files/input/sub/a.png", content=png())
        assert (stored.status_code, stored.json()["name"]) == (201, "sub/a.png")
        assert services.engine.folders.input_file("sub/a.png").read_bytes() == png()
        assert (await http.put("/api/v1/files/input/sub/a.png", content=png())).status_code == 200
        assert (await http.put("/api/v1/files/input/sub/a.png", content=b"x")).status_code == 409
        renamed = await http.put("/api/v1/files/input/sub/a.png?conflict=rename", content=b"x")
        assert renamed.json()["name"] == "sub/a (1).png"
        assert (await http.put("/api/v1/files/output/a.png", content=b"x")).status_code == 404


async def test_a_mask_is_drawn_into_a_picture(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await http.put("/api/v1/files/input/a.png", content=png((4, 4)))
        mask = png((4, 4), "RGBA")
        stored = await http.put("/api/v1/files/input/masked.png?mask_of=a.png", content=mask)
        assert stored.status_code == 201
        with Image.open(services.engine.folders.input / "masked.png") as picture:
            assert (picture.mode, picture.size) == ("RGBA", (4, 4))
        assert (await http.put("/api/v1/files/input/b.png?mask_of=gone.png", content=mask)).status_code == 404
        assert (await http.put("/api/v1/files/input/b.png?mask_of=a.png", content=b"<svg/>")).status_code == 422
        assert not (services.engine.folders.input / "b.png").exists()


STEPS = st.sampled_from(
    ["..", "%2e%2e", "%252e%252e", ".", "/", "%2f", "%5c", "\\", "%00", "a", "b.png", "link", "con", "%c0%ae%c0%ae",
     "~", "C:", ".git", "%0d%0a", "..;", "secret"]
)  # fmt: skip


def test_nothing_leaves_its_folder_whatever_the_path(tmp_path: Path):
    """Raw request lines, so that no client tidies the path first."""
    import socket

    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "b.png").write_bytes(b"fine")
    (tmp_path / "secret").write_bytes(b"SECRET")
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    before = {path for path in tmp_path.rglob("*") if "data" not in path.parts}
    with online(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])

        def send(request: str) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(request.encode())
                return b"".join(iter(lambda: connection.recv(65536), b""))

        @settings(max_examples=150, suppress_health_check=list(HealthCheck))
        @given(st.lists(STEPS, min_size=1, max_size=6), st.sampled_from(["GET", "PUT"]))
        def attack(steps: list[str], method: str) -> None:
            place = "output" if method == "GET" else "input"
            body = "Content-Length: 4\r\n\r\nevil" if method == "PUT" else "\r\n"
            answer = send(
                f"{method} /api/v1/files/{place}/{'/'.join(steps)} HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n{body}"
            )
            assert b"SECRET" not in answer
            assert not answer.startswith(b"HTTP/1.1 5")

        attack()
    after = {path for path in tmp_path.rglob("*") if "data" not in path.parts and "in" not in path.parts}
    assert after - before <= {tmp_path / "in"}
