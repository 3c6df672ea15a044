import pytest

from engine.errors import NodeFailure
from nodes.packs.names.comfy import samplers
from nodes.sampling.schedules import SCHEDULES
from nodes.sampling.solvers import SOLVERS


def test_the_lists_are_those_that_our_nodes_offer() -> None:
    assert samplers.KSampler.SAMPLERS == list(SOLVERS) == samplers.SAMPLER_NAMES
    assert set(samplers.KSampler.SCHEDULERS) == set(SCHEDULES) == set(samplers.SCHEDULER_HANDLERS)
    assert [*samplers.KSampler.SAMPLERS, "own"][-1] == "own"


def test_the_class_can_be_subclassed_and_not_made() -> None:
    class Own(samplers.KSampler):
        pass

    with pytest.raises(NodeFailure, match=r"comfy\.samplers\.KSampler"):
        Own()
    with pytest.raises(NodeFailure, match=r"comfy\.samplers\.CFGGuider"):
        samplers.CFGGuider(1)
