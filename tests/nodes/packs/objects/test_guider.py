import pytest
import torch

from engine.errors import InputError
from engine.values import pack
from nodes.guiders import basic_guider, cfg_guider, dual_cfg_guider
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.guider import CFGGuider
from nodes.packs.objects.members import NoSuchMember
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


def test_a_way_of_its_own_to_predict_is_an_error():
    class Mine(CFGGuider):
        def predict_noise(self, x, timestep, model_options=None, seed=None):
            return x

    with pytest.raises(NoSuchMember, match=r"uses GUIDER\.predict_noise"):
        from_foreign("GUIDER", Mine(to_foreign("MODEL", MODEL)))
    with pytest.raises(InputError, match="a GUIDER that is none"):
        from_foreign("GUIDER", 5)
