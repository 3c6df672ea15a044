"""What each row runs: values, pictures, seeds from row to row, and what is chosen at submission."""

import copy
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from engine import Engine, Folders, Settings
from engine.errors import InputError, SettingError, WorkflowError
from nodes import vocabulary
from server.batch.axes import Axis
from server.batch.jobs import picture_input
from server.batch.names import Names
from server.batch.pictures import Pictures
from server.batch.request import Request, compose, find_rows
from server.batch.rows import Row
from tests.engine.words import n

DOCUMENT = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "CLIPTextEncode", "title": "Text", "widgets_values": ["a {red|green|blue|black} fox"]},
        {"id": 2, "type": "KSampler", "widgets_values": [5, "increment", 20, 8, "euler", "normal", 1]},
        {"id": 3, "type": "SaveImage", "widgets_values": ["%date:yyyy-MM-dd%"]},
    ],
    "links": [],
}
LOADS = {"1": n("LoadImage", image="a.png"), "2": n("SaveImage", images=("1", 0), filename_prefix="x")}


@pytest.fixture
def e(tmp_path: Path):
    folders = Folders((), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    with Engine(vocabulary(), folders=folders, settings=Settings(device="cpu")) as made:
        yield made


def batch(e, tmp_path, graph, pattern="{row}", **asked):
    loaded = e.load(graph, seed=asked.get("seed", 0))
    names = Names(tmp_path / "out", pattern)
    return compose(e, loaded, Request(names, **asked), Pictures(e.folders, tmp_path))


def test_seeds_are_incremented_unless_a_row_gives_them(e, tmp_path):
    made = batch(e, tmp_path, DOCUMENT, count=3)
    assert [made.job(row).prompt["2"]["inputs"]["seed"] for row in (1, 2, 3)] == [5, 6, 7]
    made = batch(e, tmp_path, DOCUMENT, grid=[Axis("KSampler.seed", [8, 8])], count=1, pattern="{row}")
    assert [made.job(row).prompt["2"]["inputs"]["seed"] for row in (1, 2)] == [8, 8]


def test_each_row_chooses_anew_and_always_the_same(e, tmp_path):
    made = batch(e, tmp_path, DOCUMENT, count=20)
    texts = [made.job(row).prompt["1"]["inputs"]["text"] for row in range(1, 21)]
    assert set(texts) == {f"a {color} fox" for color in ("red", "green", "blue", "black")}
    again = batch(e, tmp_path, DOCUMENT, count=20)
    assert texts == [again.job(row).prompt["1"]["inputs"]["text"] for row in range(1, 21)]
    shifted = batch(e, tmp_path, DOCUMENT, count=20, seed=1)
    assert texts[1:] == [shifted.job(row).prompt["1"]["inputs"]["text"] for row in range(1, 20)]


def test_dates_are_those_of_the_first_submission(e, tmp_path):
    made = replace(batch(e, tmp_path, DOCUMENT), time=datetime(2020, 3, 4))
    assert made.job(1).prompt["3"]["inputs"]["filename_prefix"] == "2020-03-04"


def test_a_prefix_follows_the_values_of_its_row(e, tmp_path):
    document = copy.deepcopy(DOCUMENT)
    document["nodes"][1]["title"] = "KSampler"
    document["nodes"][2]["widgets_values"] = ["%KSampler.seed%-%date:yyyy%-%KSampler.steps%-%width%"]
    made = replace(batch(e, tmp_path, document, count=2, grid=[Axis("steps", [7, 8])]), time=datetime(2020, 3, 4))
    found = [made.job(row).prompt["3"]["inputs"]["filename_prefix"] for row in (1, 2, 3, 4)]
    assert found == ["5-2020-7-%width%", "6-2020-8-%width%", "7-2020-7-%width%", "8-2020-8-%width%"]
    given = batch(e, tmp_path, document, grid=[Axis("filename_prefix", ["x"]), Axis("steps", [7])])
    assert given.job(1).prompt["3"]["inputs"]["filename_prefix"] == "x"


def test_a_key_changes_with_the_graph_and_the_name(e, tmp_path):
    graph = {"1": n("EmptyImage", width=8)}
    keys = {
        batch(e, tmp_path, graph, pattern, grid=[Axis("width", [width])]).job(1).key
        for width in (8, 9)
        for pattern in ("{row}", "x{row}")
    }
    assert len(keys) == 4
    assert batch(e, tmp_path, graph, grid=[Axis("width", [8])]).job(1).key in keys


def test_pictures_of_rows_come_into_the_input_folder(e, tmp_path):
    for name in ("photos/a.png", "photos/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    loaded = e.load(LOADS)
    assert picture_input(e, loaded) == "1.image"
    rows, base = find_rows(str(tmp_path / "photos"), e, loaded)
    assert [row.origin for row in rows] == ["a.png", "b.png"] and base == Path.cwd()
    made = batch(e, tmp_path, LOADS, rows=rows)
    assert made.job(2).prompt["1"]["inputs"]["image"].startswith("batch/b-")
    made = batch(e, tmp_path, LOADS, grid=[Axis("image", ["photos/*.png"])])
    assert len(made.rows) == 2 and made.job(1).prompt["1"]["inputs"]["image"].startswith("batch/a-")


def test_which_input_a_picture_goes_to(e):
    two = LOADS | {"3": n("LoadImage", image="b.png")}
    assert picture_input(e, e.load(two)) is None
    declared = {"prompt": two, "loomis": {"parameters": {"photo": "3.image", "name": "2.filename_prefix"}}}
    assert picture_input(e, e.load(declared)) == "photo"


def test_a_column_may_name_files_only(e, tmp_path):
    rows = [Row({"who": "ann", "width": 8}), Row({"who": "bob", "width": 9})]
    graph = {"1": n("EmptyImage", width=8)}
    made = batch(e, tmp_path, graph, "{who}", rows=rows)
    assert (list(made.stems), made.job(1).parameters) == (["ann", "bob"], {"width": 8})
    with pytest.raises(WorkflowError, match="'who' names no input"):
        batch(e, tmp_path, graph, rows=rows)
    with pytest.raises(SettingError, match=r"names \{wo\}"):
        batch(e, tmp_path, graph, "{wo}", rows=rows[:0] or [Row({"width": 8})])


def test_a_value_for_all_rows_gives_way_to_a_row(e, tmp_path):
    graph = {"1": n("EmptyImage", width=8, height=8)}
    made = batch(e, tmp_path, graph, rows=[Row({"width": 9}), Row({})], same={"width": 7, "height": 3})
    assert [made.job(row).parameters for row in (1, 2)] == [{"width": 9, "height": 3}, {"width": 7, "height": 3}]


def test_a_fault_of_a_row_is_raised_when_it_is_its_turn(e, tmp_path):
    made = batch(e, tmp_path, {"1": n("EmptyImage")}, rows=[Row({}), Row({}, "line 3", InputError("no"))])
    made.job(1)
    with pytest.raises(InputError, match="no"):
        made.job(2)
