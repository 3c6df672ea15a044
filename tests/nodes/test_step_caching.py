import pytest

from engine.values import pack, unpack
from nodes.network_options import StepCaching
from nodes.recipes import FileRef, Model
from nodes.step_caching import easy_cache, lazy_cache

MODEL = Model(FileRef("checkpoints", "tiny"))


@pytest.mark.parametrize(("node", "guided"), [(easy_cache, False), (lazy_cache, True)])
def test_steps_of_a_model_are_skipped_as_its_options_say(node, guided):
    model = node(MODEL, 0.3, 0.1, 0.8, True)
    assert model.options == (StepCaching(0.3, 0.1, 0.8, guided, True),)
    assert unpack(pack(model)) == model
