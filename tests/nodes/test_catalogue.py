"""Saved workflows depend on names, order, defaults and bounds of inputs: compare them with the catalogue."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nodes
from engine.formats.catalogue import class_info
from engine.formats.widgets import layout_of
from engine.object_info import object_info

ROOT = Path(__file__).parents[2]
CATALOGUE = Path(os.environ.get("LOOMIS_REFERENCE", ROOT.parent / "shared")) / "corpus" / "object_info.json"
SPECS = {spec.type: spec for spec in nodes.vocabulary()}
INFO = object_info(SPECS.values())


@pytest.fixture(scope="module")
def catalogue():
    if not CATALOGUE.is_file():
        pytest.skip(f"no reference folder: {CATALOGUE} is not there")
    return json.loads(CATALOGUE.read_text())


def declared(entry, *, choices):
    """Return an input as (type, choices, options): the old and the new form of choices are one, tooltips are free.

    A choice that is listed twice is one.
    """
    kind, options = entry[0], entry[1] if len(entry) > 1 else {}
    listed = kind if isinstance(kind, list) else options.get("options")
    kept = {name: value for name, value in options.items() if name not in ("options", "multiselect", "tooltip")}
    return "COMBO" if isinstance(kind, list) else kind, [*dict.fromkeys(listed)] if choices else None, kept


@pytest.mark.reference
@pytest.mark.parametrize("type", sorted(SPECS))
def test_a_node_is_declared_as_in_the_catalogue(catalogue, type):
    if type not in catalogue:
        pytest.skip("not in the catalogue")
    ours, theirs = INFO[type], catalogue[type]
    for group in ("required", "optional"):
        names = theirs["input_order"].get(group, [])
        assert ours["input_order"].get(group, []) == names
        for name in names:
            fixed = isinstance(SPECS[type].ports[name].choices, tuple)
            expected = declared(theirs["input"][group][name], choices=fixed)
            assert declared(ours["input"][group][name], choices=fixed) == expected, name
    hidden = {
        name: token[0] if isinstance(token, list) else token
        for name, token in theirs["input"].get("hidden", {}).items()
    }
    assert hidden.items() <= ours["input"].get("hidden", {}).items()
    for name in ("name", "category", "output", "output_is_list", "output_name", "output_node"):
        assert ours[name] == theirs[name]
    assert ours["display_name"] == (theirs["display_name"] or type)
    assert not any(ours[flag] != theirs.get(flag, False) for flag in ("deprecated", "experimental", "api_node"))


@pytest.mark.reference
@pytest.mark.parametrize("type", sorted(SPECS))
def test_saved_values_are_read_in_the_order_of_the_catalogue(catalogue, type):
    if type not in catalogue:
        pytest.skip("not in the catalogue")
    found, expected = (
        [(slot.name, slot.type, slot.sent, slot.forced) for slot in layout_of(class_info(type, entry))]
        for entry in (INFO[type], catalogue[type])
    )
    assert found == expected


@pytest.mark.parametrize("type", sorted(SPECS))
def test_a_node_says_what_it_does_in_a_sentence(type):
    assert SPECS[type].description.split("\n\n")[0].endswith(".")


def test_declaring_nodes_imports_nothing_that_computes():
    code = "import sys, nodes; nodes.vocabulary(); print({'torch', 'numpy', 'PIL', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
