from dataclasses import replace

import pytest
import torch

from nodes.sampling.guidance import WEIGHTS, Guidance, Part, blended, classifier_free, paired, rescaled
from nodes.sampling.regions import Area, Region

X = torch.zeros(2, 4, 16, 16)
SIGMA = torch.tensor(2.0)


class Network:
    """Predicts the mean of its context everywhere. Keeps the batch of each call."""

    def __init__(self):
        self.calls = []

    def __call__(self, x, sigma, inputs):
        self.calls.append({k: v.shape if torch.is_tensor(v) else v for k, v in inputs.items()} | {"x": x.shape})
        return inputs["context"].mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x).clone()


def part(value, region=None, tokens=77, **inputs):
    context = torch.full((1, tokens, 8), float(value))
    return Part({"context": context, **inputs}, region or Region())


def shown(x):
    """The value that a prediction has all over."""
    assert x.unique().numel() == 1
    return x.flatten()[0].item()


def test_both_sides_go_through_the_network_once():
    network = Network()
    denoised = Guidance(network, [part(1)], [part(3)], scale=2.0)(X, SIGMA)
    assert shown(denoised) == 3 + (1 - 3) * 2
    assert [call["x"][0] for call in network.calls] == [4]


def test_scale_one_leaves_the_negative_out():
    network = Network()
    assert shown(Guidance(network, [part(1)], [part(3)], scale=1.0)(X, SIGMA)) == 1
    assert [call["x"][0] for call in network.calls] == [2]


def test_both_shows_the_unconditional_side_even_at_scale_one():
    guided, uncond = Guidance(Network(), [part(1)], [part(3)], scale=1.0).both(X, SIGMA)
    assert (shown(guided), shown(uncond)) == (1, 3)


def test_contexts_of_different_length_share_a_call_by_repetition():
    network = Network()
    cond, uncond = blended(network, [[part(1, tokens=154)], [part(3, tokens=77)]], X, SIGMA)
    assert (shown(cond), shown(uncond)) == (1, 3)
    assert [call["context"] for call in network.calls] == [(4, 154, 8)]


def test_joint_contexts_share_a_call_only_where_they_are_equally_long():
    network = Network()
    long, short, other = (replace(part(value, tokens=tokens), is_joint=True) for value, tokens in LENGTHS)
    cond, uncond = blended(network, [[long, other], [short]], X, SIGMA)
    assert (shown(cond), shown(uncond)) == (3, 3)
    assert [call["context"] for call in network.calls] == [(2, 154, 8), (4, 77, 8)]


LENGTHS = ((1, 154), (3, 77), (5, 77))


def test_contexts_that_would_grow_too_long_are_called_apart():
    network = Network()
    blended(network, [[part(1, tokens=77)], [part(3, tokens=77 * 5)]], X, SIGMA)
    assert [call["context"] for call in network.calls] == [(2, 77, 8), (2, 385, 8)]


def test_other_inputs_have_to_be_equal_to_share_a_call():
    network = Network()
    same, other = object(), object()
    parts = [part(1, control=same), part(2, control=same), part(3, control=other), part(4)]
    blended(network, [parts], X, SIGMA)
    assert [call["x"][0] for call in network.calls] == [4, 2, 2]


def test_inputs_are_repeated_to_the_batch():
    context = torch.stack([torch.full((77, 8), v) for v in (1.0, 2.0)])
    out = blended(Network(), [[Part({"context": context})]], torch.zeros(3, 4, 8, 8), SIGMA)[0]
    assert out[:, 0, 0, 0].tolist() == [1, 2, 1]


def test_several_parts_are_a_weighted_mean():
    parts = [part(1, Region(strength=3.0)), part(5, Region(strength=1.0))]
    assert shown(blended(Network(), [parts], X, SIGMA)[0]) == (3 * 1 + 5) / 4


def test_masks_weigh_cell_by_cell():
    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    parts = [part(1, Region(mask=mask)), part(5, Region(mask=1 - mask))]
    out = blended(Network(), [parts], X, SIGMA)[0]
    assert (shown(out[..., :8]), shown(out[..., 8:])) == (1, 5)


def test_areas_are_predicted_on_their_cut():
    network = Network()
    out = blended(network, [[part(1), part(5, Region(area=Area(8, 16, 8, 0)))]], X, SIGMA)[0]
    assert [call["x"] for call in network.calls] == [(2, 4, 16, 16), (2, 4, 8, 16)]
    assert shown(out[:, :, :8]) == 1
    assert shown(out[:, :, 10:]) == 3
    assert out[0, 0, 8, 0].item() == pytest.approx((1 + 5 * 0.5) / 1.5)


def test_parts_out_of_range_are_not_evaluated():
    network = Network()
    parts = [part(1, Region(first_sigma=1.0)), part(5, Region(last_sigma=1.0))]
    assert shown(blended(network, [parts], X, SIGMA)[0]) == 5
    assert len(network.calls) == 1


def test_a_side_without_an_active_part_is_zero():
    network = Network()
    assert shown(blended(network, [[part(1, Region(first_sigma=1.0))]], X, SIGMA)[0]) == 0
    assert network.calls == []


class TestPaired:
    area = Area(8, 8, 0, 0)

    def test_an_area_gets_a_counterpart_with_the_other_text(self):
        positive = [part(1), part(2, Region(area=self.area, strength=0.5, first_sigma=3.0))]
        negative = [part(7)]
        left, right = paired(positive, negative)
        assert list(left) == positive
        assert right[0] is negative[0]
        assert right[1].region is positive[1].region
        assert right[1].inputs == negative[0].inputs

    def test_an_area_that_is_there_is_left_alone(self):
        positive, negative = [part(1, Region(area=self.area))], [part(7, Region(area=self.area))]
        assert paired(positive, negative) == (tuple(positive), tuple(negative))

    def test_the_smallest_area_around_it_lends_its_text(self):
        negative = [part(7), part(8, Region(area=Area(16, 16, 0, 0))), part(9, Region(area=Area(12, 12, 0, 0)))]
        _, right = paired([part(1, Region(area=self.area))], negative)
        assert right[-1].inputs == negative[2].inputs

    def test_what_steers_it_comes_along_and_that_of_its_host_stays(self):
        positive = [Part({"context": 1, "control": "a"}, Region(area=self.area), steering=frozenset({"control"}))]
        negative = [Part({"context": 7, "control": "b", "boxes": "c"}, steering=frozenset({"control", "boxes"}))]
        _, (host, copy) = paired(positive, negative)
        assert host is negative[0]
        assert copy.inputs == {"context": 7, "control": "a"} and copy.steering == {"control"}
        _, (_, bare) = paired([part(1, Region(area=self.area))], negative)
        assert bare.inputs == {"context": 7}

    def test_parts_elsewhere_lend_nothing(self):
        _, right = paired([part(1, Region(area=self.area))], [part(8, Region(area=Area(8, 8, 8, 8)))])
        assert len(right) == 1

    def test_it_works_both_ways(self):
        left, right = paired([part(1)], [part(7, Region(area=self.area))])
        assert (len(left), len(right)) == (2, 1)


def test_rescaling_by_nothing_is_classifier_free_guidance():
    generator = torch.Generator().manual_seed(0)
    x, cond, uncond = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(3))

    def predict(x, _sigma, inputs):
        return torch.cat([cond, uncond])

    sides = ([part(1)], [part(3)])
    plain = Guidance(predict, *sides, rule=classifier_free(5.0))(x, SIGMA)
    torch.testing.assert_close(
        Guidance(predict, *sides, rule=rescaled(5.0, 0.0))(x, SIGMA), plain, rtol=1e-4, atol=1e-4
    )
    pulled = Guidance(predict, *sides, rule=rescaled(5.0, 1.0))(x, SIGMA)
    assert pulled.std() < plain.std()


def test_parts_under_other_weights_are_called_apart_and_say_which():
    network = Network()
    parts = [
        replace(part(value), weights=weights) for value, weights in ((1, ("a",)), (2, ()), (3, ("a",)), (4, ("b",)))
    ]
    (found,) = blended(network, [parts], X, SIGMA)
    assert shown(found) == 2.5
    assert [(call["x"][0], call.get(WEIGHTS)) for call in network.calls] == [(4, ("a",)), (2, None), (2, ("b",))]


class TestFilling:
    def test_a_part_fills_what_the_others_of_its_side_leave(self):
        mask = torch.zeros(1, 16, 16)
        mask[:, :4], mask[:, 4:8] = 1.0, 0.25
        masked = part(1, Region(mask=mask))
        filler = replace(part(5), fills=True)
        cond, uncond = blended(Network(), [[filler, masked], [part(3)]], X, SIGMA)
        torch.testing.assert_close(cond[0, 0, :, 0], torch.tensor([1.0] * 4 + [4.0] * 4 + [5.0] * 8))
        assert shown(uncond) == 3

    def test_strengths_above_one_leave_nothing(self):
        network = Network()
        (found,) = blended(network, [[part(1, Region(strength=1.5)), replace(part(5), fills=True)]], X, SIGMA)
        assert shown(found) == 1 and len(network.calls) == 1 and network.calls[0]["x"][0] == 2

    def test_areas_leave_what_is_around_them_and_bound_who_fills(self):
        inside = part(1, Region(Area(16, 8, 0, 0)))
        filler = replace(part(5, Region(Area(16, 12, 0, 4))), fills=True)
        (found,) = blended(Network(), [[inside, filler, part(9, Region(Area(16, 8, 0, 8), last_sigma=3.0))]], X, SIGMA)
        assert found[0, 0, 0, 0] == 1 and found[0, 0, 0, 15] == 5

    def test_alone_it_fills_everything(self):
        assert shown(blended(Network(), [[replace(part(5), fills=True)]], X, SIGMA)[0]) == 5

    def test_out_of_its_range_it_fills_nothing(self):
        late = replace(part(5, Region(first_sigma=1.0)), fills=True)
        assert shown(blended(Network(), [[part(1, Region(strength=0.5)), late]], X, SIGMA)[0]) == 1


def test_a_counterpart_has_the_weights_of_its_area():
    area = replace(part(1, Region(Area(8, 8, 0, 0))), weights=("a",))
    _, negative = paired([part(2), area], [replace(part(3), weights=("b",))])
    assert [each.weights for each in negative] == [("b",), ("a",)]
