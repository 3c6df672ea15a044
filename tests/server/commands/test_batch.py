import json
from pathlib import Path

import pytest
from PIL import Image

from tests.server.commands.test_run import PICTURE
from tests.server.conftest import WORKFLOW


@pytest.fixture
def picture(here):
    (here / "picture.json").write_text(json.dumps(PICTURE))
    return "picture.json"


def test_a_grid_of_pictures_with_a_sheet(loomis, here, picture):
    args = ("batch", picture, "--grid", "color=1,2", "width=8..10", "--zip", "1.height=4,5", "batch_size=1,2",
            "--out", "d/{color}-{width}-{row}.png", "--sheet", "sheet.png")  # fmt: skip
    ran = loomis(*args)
    assert ran.code == 0
    *files, sheet = ran.out.splitlines()
    assert sheet == "sheet.png" and len(files) == 6 + 2 * 6
    assert files[0] == "d/1-8-01.png" and files[-1] == "d/2-10-12-2.png"
    with Image.open(here / "d" / "2-9-05.png") as image:
        assert (image.size, image.getpixel((0, 0))) == ((9, 4), (0, 0, 2))
    assert "row 12: done" in ran.err and ran.err.endswith("12 rows done, 0 failed\n")
    assert loomis(*args).err.endswith("0 rows done, 0 failed, 12 were done before\n")


def test_json_tells_a_line_a_row_and_bad_rows_with_their_number(loomis, here, picture):
    (here / "rows.csv").write_text("color,width\n7,8\n7,0\n7,8,9\n9,9\n")
    ran = loomis("batch", picture, "--rows", "rows.csv", "--out", "d", "--json")
    *rows, last = ran.lines
    assert ran.code == 1
    assert [(row["row"], row["state"]) for row in rows] == [(2, "failed"), (3, "failed"), (1, "done"), (4, "done")]
    assert last["batch"] == {"done": 2, "failed": 2, "skipped": 0, "rows": 4}
    told = loomis("batch", picture, "--rows", "rows.csv", "--out", "e")
    assert "row 2: failed (line 3 of rows.csv): Node 1 (EmptyImage), input width: 0 is smaller than 1." in told.err
    assert "row 3: failed (line 4 of rows.csv): The line has 3 values." in told.err
    assert told.err.endswith("2 rows done, 2 failed\nfailed: 2, 3\n")
    quiet = loomis("batch", picture, "--rows", "rows.csv", "--out", "f", "-q")
    assert quiet.out.splitlines() == ["f/1.png", "f/4.png"] and quiet.err.startswith("row 2: failed")


def test_texts_and_json_lines_from_standard_input(loomis, workflow):
    ran = loomis("batch", workflow, "--rows", "-", "--out", "d", input='{"value": "a hare"}\n{"value": "a vole"}\n')
    assert ran.out == "a hare\na vole\n"


def test_the_default_folder_has_the_name_of_the_workflow(loomis, picture):
    assert loomis("batch", picture, "--count", "2", "-q").out.splitlines() == [
        "output/picture-batch/1.png",
        "output/picture-batch/2.png",
    ]


def test_another_grid_in_the_default_folder_hears_which_folder_is_free(loomis, picture):
    assert loomis("batch", picture, "--grid", "color=7,8").code == 0
    (Path("output") / "picture-batch-2").mkdir()
    refused = loomis("batch", picture, "--grid", "color=9,10")
    assert refused.code == 3 and "such as --out output/picture-batch-3\n" in refused.err
    assert loomis("batch", picture, "--grid", "color=9,10", "--out", "output/picture-batch-3").code == 0


def test_a_range_may_count_down(loomis, picture):
    ran = loomis("batch", picture, "--grid", "color=3..1", "--out", "d/{row}-{color}.png", "-q")
    assert ran.out.splitlines() == ["d/1-3.png", "d/2-2.png", "d/3-1.png"]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--grid", "colour=1"), "'colour' names no input"),
        (("--grid", "color"), "is no axis"),
        (("--grid", "color=1", "--set", "color=2"), "has values twice"),
        (("--grid", "color=1-3"), "Write the range as color=1..3."),
        (("--zip", "color=1:3"), "Write the range as color=1..3."),
        (("--grid", "color=7.."), "'7..' is no number for color."),
        (("--grid", "color=..7"), "'..7' is no number for color."),
        (("--grid", "color=7..9.."), "'7..9..' is no number for color."),
        (("--grid", "color=7-"), "'7-' is no number for color."),
        (("--grid", "color=7..9,20"), "'7..9' is no number for color."),
        (("--grid", "color=7..b"), "'7..b' is no number for color."),
        (("--rows", "none.csv"), "can't be read"),
        (("--grid", "color=1", "--out", "d/{colr}.png"), "names {colr}"),
        (("--grid", "color=1,2", "--out", "d/{width}.png"), "names {width}"),
        (("--grid", "1.image=*.png"), "no input 'image'"),
    ],
)
def test_what_can_not_begin(loomis, here, picture, args, why):
    ran = loomis("batch", picture, *args)
    assert ran.code in (2, 3) and why in ran.err
    assert not (here / "output").exists()


def test_a_declared_parameter_is_a_column(loomis, here):
    declared = {"words": "Text.value"}
    (here / "w.json").write_text(json.dumps({"prompt": WORKFLOW, "loomis": {"parameters": declared}}))
    (here / "words.txt").write_text("a fox\na hare\n")
    assert loomis("batch", "w.json", "--grid", "words=@words.txt", "-q").out == "a fox\na hare\n"
