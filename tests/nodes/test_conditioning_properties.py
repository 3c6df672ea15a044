import pytest
import torch

from nodes.conditioning_properties import (
    conditioning_set_default_combine,
    conditioning_set_properties,
    conditioning_set_properties_and_combine,
    pair_conditioning_combine,
    pair_conditioning_set_default_combine,
    pair_conditioning_set_properties,
    pair_conditioning_set_properties_and_combine,
)
from nodes.recipes import Cond, Conditioning, FileRef
from nodes.weight_hooks import WeightHook

HOOKS = (WeightHook(FileRef("loras", "lora"), 1.0, 1.0),)
OTHERS = (WeightHook(FileRef("loras", "other"), 1.0, 1.0),)
MASK = torch.ones(2, 4, 4)


def one(**options):
    return Conditioning((Cond(torch.ones(1, 3, 2), None, options),))


A, B, C, D = (one(name=name) for name in "abcd")


def options(conditioning):
    return [dict(cond.options) for cond in conditioning.entries]


def set_all(conditioning, **more):
    return conditioning_set_properties(conditioning, 0.5, set_cond_area="default", **more)


def test_without_mask_hooks_and_range_nothing_changes():
    assert options(set_all(one(strength=0.3))) == [{"strength": 0.3}]


@pytest.mark.parametrize(("area", "to_bounds"), [("default", False), ("mask bounds", True)])
def test_a_mask_counts_with_its_strength(area, to_bounds):
    (found,) = options(conditioning_set_properties(A, 0.5, set_cond_area=area, mask=MASK[0]))
    assert found.pop("mask").shape == (1, 4, 4)
    assert found == {"name": "a", "mask_strength": 0.5, "set_area_to_bounds": to_bounds}


def test_hooks_come_beside_those_that_a_prompt_has():
    assert options(set_all(one(hooks=OTHERS), hooks=HOOKS)) == [{"hooks": (*OTHERS, *HOOKS)}]
    assert options(set_all(one(hooks=HOOKS), hooks=HOOKS)) == [{"hooks": HOOKS}]


def test_a_range_says_when_a_prompt_counts():
    assert options(set_all(one(), timesteps=(0.2, 0.7))) == [{"start_percent": 0.2, "end_percent": 0.7}]


def test_a_prompt_that_is_combined_comes_last_and_alone_has_the_properties():
    found = conditioning_set_properties_and_combine(A, B, set_cond_area="default", hooks=HOOKS)
    assert options(found) == [{"name": "a"}, {"name": "b", "hooks": HOOKS}]


def test_a_prompt_that_fills_is_marked_as_such():
    found = conditioning_set_default_combine(A, B, HOOKS)
    assert options(found) == [{"name": "a"}, {"name": "b", "hooks": HOOKS, "default": True}]
    assert options(conditioning_set_default_combine(A, B))[1] == {"name": "b", "default": True}


def test_pairs_are_treated_alike():
    both = {"set_cond_area": "default", "hooks": HOOKS, "timesteps": (0.0, 0.5)}
    positive, negative = pair_conditioning_set_properties(A, B, **both)
    assert options(positive) == options(conditioning_set_properties(A, **both))
    assert options(negative) == options(conditioning_set_properties(B, **both))
    positive, negative = pair_conditioning_set_properties_and_combine(A, B, C, D, **both)
    assert [each["name"] for each in options(positive) + options(negative)] == ["a", "c", "b", "d"]
    assert "hooks" not in options(positive)[0] and options(negative)[1]["hooks"] == HOOKS
    positive, negative = pair_conditioning_set_default_combine(A, B, C, D, HOOKS)
    assert [each.get("default") for each in options(positive) + options(negative)] == [None, True, None, True]
    positive, negative = pair_conditioning_combine(A, B, C, D)
    assert [each["name"] for each in options(positive) + options(negative)] == ["a", "c", "b", "d"]
