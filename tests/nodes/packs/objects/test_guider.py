import pytest
import torch

from engine.errors import InputError
from engine.values import NoByteForm, pack
from nodes.guiders import basic_guider, cfg_guider, dual_cfg_guider
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.members import NoSuchMember
from nodes.packs.objects.run import calc_cond_batch, sampling_function
from nodes.recipes import Latent, NoiseSource, Sampler
from nodes.sampler import sampler_custom_advanced
from nodes.sigmas import basic_scheduler
from tests.nodes.test_model_patches import MODEL, NEGATIVE, POSITIVE

GUIDERS = [
    cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5),
    basic_guider(MODEL, POSITIVE),
    dual_cfg_guider(MODEL, POSITIVE, NEGATIVE, NEGATIVE, 2.0, 3.0, style="regular"),
]


@pytest.mark.parametrize("guider", GUIDERS)
def test_a_guider_goes_through(guider):
    assert pack(from_foreign("GUIDER", to_foreign("GUIDER", guider))).digest == pack(guider).digest


def test_one_that_foreign_code_sets_up_is_ours():
    guider = CFGGuider(to_foreign("MODEL", MODEL))
    guider.set_conds(to_foreign("CONDITIONING", POSITIVE), to_foreign("CONDITIONING", NEGATIVE))
    guider.set_cfg(2.5)
    assert pack(from_foreign("GUIDER", guider)).digest == pack(GUIDERS[0]).digest
    again = to_foreign("GUIDER", GUIDERS[0])
    again.set_cfg(4.0)
    assert from_foreign("GUIDER", again).settings == {"scale": 4.0}


@pytest.mark.parametrize("mask", [None, torch.rand(1, 1, 16, 16)])
def test_foreign_code_samples_as_our_node_does(ctx, mask):
    sigmas, latent = basic_scheduler(ctx, MODEL, scheduler="normal", steps=3), torch.ones(1, 4, 16, 16)
    ours = sampler_custom_advanced(
        ctx, NoiseSource(7), GUIDERS[0], Sampler("euler"), sigmas, Latent(latent, None if mask is None else mask[:, 0])
    )
    guider, steps = to_foreign("GUIDER", GUIDERS[0]), []
    noise = to_foreign("NOISE", NoiseSource(7)).generate_noise({"samples": latent})
    found = guider.sample(
        noise,
        latent,
        to_foreign("SAMPLER", Sampler("euler")),
        sigmas,
        denoise_mask=mask,
        callback=lambda step, x0, x, total: steps.append((step, total, x0, x)),
        seed=7,
    )
    assert torch.equal(found, ours.output.samples)
    assert [(step, total) for step, total, *_ in steps] == [(0, 3), (1, 3), (2, 3)]
    out = guider.model_patcher.model.process_latent_out(steps[-1][2])
    torch.testing.assert_close(out, ours.denoised_output.samples)
    assert not torch.equal(steps[0][3], steps[1][3])


def test_guidance_of_foreign_code(ctx):
    sigmas, latent = basic_scheduler(ctx, MODEL, scheduler="normal", steps=3), Latent(torch.zeros(1, 4, 16, 16))
    seen = []

    class Scheduled(CFGGuider):
        def predict_noise(self, x, timestep, model_options=None, seed=None):
            assert torch.equal(model_options["transformer_options"]["sample_sigmas"], sigmas)
            seen.append(timestep)
            positive, negative = (self.conds[name] for name in ("positive", "negative"))
            if len(seen) > 3:
                cond, uncond = calc_cond_batch(self.inner_model, [positive, negative], x, timestep, model_options)
                return uncond + (cond - uncond) * self.cfg
            return sampling_function(self.inner_model, x, timestep, negative, positive, self.cfg, model_options)

    def run(guider, solver="euler"):
        return sampler_custom_advanced(ctx, NoiseSource(7), guider, Sampler(solver), sigmas, latent).output.samples

    guider = Scheduled(to_foreign("MODEL", MODEL))
    guider.set_conds(to_foreign("CONDITIONING", POSITIVE), to_foreign("CONDITIONING", NEGATIVE))
    guider.cfg = 2.5
    recipe = from_foreign("GUIDER", guider)
    assert to_foreign("GUIDER", recipe) is guider
    for _ in range(2):
        torch.testing.assert_close(run(recipe), run(GUIDERS[0]))
    assert len(seen) == 6 and seen[0].shape == (1,)
    torch.testing.assert_close(run(recipe, "euler_cfg_pp"), run(GUIDERS[0], "euler_cfg_pp"))


def test_a_subclass_that_sets_up_is_ours():
    class Mine(CFGGuider):
        def set_conds(self, positive, middle, negative):
            self.inner_set_conds({"middle": middle, "negative": negative, "positive": positive})

        def predict_noise(self, x, timestep, model_options=None, seed=None):
            return super().predict_noise(x, timestep, model_options, seed)

    guider = Mine(to_foreign("MODEL", MODEL))
    guider.set_conds(*(to_foreign("CONDITIONING", each) for each in (POSITIVE, NEGATIVE, NEGATIVE)))
    recipe = from_foreign("GUIDER", guider)
    assert torch.equal(recipe.sides[0].entries[0].context, POSITIVE.entries[0].context) and len(recipe.sides) == 3
    with pytest.raises(NoByteForm):
        pack(recipe)


def test_a_way_of_its_own_to_sample_is_an_error():
    class Mine(CFGGuider):
        def outer_sample(self, *given, **more):
            return given

    with pytest.raises(NoSuchMember, match=r"uses GUIDER\.outer_sample"):
        from_foreign("GUIDER", Mine(to_foreign("MODEL", MODEL)))
    with pytest.raises(InputError, match="a GUIDER that is none"):
        from_foreign("GUIDER", 5)
