"""Saved workflows depend on names, order, defaults and bounds of inputs: compare them with the catalogue."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nodes
from engine.node import NO_DEFAULT, Files, InputFile

ROOT = Path(__file__).parents[2]
CATALOGUE = Path(os.environ.get("LOOMIS_REFERENCE", ROOT.parent / "shared")) / "corpus" / "object_info.json"
SPECS = {spec.type: spec for spec in nodes.vocabulary()}
BOUNDS = {"default", "min", "max", "options", "multiselect", "tooltip"}


@pytest.fixture(scope="module")
def catalogue():
    if not CATALOGUE.is_file():
        pytest.skip(f"no reference folder: {CATALOGUE} is not there")
    return json.loads(CATALOGUE.read_text())


def declared(entry):
    """Return an input of the catalogue as (type, default, minimum, maximum, choices, other options)."""
    kind, options = entry[0], entry[1] if len(entry) > 1 else {}
    choices = tuple(kind if isinstance(kind, list) else options.get("options", ()))
    return (
        "COMBO" if isinstance(kind, list) else kind,
        options.get("default", NO_DEFAULT),
        options.get("min"),
        options.get("max"),
        choices,
        {name: value for name, value in options.items() if name not in BOUNDS},
    )


def ours(port):
    options = {name: value for name, value in port.options.items() if name != "tooltip"}
    default = NO_DEFAULT if port.default is None else port.default
    return port.type, default, port.minimum, port.maximum, port.choices or (), options


@pytest.mark.reference
@pytest.mark.parametrize("type", sorted(SPECS))
def test_a_node_is_declared_as_in_the_catalogue(catalogue, type):
    spec, entry = SPECS[type], catalogue[type]
    groups = {name: entry["input"].get(name, {}) for name in ("required", "optional")}
    expected = [
        (name, declared(groups[group][name])) for group in groups for name in entry["input_order"].get(group, ())
    ]
    assert [port.name for port in spec.inputs] == [name for name, _ in expected]
    for port, (name, wanted) in zip(spec.inputs, expected, strict=True):
        got = ours(port)
        if isinstance(port.choices, Files | InputFile):
            got, wanted = (*got[:4], *got[5:]), (*wanted[:4], *wanted[5:])
        assert got == wanted, name
        assert port.required == (name in groups["required"]), name
    assert [(slot.name, slot.type, slot.is_list) for slot in spec.outputs] == list(
        zip(entry["output_name"], entry["output"], entry["output_is_list"], strict=True)
    )
    assert spec.output_node == entry["output_node"]
    assert spec.category == entry["category"]
    assert spec.display_name == (entry["display_name"] or type)


@pytest.mark.parametrize("type", sorted(SPECS))
def test_a_node_says_what_it_does_in_a_sentence(type):
    assert SPECS[type].description.split("\n\n")[0].endswith(".")


def test_declaring_nodes_imports_nothing_that_computes():
    code = "import sys, nodes; nodes.vocabulary(); print({'torch', 'numpy', 'PIL', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
