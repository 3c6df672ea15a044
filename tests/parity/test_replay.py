"""Pictures that ComfyUI made are made again from what they carry, within the bounds of parity."""

import pytest

from server.replay import replay
from server.settings import Options
from tests.parity.cases import MODELS, cases, inputs, make_models
from tests.parity.compare import GREY_LEVELS

REPLAYED = ("euler_normal", "img2img_06")
CASES = [pytest.param(case, id=case.name) for case in cases() if case.name in REPLAYED]

pytestmark = pytest.mark.reference


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_a_picture_of_the_reference_replays(case, tmp_path):
    make_models(case)
    options = Options(
        models=(MODELS,), input=inputs(), data=tmp_path, device="cpu", precision="fp32", ancestral_noise="same-seed"
    )
    (picture,) = case.pictures
    found = replay(picture, options)
    assert found.within(GREY_LEVELS)
    assert found.changed == ()
