"""What a saved document says of the model files that it needs."""

import pytest

from engine.formats.models import ModelHint, model_hints


def model(name, folder="vae", url="https://example.org/x"):
    return {"name": name, "directory": folder, "url": url}


def test_models_are_found_in_nodes_subgraphs_and_the_document():
    saved = {
        "nodes": [{"properties": {"models": [model("a.pt"), model("b.pt", url="file:///etc")]}}, {"properties": 3}, 5],
        "definitions": {
            "subgraphs": [
                {
                    "nodes": {"7": {"properties": {"models": [model("c.pt", "text_encoders/t5")]}}},
                    "definitions": {"subgraphs": [{"models": [model("d.pt")]}]},
                }
            ]
        },
        "models": [model("e.pt")],
    }
    hints = model_hints(saved)
    assert sorted(hints) == ["a.pt", "b.pt", "c.pt", "d.pt", "e.pt"]
    assert hints["a.pt"] == ModelHint("a.pt", "vae", "https://example.org/x")
    assert (hints["b.pt"].url, hints["c.pt"].folder) == (None, "text_encoders/t5")


@pytest.mark.parametrize(
    "entry", [None, 3, {"name": "a.pt"}, model("../a.pt"), model("a.pt", "/etc"), model("a.pt", "C:/x"), model("")]
)
def test_what_is_no_model_or_leaves_its_folder_is_passed_over(entry):
    assert model_hints({"models": [entry]}) == {}


def test_definitions_that_never_end():
    saved = {"models": [model("a.pt")]}
    for _ in range(1000):
        saved = {"definitions": {"subgraphs": [saved]}}
    assert model_hints(saved) == {}


def test_no_document():
    assert model_hints(None) == {}
