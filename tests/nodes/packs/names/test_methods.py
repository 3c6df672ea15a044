import torch

from nodes.packs.names.classes import node_class
from nodes.packs.names.methods import METHODS


def test_no_type_stands_under_two_methods() -> None:
    assert METHODS["VAEDecode"] == "decode" and METHODS["ConditioningAverage"] == "addWeighted"
    for type, method in METHODS.items():
        assert callable(getattr(node_class(type), method)) and method == node_class(type).FUNCTION


def test_others_are_executed() -> None:
    (found,) = node_class("StringTrim").execute(" a ", "Both")
    assert found == "a" and node_class("StringTrim").FUNCTION == "execute"
    (crossed,) = node_class("ImageFlip")().flip(
        torch.arange(2.0).reshape(1, 1, 2, 1).repeat(1, 1, 1, 3), "y-axis: horizontally"
    )
    assert crossed[..., 0].flatten().tolist() == [1, 0]
