"""The golden cases give the reference's latents and pictures. Without the reference folder there are none."""

import pytest

from tests.parity.cases import cases
from tests.parity.compare import ENOUGH, GREY_LEVELS, measure, reference_engine

CASES = [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.slow else []) for case in cases()]

pytestmark = pytest.mark.reference


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
