import pytest

from engine.errors import InputError, NodeFailure
from nodes.packs.names import answer
from nodes.packs.names.comfy import samplers
from nodes.packs.objects import from_foreign
from nodes.recipes import Sampler
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.solvers import SOLVERS


def test_the_lists_are_those_that_our_nodes_offer() -> None:
    assert samplers.KSampler.SAMPLERS == list(SOLVERS) == samplers.SAMPLER_NAMES
    assert set(samplers.KSampler.SCHEDULERS) == set(SCHEDULES) == set(samplers.SCHEDULER_HANDLERS)
    assert [*samplers.KSampler.SAMPLERS, "own"][-1] == "own"


def test_the_rest_is_placeholders() -> None:
    with pytest.raises(NodeFailure, match=r"comfy\.samplers\.encode_model_conds"):
        answer("comfy.samplers").encode_model_conds(1)  # type: ignore[union-attr]


def test_a_solver_has_a_name_and_settings() -> None:
    found = samplers.ksampler("dpmpp_sde", {"eta": 0.5})
    assert from_foreign("SAMPLER", found) == Sampler("dpmpp_sde", {"eta": 0.5})
    with pytest.raises(InputError, match="no sampler 'own'"):
        samplers.sampler_object("own")
    with pytest.raises(InputError, match="no schedule 'own'"):
        samplers.calculate_sigmas(None, "own", 3)
