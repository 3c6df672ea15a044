import pytest
import torch

from nodes.sampling.noise import background_noise, joined, noise_for, start, starting_noise
from nodes.sampling.noise_levels import FlowLevels, stable_diffusion
from nodes.sampling.process import FLOW

SHAPE = (3, 4, 8, 8)
SIGMAS = torch.tensor([10.0, 5.0, 2.0, 1.0, 0.5, 0.0])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_starting_noise_is_one_draw_of_the_whole_batch():
    assert torch.equal(starting_noise(7, SHAPE), torch.randn(SHAPE, generator=seeded(7)))


def test_a_picture_of_a_batch_has_not_the_noise_of_the_next_seed():
    assert not torch.equal(starting_noise(7, SHAPE)[1], starting_noise(8, SHAPE)[0])


def test_seeds_have_64_bits():
    largest = 2**64 - 1
    assert torch.equal(starting_noise(largest, SHAPE), torch.randn(SHAPE, generator=seeded(largest)))
    assert torch.equal(background_noise(largest, SHAPE), starting_noise(0, SHAPE))


def test_batch_index_picks_from_a_series_of_single_draws():
    generator = seeded(5)
    series = [torch.randn(1, 4, 8, 8, generator=generator) for _ in range(4)]
    assert torch.equal(starting_noise(5, SHAPE, (3, 0, 3)), torch.cat([series[3], series[0], series[3]]))


def test_background_noise_comes_from_the_next_seed():
    assert torch.equal(background_noise(5, SHAPE), starting_noise(6, SHAPE))


def test_a_run_from_the_largest_level_starts_from_full_noise():
    levels = stable_diffusion()
    latent, noise = torch.full(SHAPE, 2.0), starting_noise(1, SHAPE)
    sigma = levels.table[-1]
    torch.testing.assert_close(start(latent, noise, sigma, levels), latent + noise * (1 + sigma**2).sqrt())
    just_below = sigma * (1 - 1e-4)
    torch.testing.assert_close(start(latent, noise, just_below, levels), latent + noise * just_below)


def test_a_flow_starts_from_a_mixture():
    latent, noise = torch.full(SHAPE, 2.0), starting_noise(1, SHAPE)
    x = start(latent, noise, torch.tensor(0.25), FlowLevels(), FLOW)
    torch.testing.assert_close(x, 0.75 * latent + 0.25 * noise)


@pytest.mark.parametrize(("rule", "seed"), [("same-seed", 3), ("next-seed", 4)])
def test_ancestral_noise_on_the_cpu_follows_the_rule(rule, seed):
    x = torch.zeros(SHAPE)
    noise = noise_for("ancestral", 3, x, SIGMAS, rule)
    generator = seeded(seed)
    for _ in range(2):
        assert torch.equal(noise(SIGMAS[0], SIGMAS[1]), torch.randn(SHAPE, generator=generator))


def test_with_the_old_rule_the_first_ancestral_noise_is_the_starting_noise():
    noise = noise_for("ancestral", 3, torch.zeros(SHAPE), SIGMAS, "same-seed")
    assert torch.equal(noise(SIGMAS[0], SIGMAS[1]), starting_noise(3, SHAPE))


def test_no_noise_is_zero():
    assert not noise_for("none", 3, torch.zeros(SHAPE), SIGMAS)(SIGMAS[0], SIGMAS[1]).any()


class TestBrownian:
    x = torch.zeros(2, 4, 32, 32)

    def noise(self, seed=11):
        return noise_for("brownian", seed, self.x, SIGMAS)

    def test_increments_have_unit_variance(self):
        increments = self.noise()(SIGMAS[1], SIGMAS[2])
        assert increments.mean().item() == pytest.approx(0, abs=0.05)
        assert increments.std().item() == pytest.approx(1, abs=0.05)

    def test_the_same_levels_give_the_same_noise_in_any_order(self):
        first, second = self.noise(), self.noise()
        a, b = first(SIGMAS[0], SIGMAS[1]), first(SIGMAS[1], SIGMAS[2])
        assert torch.equal(second(SIGMAS[1], SIGMAS[2]), b)
        assert torch.equal(second(SIGMAS[0], SIGMAS[1]), a)

    def test_increments_add_up(self):
        noise = self.noise()
        s = SIGMAS
        whole = noise(s[0], s[2]) * (s[0] - s[2]).sqrt()
        parts = noise(s[0], s[1]) * (s[0] - s[1]).sqrt() + noise(s[1], s[2]) * (s[1] - s[2]).sqrt()
        torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-4)

    def test_going_up_is_going_down_with_the_other_sign(self):
        noise = self.noise()
        assert torch.equal(noise(SIGMAS[2], SIGMAS[1]), -noise(SIGMAS[1], SIGMAS[2]))

    def test_levels_outside_the_run_by_rounding_are_drawn_without_a_warning(self):
        noise = self.noise()
        assert torch.isfinite(noise(SIGMAS[0] * (1 + 1e-6), SIGMAS[1])).all()

    def test_known_values(self):
        x = torch.zeros(1, 1, 1, 2)
        drawn = noise_for("brownian", 1, x, SIGMAS)(SIGMAS[0], SIGMAS[1])
        torch.testing.assert_close(drawn.flatten(), torch.tensor(KNOWN), rtol=0, atol=2e-6)

    def test_a_run_of_one_step_builds_no_tree(self):
        noise_for("brownian", 1, self.x, torch.tensor([10.0, 0.0]))


KNOWN = [-0.267452, 1.672116]
"""Of the path that made the reference's pictures with dpmpp_sde."""


@pytest.mark.parametrize("kind", ["ancestral", "none"])
def test_noise_may_have_another_size(kind):
    x, small, large = torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 4, 6), torch.zeros(2, 4, 16, 8)
    noise = noise_for(kind, 3, x, SIGMAS)
    drawn = [noise(SIGMAS[0], SIGMAS[1]), noise.like(small), noise.like(large)]
    assert [each.shape for each in drawn] == [x.shape, small.shape, large.shape]
    generator = seeded(4)
    expected = [torch.randn(each.shape, generator=generator) * (kind == "ancestral") for each in (x, small, large)]
    assert all(torch.equal(*pair) for pair in zip(drawn, expected, strict=True))


def test_parts_of_a_batch_have_noise_of_their_own_in_another_size_too():
    x, large = torch.zeros(1, 4, 8, 8), torch.zeros(2, 4, 16, 8)
    noises = [noise_for("ancestral", seed, x, SIGMAS) for seed in (3, 5)]
    alone = [noise_for("ancestral", seed, x, SIGMAS).like(large[:1]) for seed in (3, 5)]
    assert torch.equal(joined(noises).like(large), torch.cat(alone))
