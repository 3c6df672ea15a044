import pytest
import torch

from engine.errors import InputError
from engine.values import pack, unpack
from nodes.guiders import cfg_guider, dual_cfg_guider, perp_neg_guider, random_noise
from nodes.loaders import load_lora, load_lora_model_only
from nodes.model_options import (
    model_sampling_continuous_edm,
    model_sampling_continuous_v,
    model_sampling_discrete,
    perp_neg,
    rescale_cfg,
    torch_compile_model,
)
from nodes.models import compiled
from nodes.models.service import pool
from nodes.recipes import Clip, Cond, Conditioning, FileRef, Latent, Model, classifier_free
from nodes.sampler import sampler_custom_advanced
from nodes.samplers import ksampler_select
from nodes.sigmas import basic_scheduler

MODEL = Model(FileRef("checkpoints", "tiny"))


def prompt(seed):
    return Conditioning((Cond(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(seed))),))


POSITIVE, NEGATIVE, OTHER = prompt(1), prompt(2), prompt(3)


def sampled(ctx, guider, scheduler="normal"):
    sigmas = basic_scheduler(ctx, guider.model, scheduler=scheduler, steps=3)
    sampler, latent = ksampler_select(sampler_name="euler"), Latent(torch.zeros(1, 4, 8, 8))
    return sampler_custom_advanced(ctx, random_noise(3), guider, sampler, sigmas, latent).output.samples


def guided(ctx, model, cfg=2.5):
    return sampled(ctx, classifier_free(model, POSITIVE, NEGATIVE, cfg))


class TestSampling:
    def test_saying_what_the_file_says_changes_nothing(self, ctx):
        said = model_sampling_discrete(MODEL, sampling="v_prediction")
        assert torch.equal(guided(ctx, said), guided(ctx, MODEL))

    @pytest.mark.parametrize("kind", ["eps", "x0", "lcm", "img_to_img"])
    def test_other_predictions_give_other_pictures(self, ctx, kind):
        result = guided(ctx, model_sampling_discrete(MODEL, sampling=kind))
        assert result.isfinite().all() and (result - guided(ctx, MODEL)).std() > 1e-3

    def test_zsnr_begins_without_signal(self, ctx):
        stretched = model_sampling_discrete(MODEL, sampling="v_prediction", zsnr=True)
        sigmas = basic_scheduler(ctx, stretched, scheduler="simple", steps=4)
        assert sigmas[0].item() == pytest.approx(4518.7, rel=1e-3)
        assert guided(ctx, stretched).isfinite().all()

    def test_lcm_takes_its_levels_from_fifty(self, ctx):
        distilled = model_sampling_discrete(MODEL, sampling="lcm")
        found = basic_scheduler(ctx, distilled, scheduler="simple", steps=50)[:-1]
        whole = basic_scheduler(ctx, MODEL, scheduler="simple", steps=1000)[:-1]
        assert torch.equal(found, whole[::20])

    @pytest.mark.parametrize("kind", ["v_prediction", "edm", "eps"])
    def test_continuous_levels_lie_between_two(self, ctx, kind):
        model = model_sampling_continuous_edm(MODEL, sampling=kind, sigma_max=80.0, sigma_min=0.5)
        sigmas = basic_scheduler(ctx, model, scheduler="karras", steps=4)
        assert sigmas[[0, -2]].tolist() == pytest.approx([80.0, 0.5], rel=1e-4)
        assert guided(ctx, model).isfinite().all()

    def test_the_last_option_counts(self, ctx):
        first = model_sampling_continuous_edm(MODEL, sampling="edm")
        assert torch.equal(guided(ctx, model_sampling_discrete(first, sampling="v_prediction")), guided(ctx, MODEL))

    @pytest.mark.parametrize("settings", [
        {"sampling": "cosmos_rflow"}, {"sampling": "edm", "sigma_min": 0.0}, {"sampling": "eps", "sigma_max": 0.001},
    ])  # fmt: skip
    def test_what_can_not_be_sampled_is_refused(self, settings):
        with pytest.raises(InputError):
            model_sampling_continuous_edm(MODEL, **settings)


class TestGuidance:
    def test_rescaling_by_nothing_is_plain_guidance(self, ctx):
        torch.testing.assert_close(guided(ctx, rescale_cfg(MODEL, 0.0)), guided(ctx, MODEL), rtol=1e-3, atol=1e-3)
        assert guided(ctx, rescale_cfg(MODEL, 1.0), 9.0).std() < guided(ctx, MODEL, 9.0).std()

    def test_rescaling_reaches_the_inner_step_of_dual_guidance(self, ctx):
        def dual(model):
            return sampled(ctx, dual_cfg_guider(model, POSITIVE, POSITIVE, NEGATIVE, 1.0, 9.0, style="regular"))

        torch.testing.assert_close(dual(rescale_cfg(MODEL)), guided(ctx, rescale_cfg(MODEL), 9.0), rtol=1e-3, atol=1e-3)

    def test_perp_neg_on_a_model_is_its_guider(self, ctx):
        guider = perp_neg_guider(MODEL, POSITIVE, NEGATIVE, OTHER, 2.5, 0.7)
        marked = perp_neg(MODEL, OTHER, 0.7)
        assert torch.equal(guided(ctx, marked), sampled(ctx, guider))
        assert torch.equal(
            sampled(ctx, unpack(pack(cfg_guider(marked, POSITIVE, NEGATIVE, 2.5)))), sampled(ctx, guider)
        )


class TestWeights:
    def test_options_share_the_weights(self, ctx):
        plain = ctx.use(pool).unet(MODEL).module
        assert ctx.use(pool).unet(rescale_cfg(perp_neg(MODEL, OTHER))).module is plain

    def test_a_lora_keeps_options_and_options_keep_a_lora(self, ctx):
        over = load_lora_model_only(ctx, rescale_cfg(MODEL), "lora", 0.5)
        under = rescale_cfg(load_lora_model_only(ctx, MODEL, "lora", 0.5))
        assert over == under and len(over.patches) == 1

    def test_a_lora_for_the_model_only_is_half_of_one_for_both(self, ctx):
        both = load_lora(ctx, MODEL, Clip(MODEL.file), "lora", 0.5, 0.0)
        assert load_lora_model_only(ctx, MODEL, "lora", 0.5) == both.MODEL
        assert Clip(MODEL.file) == both.CLIP
        assert load_lora_model_only(ctx, MODEL, "lora", 0.0) is MODEL


class TestCompiled:
    def test_a_compiled_network_is_another_one_than_the_plain(self, ctx, monkeypatch):
        monkeypatch.setattr(compiled, "check", lambda: None)
        chosen = torch_compile_model(ctx, MODEL, backend="inductor")
        made, plain = (ctx.use(pool).unet(model).module for model in (chosen, MODEL))
        assert made._compiled_call_impl is not None and plain._compiled_call_impl is None
        assert ctx.use(pool).unet(rescale_cfg(chosen)).module is made and unpack(pack(chosen)) == chosen

    def test_graphs_are_for_gpus(self, ctx, monkeypatch):
        monkeypatch.setattr(compiled, "check", lambda: None)
        with pytest.raises(InputError, match="need a GPU"):
            torch_compile_model(ctx, MODEL, backend="cudagraphs")


def test_a_model_that_is_told_an_angle(ctx):
    model = model_sampling_continuous_v(MODEL, sampling="v_prediction", sigma_max=80.0, sigma_min=0.5)
    sigmas = basic_scheduler(ctx, model, scheduler="karras", steps=4)
    assert sigmas[[0, -2]].tolist() == pytest.approx([80.0, 0.5], rel=1e-4)
    other = model_sampling_continuous_edm(MODEL, sampling="v_prediction", sigma_max=80.0, sigma_min=0.5)
    found = guided(ctx, model)
    assert found.isfinite().all() and not torch.allclose(found, guided(ctx, other))
    with pytest.raises(InputError):
        model_sampling_continuous_v(MODEL, sampling="v_prediction", sigma_min=0.0)
