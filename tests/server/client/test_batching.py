"""``loomis batch --server``: rows that a server runs, told as if they ran here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.client import Client
from tests.server.commands.test_submit import write
from tests.server.conftest import Command
from tests.server.online import Online, online
from tests.server.words import after, n, shown


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    with online(tmp_path_factory.mktemp("server")) as made:
        yield made


SAVE = {"1": n("Number", value=1), "2": n("Save", value=("1", 0))}


def test_rows_axes_and_values_go_to_the_server(loomis: Command, here: Path, server: Online) -> None:
    (here / "rows.csv").write_text("value,name\n7,a\n8\n9,b\n")
    (here / "words.txt").write_text("x\ny\n")
    args = (
        "batch",
        write(here, SAVE),
        "--rows",
        "rows.csv",
        "--grid",
        "word=@words.txt",
        "--out",
        "d/{name}-{word}-{row}",
    )
    ran = loomis(*args, "--server", server.url)
    assert ran.out.splitlines() == ["d/a-x-1.txt", "d/a-y-2.txt", "d/b-x-5.txt", "d/b-y-6.txt"]
    assert ran.code == 1 and "row 3: failed: line 3 of rows.csv: The line has 1 values." in ran.err
    assert ran.err.endswith("4 rows done, 2 failed\nfailed: 3, 4\n")
    root = server.services.engine.folders.output
    assert (root / "d" / "b-y-6.txt").read_text() == "9"
    again = loomis(*args, "--server", server.url, "--json")
    assert again.lines[-1] == {"batch": {"done": 0, "failed": 2, "skipped": 4, "rows": 6}, "sheet": None}


def test_texts_and_the_default_folder(loomis: Command, here: Path, server: Online) -> None:
    ran = loomis("batch", write(here, shown(1)), "--grid", "value=1..3", "--server", server.url, "-q")
    assert (ran.code, ran.out) == (0, "1\n2\n3\n")
    assert server.do(server.services.batches.page())[0][0].folder == "job-batch"


def test_a_batch_is_watched_again_by_its_id(loomis: Command, here: Path, server: Online) -> None:
    with Client(server.url) as client:
        id = client.submit_batch(SAVE, rows=[{"value": 3}, {"value": "x"}], out="again/{row}").id
    ran = loomis("watch", id, "--server", server.url)
    assert (ran.code, ran.out) == (1, "again/1.txt\n")
    assert ran.err.endswith("1 rows done, 1 failed\nfailed: 2\n")


def test_a_batch_is_cancelled_by_its_id(loomis: Command, here: Path, server: Online) -> None:
    server.do(server.services.jobs.pause())
    made = submitted(server)
    ran = loomis("cancel", made, "--server", server.url)
    server.do(server.services.jobs.resume())
    assert ran.code == 0 and ran.out.startswith(made)
    assert loomis("cancel", "none", "--server", server.url).code == 1


def submitted(server: Online) -> str:
    with Client(server.url) as client:
        return client.submit_batch(after(Nap={"value": 1, "seconds": 9.0}), grid={"value": "1..9"}, out="n/{row}").id


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--grid", "none=1"), "names no input"),
        (("--grid", "value=1", "value=2"), "has values twice"),
        (("--grid", "value=1", "--out", "../{row}"), "leaves its folder"),
        (("--grid", "value=1", "--model-map", "a=b"), "maps no models"),
        (("--grid", "value=1", "--sheet", "mine.png"), "expected  --sheet sheet.png"),
        (("--rows", "."), "its own input folder"),
        (("--grid", "value=1-3"), "Write the range as value=1..3."),
    ],
)
def test_what_can_not_begin(loomis: Command, here: Path, server: Online, args, why) -> None:
    ran = loomis("batch", write(here, shown(1)), *args, "--server", server.url)
    assert ran.code and why in ran.err


def test_without_a_server(loomis: Command, here: Path) -> None:
    ran = loomis("batch", write(here, shown(1)), "--server", "http://127.0.0.1:9")
    assert ran.code == 1 and "loomis serve" in ran.err
