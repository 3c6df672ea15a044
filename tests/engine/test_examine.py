"""Whether a workflow would run here, and what it lacks."""

import pytest

from engine import Folders
from engine.examine import examine
from engine.formats import Catalogue, load
from engine.object_info import SpecClasses
from tests.engine.words import Vocabulary, n

REGISTRY = Vocabulary().registry
CATALOGUE = Catalogue(SpecClasses(REGISTRY.specs))


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "models/vae").mkdir(parents=True)
    (tmp_path / "models/vae/there.pt").touch()
    return Folders(models=(tmp_path / "models",))


@pytest.fixture
def examined(folders):
    def run(workflow):
        return examine(load(workflow, CATALOGUE), REGISTRY, folders)

    return run


def kinds(found):
    return [(lack.kind, lack.name, lack.nodes) for lack in found.lacks]


GOOD = {"1": n("Number", value=1), "2": n("Show", value=("1", 0))}


def test_a_workflow_that_runs(examined):
    found = examined(GOOD)
    assert (found.state, found.lacks) == ("runs", ())


def test_a_workflow_that_lacks_everything(examined, tmp_path):
    found = examined(
        {
            "1": n("Divide", a=1, b=0),
            "2": n("Foreign", a=("1", 0)) | {"_meta": {"cnr_id": "far-pack", "ver": "1.2"}},
            "3": n("Weights", name="xl.safetensors"),
            "4": n("Foreign"),
            "5": n("Weights", name="xl.safetensors"),
            "6": n("Show", value=("1", 0)),
            "7": n("Show", value=("3", 0)),
            "8": n("Show", value=("5", 0)),
        }
    )
    assert found.state == "refused"
    assert kinds(found) == [
        ("type", "Foreign", ("2", "4")),
        ("model", "checkpoints/xl.safetensors", ("3", "5")),
        ("value", "Node 1 (Divide), input b: 0 is smaller than 1.", ("1",)),
    ]
    assert [lack.do for lack in found.lacks] == [
        "It is in the pack far-pack, version 1.2. Name the folder of the pack with --custom-nodes.",
        f"Put the file into {tmp_path / 'models/checkpoints'}.",
        "Use 1 or more.",
    ]


def test_what_no_output_depends_on_costs_a_part(examined):
    found = examined(GOOD | {"3": n("Foreign", a=("1", 0))})
    assert (found.state, kinds(found)) == ("in part", [("type", "Foreign", ("3",))])


def saved(type, value, name="x.pt"):
    models = [{"name": name, "directory": "vae", "url": "https://example.org/x.pt"}]
    properties = {"models": models, "cnr_id": "comfy-core"}
    slot = {"name": "name", "type": "COMBO", "widget": {"name": "name"}, "link": None}
    node = {"id": 1, "type": type, "inputs": [slot], "outputs": [{"name": "V", "type": "*", "links": [1]}]}
    show = {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 1}], "outputs": []}
    return {
        "version": 0.4,
        "nodes": [node | {"widgets_values": [value], "properties": properties}, show],
        "links": [[1, 1, 0, 2, 0, "*"]],
    }


@pytest.mark.parametrize("value", ["x.pt", "sub\\x.pt"])
def test_the_file_says_where_a_model_is_to_be_had(examined, value):
    (lack,) = examined(saved("Weights", value)).lacks
    assert (lack.kind, lack.name) == ("model", "checkpoints/" + value.replace("\\", "/"))
    assert lack.url == "https://example.org/x.pt"
    assert lack.do.endswith("It is at https://example.org/x.pt")


def test_models_of_unknown_types_count_too(examined):
    found = examined(saved("Foreign", "x.pt"))
    assert kinds(found) == [("type", "Foreign", ("1",)), ("model", "vae/x.pt", ("1",))]
    assert found.lacks[0].do == "It belongs to ComfyUI itself; Loomis does not have it yet."
    assert kinds(examined(saved("Foreign", "there.pt", "there.pt"))) == [("type", "Foreign", ("1",))]


@pytest.mark.parametrize(
    "workflow", [{"nodes": [], "links": []}, GOOD | {"3": {"inputs": {}}}, {"1": n("Number", value=1)}]
)
def test_what_can_not_run_at_all(examined, workflow):
    found = examined(workflow)
    assert (found.state, [lack.kind for lack in found.lacks]) == ("refused", ["value"])
