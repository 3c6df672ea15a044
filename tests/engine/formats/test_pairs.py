"""Real workflows, as saved and as the official frontend converts them.

Every pair must give the same graph, up to the ids of nodes inside subgraphs. What may differ is listed below, with the
reason; the list is part of the documentation of the converter.
"""

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from engine.formats import Catalogue, catalogue_from_object_info, load
from tests.engine.formats.same_graph import differences

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[4] / "shared"))
PAIRS = sorted((REFERENCE / "corpus" / "pairs").glob("*/saved.json"))

DEVIATIONS: dict[str, str] = {}
"""Pair name -> why our graph differs from the frontend's. At most eight; none so far."""

MADE_ON = datetime(2026, 11, 22)
"""The day on which the frontend converted the pairs: one of them puts the date into its file names."""

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not PAIRS, reason="the reference folder (LOOMIS_REFERENCE) has no pairs"),
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalogue_from_object_info(json.loads((REFERENCE / "corpus" / "object_info.json").read_text()))


@pytest.mark.parametrize("saved", PAIRS, ids=lambda path: path.parent.name)
def test_a_pair_gives_the_same_graph(saved, catalogue):
    loaded = load(saved, catalogue, now=MADE_ON)
    found = differences(loaded.prompt, json.loads(saved.with_name("api.json").read_text()))
    assert bool(found) == (saved.parent.name in DEVIATIONS), "\n".join(found)


def test_the_count_of_equal_pairs(capsys):
    with capsys.disabled():
        print(
            f"\n{len(PAIRS) - len(DEVIATIONS)} of {len(PAIRS)} pairs are equal, {len(DEVIATIONS)} documented deviations"
        )
    assert len(DEVIATIONS) <= 8
