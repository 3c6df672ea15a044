import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    Cancelled,
    Fault,
    FileError,
    InputError,
    LoomisError,
    ModelError,
    NodeFailure,
    OutOfMemory,
    Raised,
    SettingError,
    StoreError,
    ValidationError,
    WorkflowError,
)
from server.report import EXIT_CODES, exit_code, printable, raised_data, report

FAULTS = [
    Fault("value_bigger_than_max", "Node 3 (KSampler), input steps: 0 is too small.", "3", "KSampler", "steps", "0",
          "at least 1", "Use 1 or more.", ("9",)),
    Fault("missing_node_type", "There is no node type 'KSamplr'.", "4", "KSamplr"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InputError, 1),
        (NodeFailure, 1),
        (OutOfMemory, 1),
        (StoreError, 1),
        (SettingError, 2),
        (WorkflowError, 2),
        (FileError, 3),
        (ModelError, 3),
        (Cancelled, 130),
    ],
)
def test_every_error_has_an_exit_code(kind, code):
    assert exit_code(kind("no")) == code
    assert code in EXIT_CODES


def test_a_block_says_where_what_was_got_and_expected_and_what_to_do(capsys):
    report(
        InputError("It is too wide.", node="3", class_type="X", input="w", got=9, expected="8", hint="Use 8."), False
    )
    assert capsys.readouterr().err.splitlines() == [
        "error: It is too wide.",
        "  where     node 3 (X), input w",
        "  got       9",
        "  expected  8",
        "  do        Use 8.",
    ]


def test_every_fault_is_listed(capsys):
    report(ValidationError(FAULTS), False)
    assert capsys.readouterr().err.splitlines() == [
        "The workflow has 2 faults.",
        "error: Node 3 (KSampler), input steps: 0 is too small.",
        "  got       0",
        "  expected  at least 1",
        "  do        Use 1 or more.",
        "  stops     node 9",
        "error: There is no node type 'KSamplr'.",
        "  where     node 4 (KSamplr)",
    ]


def test_json_has_the_same_and_goes_to_standard_output(capsys):
    report(ValidationError(FAULTS), True)
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert err == ""
    assert error["code"] == "invalid_workflow"
    assert error["faults"][0]["outputs"] == ["9"]
    assert error["faults"][1] == {
        "code": "missing_node_type",
        "message": "There is no node type 'KSamplr'.",
        "node": "4",
        "class_type": "KSamplr",
    }


def test_where_an_error_was_raised_is_for_clients_alone(capsys):
    error = LoomisError("No.")
    assert raised_data(error) == {}
    error.raised = Raised(("  File here\n",), {"text": ("a cat",)})
    assert raised_data(error) == {"raised": {"traceback": ("  File here\n",), "inputs": {"text": ("a cat",)}}}
    report(error, False)
    report(error, True)
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"error": {"code": "error", "message": "No."}}, "error: No.\n")


def test_long_values_are_cut(capsys):
    report(LoomisError("No.", got="x" * 10_000), False)
    assert len(capsys.readouterr().err) < 300


def test_cancelled_is_short(capsys):
    report(Cancelled("The run was cancelled."), False)
    assert capsys.readouterr().err == "Cancelled. What was finished stays remembered.\n"


@given(st.text())
def test_no_text_steers_the_terminal(text):
    assert all(char.isprintable() or char in "\n\t" for char in printable(text))


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_plain_text_stays(text):
    assert printable(text) == text
