"""Ports: what a value may be."""

import pytest

from engine.schema import Files, Mentions, Port


@pytest.mark.parametrize(
    ("type", "literal"),
    [
        ("INT", True),
        ("COMBO", True),
        ("LIST", True),
        ("IMAGE", False),
        ("*", False),
        ("INT,FLOAT", True),
        ("IMAGE,STRING", True),
        ("IMAGE,MASK", False),
    ],
)
def test_which_types_may_stand_in_the_workflow_itself(type: str, literal: bool):
    assert Port("x", type).literal is literal


def test_where_the_files_of_an_input_come_from():
    mentions = Mentions("embeddings", "(.*)")
    assert Port("x", "COMBO", choices=Files("vae")).files == Files("vae")
    assert Port("x", "STRING", mentions=mentions).files is mentions
    assert Port("x", "COMBO", choices=("a",)).files is None
