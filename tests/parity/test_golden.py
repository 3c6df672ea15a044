"""The golden cases give the reference's latents and pictures. Without the reference folder there are none."""

from dataclasses import dataclass

import pytest
import torch

from tests.parity.cases import Case, cases
from tests.parity.compare import ENOUGH, GREY_LEVELS, measure, reference_engine

CASES = [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.slow else []) for case in cases()]

pytestmark = pytest.mark.reference


@dataclass(frozen=True, slots=True)
class Renamed(Case):
    """A case whose nodes have other ids, in the same order."""

    @property
    def workflow(self):
        given = Case(self.folder).workflow
        names = {id: f"node {id}" for id in given}

        def linked(value):
            return [names[value[0]], value[1]] if isinstance(value, list) and value[0] in names else value

        return {
            names[id]: {**node, "inputs": {name: linked(value) for name, value in node["inputs"].items()}}
            for id, node in given.items()
        }


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with reference_engine(tmp_path_factory.mktemp("parity")) as engine:
        yield engine


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_a_case_gives_the_references_latent_and_picture(engine, case):
    row = measure(engine, case)
    assert not row.decibels < ENOUGH
    assert row.worst <= GREY_LEVELS


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", [case for case in CASES if case.id in ("euler_normal", "batch3", "xl_euler_normal")])
def test_names_and_threads_change_nothing(tmp_path, case):
    """The same case with other ids and one thread stays within the bounds, with nothing remembered."""
    renamed = Renamed(case.folder)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with reference_engine(tmp_path) as engine:
            row = measure(engine, renamed)
    finally:
        torch.set_num_threads(before)
    assert row.passes
