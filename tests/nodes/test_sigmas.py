import pytest
import torch

from engine.errors import InputError
from nodes.recipes import FileRef, Model
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.schedules import SCHEDULES, beta_sigmas
from nodes.sigmas import (
    align_your_steps_scheduler,
    basic_scheduler,
    beta_sampling_scheduler,
    exponential_scheduler,
    karras_scheduler,
    laplace_scheduler,
    polyexponential_scheduler,
    sd_turbo_scheduler,
    vp_scheduler,
)

MODEL = Model(FileRef("checkpoints", "tiny"))
LEVELS = stable_diffusion()


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_basic_scheduler_has_every_schedule(ctx, name):
    assert torch.equal(basic_scheduler(ctx, MODEL, scheduler=name, steps=7), SCHEDULES[name](LEVELS, 7))


def test_a_part_of_a_schedule_is_its_end(ctx):
    part = basic_scheduler(ctx, MODEL, scheduler="normal", steps=5, denoise=0.5)
    assert torch.equal(part, SCHEDULES["normal"](LEVELS, 10)[-6:])
    assert len(basic_scheduler(ctx, MODEL, scheduler="normal", steps=5, denoise=0.0)) == 0


def test_karras_and_exponential_with_the_models_ends_are_its_schedules():
    torch.testing.assert_close(karras_scheduler(9), SCHEDULES["karras"](LEVELS, 9), rtol=1e-4, atol=0)
    torch.testing.assert_close(exponential_scheduler(9), SCHEDULES["exponential"](LEVELS, 9), rtol=1e-4, atol=0)
    torch.testing.assert_close(polyexponential_scheduler(9), exponential_scheduler(9), rtol=1e-4, atol=0)


def test_the_beta_scheduler_takes_both_shapes(ctx):
    assert torch.equal(beta_sampling_scheduler(ctx, MODEL, 8), SCHEDULES["beta"](LEVELS, 8))
    assert torch.equal(beta_sampling_scheduler(ctx, MODEL, 8, 2.0, 0.5), beta_sigmas(LEVELS, 8, 2.0, 0.5))


def test_laplace_stays_between_its_ends():
    sigmas = laplace_scheduler(20, 10.0, 0.1, 0.0, 0.5)
    assert sigmas[:-1].max() <= 10.0 and sigmas[:-1].min() >= 0.1
    assert sigmas[10].item() == pytest.approx(1.0, rel=0.2)


def test_vp_begins_at_the_end_of_its_time():
    sigmas = vp_scheduler(5)
    assert sigmas[0].item() == pytest.approx((torch.tensor(19.9 / 2 + 0.1).exp() - 1).sqrt().item(), rel=1e-5)
    assert sigmas[-1] == 0 and len(sigmas) == 6


@pytest.mark.parametrize(
    ("steps", "denoise", "timesteps"), [(1, 1.0, [999]), (3, 1.0, [999, 899, 799]), (4, 0.5, [499, 399, 299, 199])]
)
def test_turbo_takes_the_first_of_ten_timesteps(ctx, steps, denoise, timesteps):
    sigmas = sd_turbo_scheduler(ctx, MODEL, steps, denoise)
    torch.testing.assert_close(sigmas, torch.tensor([*LEVELS.table[timesteps], 0.0]), rtol=1e-6, atol=0)


def test_turbo_has_no_more_steps_than_are_left(ctx):
    assert len(sd_turbo_scheduler(ctx, MODEL, 5, 0.25)) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda ctx: karras_scheduler(rho=0.0),
        lambda ctx: exponential_scheduler(sigma_min=0.0),
        lambda ctx: polyexponential_scheduler(sigma_max=0.0),
        lambda ctx: beta_sampling_scheduler(ctx, MODEL, alpha=0.0),
    ],
)
def test_zero_is_refused_where_no_schedule_comes_of_it(ctx, call):
    with pytest.raises(InputError, match="can't be 0"):
        call(ctx)


class TestAlignYourSteps:
    @pytest.mark.parametrize(("kind", "published"), [
        ("SD1", [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.0]),
        ("SDXL", [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.0]),
        ("SVD", [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.0]),
    ])  # fmt: skip
    def test_ten_steps_are_those_of_the_paper(self, kind, published):
        found = align_your_steps_scheduler(model_type=kind, steps=10)
        torch.testing.assert_close(found, torch.tensor(published), atol=4e-3, rtol=0)

    def test_other_counts_keep_the_ends_and_fall(self):
        for count in (1, 3, 25):
            found = align_your_steps_scheduler(model_type="SD1", steps=count)
            assert len(found) == count + 1 and found[-1] == 0
            torch.testing.assert_close(found[0], LEVELS.table[-1])
            assert (found.diff() < 0).all()

    def test_a_part_is_the_end(self):
        whole = align_your_steps_scheduler(model_type="SDXL", steps=10)
        assert torch.equal(align_your_steps_scheduler(model_type="SDXL", steps=10, denoise=0.4), whole[-5:])
        assert len(align_your_steps_scheduler(model_type="SDXL", steps=10, denoise=0.0)) == 0
