import pytest
import torch

from engine.errors import InputError
from engine.values import pack, unpack
from nodes.conditioning import (
    conditioning_average,
    conditioning_combine,
    conditioning_concat,
    conditioning_set_area,
    conditioning_set_area_percentage,
    conditioning_set_area_strength,
    conditioning_set_mask,
    conditioning_set_timestep_range,
    conditioning_zero_out,
)
from nodes.recipes import Cond, Conditioning


def cond(value, tokens=3, pooled=None, **options):
    pooled = None if pooled is None else torch.full((1, 2), float(pooled))
    return Cond(torch.full((1, tokens, 2), float(value)), pooled, options)


def one(*args, **options):
    return Conditioning((cond(*args, **options),))


def tokens(conditioning):
    return conditioning.entries[0].context[0, :, 0].tolist()


def test_combining_puts_parts_side_by_side():
    a, b = one(1), Conditioning((cond(2), cond(3)))
    assert conditioning_combine(a, b).entries == (*a.entries, *b.entries)


def test_concat_lengthens_each_part_by_the_first_of_the_other():
    to = Conditioning((cond(1, pooled=5, strength=0.5), cond(2, tokens=1)))
    result = conditioning_concat(to, Conditioning((cond(8, tokens=2), cond(9))))
    assert tokens(result) == [1, 1, 1, 8, 8]
    assert result.entries[1].context.shape == (1, 3, 2)
    assert result.entries[0].pooled is to.entries[0].pooled
    assert result.entries[0].options == {"strength": 0.5}


@pytest.mark.parametrize(("strength", "expected"), [(1.0, [4, 4, 4]), (0.25, [7, 7, 1]), (0.0, [8, 8, 0])])
def test_average_fills_a_shorter_prompt_with_zeros(strength, expected):
    assert tokens(conditioning_average(one(4), one(8, tokens=2), strength)) == expected


def test_average_cuts_a_longer_prompt():
    assert tokens(conditioning_average(one(4, tokens=2), one(8, tokens=9), 0.5)) == [6, 6]


@pytest.mark.parametrize(("own", "other", "expected"), [(4, 8, 7), (None, 8, 8), (4, None, 4), (None, None, None)])
def test_average_blends_pooled_vectors_where_both_have_one(own, other, expected):
    pooled = conditioning_average(one(1, pooled=own), one(1, pooled=other), 0.25).entries[0].pooled
    assert (None if pooled is None else pooled[0, 0].item()) == expected


@pytest.mark.parametrize("join", [conditioning_concat, conditioning_average])
def test_an_empty_conditioning_can_not_be_joined(join):
    with pytest.raises(InputError, match="empty"):
        join(one(1), Conditioning(()))


def test_areas_are_counted_in_cells():
    area = conditioning_set_area(one(1), width=100, height=64, x=15, y=16, strength=2.0).entries[0].options
    assert area == {"area": (8, 12, 2, 1), "strength": 2.0, "set_area_to_bounds": False}


def test_areas_in_parts_stay_parts():
    options = conditioning_set_area_percentage(one(1), 0.5, 0.25, 0.1, 0.2).entries[0].options
    assert options == {"area": ("percentage", 0.25, 0.5, 0.2, 0.1), "strength": 1.0, "set_area_to_bounds": False}


def test_settings_keep_what_was_set_before():
    marked = conditioning_set_area_strength(conditioning_set_timestep_range(one(1), 0.25, 0.5), 3.0)
    assert marked.entries[0].options == {"start_percent": 0.25, "end_percent": 0.5, "strength": 3.0}


@pytest.mark.parametrize(("choice", "bounds"), [("default", False), ("mask bounds", True)])
def test_a_mask_has_a_batch_axis(choice, bounds):
    options = conditioning_set_mask(one(1), torch.ones(4, 6), 0.5, set_cond_area=choice).entries[0].options
    assert options["mask"].shape == (1, 4, 6)
    assert (options["mask_strength"], options["set_area_to_bounds"]) == (0.5, bounds)


def test_zeroing_leaves_shape_and_options():
    zeroed = conditioning_zero_out(one(4, pooled=5, strength=2.0)).entries[0]
    assert not zeroed.context.any() and not zeroed.pooled.any()
    assert zeroed.context.shape == (1, 3, 2) and zeroed.options == {"strength": 2.0}
    assert conditioning_zero_out(one(4)).entries[0].pooled is None


def test_what_was_set_survives_a_wire():
    masked = conditioning_set_mask(one(1), torch.rand(1, 4, 6), 0.5, set_cond_area="default")
    sent = conditioning_set_area_percentage(masked, 0.5, 0.25)
    options = unpack(pack(sent)).entries[0].options
    assert options["area"] == ("percentage", 0.25, 0.5, 0.0, 0.0)
    assert torch.equal(options["mask"], sent.entries[0].options["mask"])
