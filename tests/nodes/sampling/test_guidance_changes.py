import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.sampling.guidance import Sides, classifier_free
from nodes.sampling.guidance_changes import changes, tangential


def noise(seed, *shape):
    return torch.randn(shape or (2, 3, 4, 4), generator=torch.Generator().manual_seed(seed))


SIDES = Sides(noise(0), torch.tensor(2.0), noise(1), noise(2))
PLAIN = classifier_free(3.0)(SIDES)


def guided(name, scale=3.0, sides=SIDES, **settings):
    return changes([(name, settings)]).around(classifier_free)(scale)(sides)


@pytest.mark.parametrize(("name", "settings"), [
    ("projected", {"eta": 1.0, "norm_threshold": 0.0, "momentum": 0.0}),
    ("frequencies", {"low": 1.0, "high": 1.0, "cutoff": 2}),
    ("scaled_noise", {"factor": 1.0}),
    ("rising", {"lowest": 3.0}),
    ("triangular", {"lowest": 3.0}),
])  # fmt: skip
def test_neutral_settings_are_plain_guidance(name, settings):
    torch.testing.assert_close(guided(name, **settings), PLAIN)


class TestProjected:
    def test_without_the_parallel_part_the_step_is_at_a_right_angle_to_cond(self):
        found = guided("projected", eta=0.0, norm_threshold=0.0, momentum=0.0)
        step = (found - SIDES.cond).flatten(1)
        torch.testing.assert_close((step * SIDES.cond.flatten(1)).sum(1), torch.zeros(2), atol=1e-3, rtol=0)
        assert step.norm() > 1

    @given(st.floats(0.1, 20))
    def test_a_step_is_cut_to_a_length(self, longest):
        found = guided("projected", scale=2.0, eta=1.0, norm_threshold=longest, momentum=0.0)
        assert ((found - SIDES.cond).flatten(1).norm(dim=1) <= longest * 1.001).all()

    def test_momentum_adds_earlier_steps_and_a_run_begins_anew(self):
        rule = changes([("projected", {"eta": 1.0, "norm_threshold": 0.0, "momentum": 0.5})]).around(classifier_free)(
            3.0
        )
        torch.testing.assert_close(rule(SIDES), PLAIN)
        torch.testing.assert_close(rule(SIDES), SIDES.cond + 2 * 1.5 * (SIDES.cond - SIDES.uncond))


def test_tangential_damping_keeps_what_is_shared():
    same = Sides(SIDES.x, SIDES.sigma, SIDES.cond, SIDES.cond * 0.5)
    torch.testing.assert_close(
        guided("tangential", sides=same), SIDES.cond * 0.5 + 1.5 * SIDES.cond, atol=1e-4, rtol=1e-4
    )
    across = Sides(SIDES.x, SIDES.sigma, SIDES.cond, noise(2) * 1e-3)
    torch.testing.assert_close(guided("tangential", sides=across), SIDES.cond * 3, atol=0.1, rtol=0.1)


def test_the_main_direction_is_the_first_singular_vector_of_both_sides():
    cond, uncond = noise(3), noise(4)
    pair = torch.stack([cond.flatten(1), uncond.flatten(1)], 1).double()
    main = torch.linalg.svd(pair, full_matrices=False).Vh[:, :1]
    along = ((pair[:, 1:] @ main.mT) @ main).reshape(uncond.shape).float()
    torch.testing.assert_close(tangential(Sides(cond, SIDES.sigma, cond, uncond), 3.0).uncond, along)


def test_frequencies_are_scaled_apart():
    plain = torch.ones(1, 1, 8, 8)
    checkered = torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    sides = Sides(plain, SIDES.sigma, plain + checkered, torch.zeros(1, 1, 8, 8))
    found = guided("frequencies", 2.0, sides, low=0.5, high=3.0, cutoff=1)
    torch.testing.assert_close(found, 2 * (0.5 * plain + 3 * checkered))


def test_frames_are_guided_by_different_strengths():
    sides = Sides(torch.zeros(5, 1, 1, 1), SIDES.sigma, torch.ones(5, 1, 1, 1), torch.zeros(5, 1, 1, 1))
    assert guided("rising", 5.0, sides, lowest=1.0).flatten().tolist() == [1, 2, 3, 4, 5]
    assert guided("triangular", 5.0, sides, lowest=1.0).flatten().tolist() == [1, 3, 5, 3, 1]


def test_the_negative_side_is_scaled_to_fit():
    x = SIDES.x
    sides = Sides(x, SIDES.sigma, SIDES.cond, x - (x - SIDES.cond))
    torch.testing.assert_close(guided("optimized", sides=sides), SIDES.cond)


def test_a_norm_is_cut_to_that_of_cond():
    found = guided("normed", strength=1.0)
    assert (found.norm(dim=1) <= SIDES.cond.norm(dim=1) * 1.001).all()
    torch.testing.assert_close(guided("normed", strength=0.5), found * 0.5)


def test_directed_guidance_lies_between_guidance_and_the_leap():
    found, leap = guided("directed"), SIDES.cond * 3
    share = ((found - leap) / (PLAIN - leap)).median()
    torch.testing.assert_close(found, share * PLAIN + (1 - share) * leap, atol=1e-3, rtol=1e-3)
    assert 0 <= share <= 1


def test_noise_is_divided():
    torch.testing.assert_close(guided("scaled_noise", factor=1.25), SIDES.x - (SIDES.x - PLAIN) / 1.25)


def test_changes_go_one_after_the_other():
    both = changes([("scaled_noise", {"factor": 2.0}), ("normed", {"strength": 0.5})]).around(classifier_free)(3.0)(
        SIDES
    )
    half = SIDES.x - (SIDES.x - PLAIN) / 2
    assert both.shape == half.shape and (both.norm(dim=1) <= half.norm(dim=1) * 0.5001).all()


class TestBounded:
    def test_below_the_level_the_result_is_cut_to_a_length(self):
        found = guided("bounded", first_sigma=100.0, longest=0.5)
        lengths = [x.flatten(1).norm(dim=1) for x in (found, SIDES.cond, PLAIN)]
        torch.testing.assert_close(lengths[0], 0.5 * lengths[1])
        torch.testing.assert_close(found * (lengths[2] / lengths[0]).view(-1, 1, 1, 1), PLAIN)
        assert torch.equal(guided("bounded", first_sigma=100.0, longest=0.0), PLAIN)

    def test_from_the_level_on_there_is_no_guidance(self):
        assert torch.equal(guided("bounded", first_sigma=2.0, longest=1.0), SIDES.cond)


def test_an_operation_changes_the_step_between_the_sides():
    found = guided("operated", operation=lambda step: step * 2)
    torch.testing.assert_close(found, SIDES.uncond + 3 * 2 * (SIDES.cond - SIDES.uncond))
