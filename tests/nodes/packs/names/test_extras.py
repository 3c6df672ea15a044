import pytest
import torch

from engine.errors import NodeFailure
from nodes.packs.names import answer
from nodes.packs.names.classes import node_class
from nodes.packs.names.extras import NAMED


def test_a_class_is_our_node_of_that_name() -> None:
    modules = answer("comfy_extras")
    assert modules is not None
    assert modules.nodes_latent.LatentBatch is node_class("LatentBatch")
    assert answer("comfy_extras.nodes_post_processing").Blend is node_class("ImageBlend")  # type: ignore[union-attr]
    for type in NAMED.values():
        assert node_class(type).FUNCTION


def test_others_are_placeholders() -> None:
    module = answer("comfy_extras.nodes_lt")
    assert module is not None
    with pytest.raises(NodeFailure, match=r"comfy_extras\.nodes_lt\.get_noise_mask"):
        module.get_noise_mask(torch.zeros(1))
    assert not hasattr(module, "__wrapped__")
