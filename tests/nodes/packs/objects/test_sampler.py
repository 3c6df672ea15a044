import pytest
import torch

from engine.errors import InputError
from engine.values import NoByteForm, pack
from nodes.guiders import cfg_guider
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.packs.objects.sampler import KSAMPLER
from nodes.recipes import Latent, NoiseSource, Sampler
from nodes.sampler import sampler_custom_advanced
from nodes.sigmas import basic_scheduler
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE


def euler(model, x, sigmas, extra_args=None, callback=None, disable=None, factor=1.0):
    """The usual solver, as a pack writes it."""
    s_in = x.new_ones([x.shape[0]])
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i] * s_in, **extra_args) * factor
        callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
    return x


def run(ctx, sampler):
    guider, sigmas = (
        cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5),
        basic_scheduler(ctx, MODEL, scheduler="normal", steps=3),
    )
    latent = Latent(torch.zeros(2, 4, 16, 16))
    return sampler_custom_advanced(ctx, NoiseSource(7), guider, sampler, sigmas, latent).output.samples


def test_a_solver_of_ours_goes_through():
    recipe = Sampler("euler_ancestral", {"eta": 0.5})
    there = to_foreign("SAMPLER", recipe)
    assert there.extra_options == {"eta": 0.5}
    assert pack(from_foreign("SAMPLER", there)).digest == pack(recipe).digest


def test_a_solver_of_foreign_code_samples(ctx):
    recipe = from_foreign("SAMPLER", KSAMPLER(euler))
    with pytest.raises(NoByteForm):
        pack(recipe)
    assert to_foreign("SAMPLER", recipe).sampler_function is euler
    plain = run(ctx, Sampler("euler"))
    torch.testing.assert_close(run(ctx, recipe), plain)
    assert not torch.equal(run(ctx, from_foreign("SAMPLER", KSAMPLER(euler, {"factor": 0.5}))), plain)


def test_a_solver_gets_its_seed_and_may_ask_for_the_other_side(ctx):
    seen = {}

    def solver(model, x, sigmas, extra_args=None, callback=None, disable=None):
        seen["seed"] = extra_args["seed"]

        def after(args):
            seen["uncond"] = args["uncond_denoised"]
            return args["denoised"]

        given = {**extra_args, "model_options": {"sampler_post_cfg_function": [after]}}
        return model(x, sigmas[0] * x.new_ones([len(x)]), **given)

    run(ctx, from_foreign("SAMPLER", KSAMPLER(solver)))
    assert seen["seed"] == 7 and seen["uncond"].shape == (2, 4, 16, 16)


def test_what_is_no_solver_is_an_error():
    with pytest.raises(InputError, match="a SAMPLER that is none"):
        from_foreign("SAMPLER", euler)
    with pytest.raises(NoSuchMember):
        KSAMPLER(euler, {}, {"random": True})
