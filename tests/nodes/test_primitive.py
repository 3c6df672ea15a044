import pytest
import torch

from nodes.primitive import (
    preview_any,
    primitive_boolean,
    primitive_float,
    primitive_int,
    primitive_string,
    primitive_string_multiline,
)
from nodes.recipes import FileRef, Vae


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (primitive_int, 2**63 - 1),
        (primitive_float, -0.5),
        (primitive_boolean, False),
        (primitive_string, "a"),
        (primitive_string_multiline, "a\nb"),
    ],
)
def test_a_primitive_gives_its_value(function, value):
    assert function(value) is value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a fox", "a fox"),
        (3, "3"),
        (0.5, "0.5"),
        (True, "True"),
        (None, "None"),
        ([1, {"a": "ü"}], '[1, {"a": "ü"}]'),
        (torch.tensor([1.0]), "tensor([1.])"),
        ([torch.tensor(1)], "[tensor(1)]"),
        (Vae(FileRef("vae", "f1")), "Vae(file=FileRef(folder='vae', fingerprint='f1'))"),
    ],
)
def test_any_value_is_shown_as_text(value, text):
    shown = preview_any(value)
    assert shown.result is None and shown.notes == {"text": [text]}
