"""The catalogue from ``/object_info``."""

import pytest

from engine.errors import WorkflowError
from engine.formats import catalogue_from_object_info


def test_inputs_come_in_widget_order():
    entry = {
        "input": {"required": {"b": ["INT"], "a": [["x", "y"]]}, "optional": {"c": ["IMAGE",
         {"forceInput": True}]}, "hidden": {"id": "UNIQUE_ID"}},
        "input_order": {"required": ["a"], "optional": ["c", "gone"]},
        "output": ["IMAGE", ["x"]],
        "output_name": ["picture"],
        "display_name": "Nice",
    }  # fmt: skip
    info = catalogue_from_object_info({"N": entry}).get("N")
    assert [(item.name, item.type, item.required, item.forced) for item in info.inputs] == [
        ("a", "COMBO", True, False),
        ("b", "INT", True, False),
        ("c", "IMAGE", False, True),
    ]
    assert info.inputs[0].choices == ("x", "y")
    assert [(item.name, item.type) for item in info.outputs] == [("picture", "IMAGE"), ("COMBO", "COMBO")]
    assert info.display_name == "Nice"


@pytest.mark.parametrize(
    "entry", [{}, {"input": None}, {"input": {"required": {"a": None, "b": [], "c": 3}}, "output": 5}]
)
def test_odd_entries_are_read_as_far_as_they_go(entry):
    info = catalogue_from_object_info({"N": entry, "M": 3}).get("N")
    assert (info.name, info.display_name, info.outputs) == ("N", "N", ())


def test_what_is_no_catalogue():
    with pytest.raises(WorkflowError, match="catalogue can't be read"):
        catalogue_from_object_info([1])
