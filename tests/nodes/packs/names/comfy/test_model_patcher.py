import pytest

from engine.errors import NodeFailure
from nodes.packs.names.comfy import model_patcher
from nodes.packs.objects import to_foreign
from nodes.recipes import FileRef, Model


def test_a_model_is_known_by_its_type() -> None:
    model = to_foreign("MODEL", Model(FileRef("checkpoints", "a")))
    assert isinstance(model, model_patcher.ModelPatcher) and not isinstance("a", model_patcher.ModelPatcher)


def test_it_can_be_subclassed_and_not_made() -> None:
    class Own(model_patcher.ModelPatcher):
        pass

    with pytest.raises(NodeFailure, match=r"comfy\.model_patcher\.ModelPatcher"):
        Own(None)
