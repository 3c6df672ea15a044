from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError, ModelError
from engine.values import pack, unpack
from nodes.conditioning import (
    conditioning_combine,
    conditioning_set_area,
    conditioning_set_area_percentage,
    conditioning_set_area_strength,
    conditioning_set_mask,
    conditioning_set_timestep_range,
)
from nodes.guiders import basic_guider, cfg_guider, disable_noise, dual_cfg_guider, perp_neg_guider, random_noise
from nodes.recipes import Cond, Conditioning, FileRef, Latent, Model
from nodes.sampler import add_noise, ksampler, ksampler_advanced, sampler_custom, sampler_custom_advanced
from nodes.samplers import ksampler_select
from nodes.sampling.solvers import SOLVERS
from nodes.sigmas import basic_scheduler
from nodes.sigmas_change import split_sigmas
from tests.nodes.calls import model_context
from tests.nodes.models import tiny

MODEL = Model(FileRef("checkpoints", "tiny"))
SIZE = 12


def prompt(seed):
    return Conditioning((Cond(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(seed))),))


POSITIVE, NEGATIVE, OTHER = prompt(1), prompt(2), prompt(3)


def latent(batch=1, **more):
    return Latent(torch.randn(batch, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(5)), **more)


def usual(ctx, positive=POSITIVE, negative=NEGATIVE, image=None, **changed):
    parts = {"seed": 3, "steps": 4, "cfg": 2.5, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    image = image or Latent(torch.zeros(1, 4, SIZE, SIZE))
    return ksampler(
        ctx, MODEL, positive=positive, negative=negative, latent_image=image, **{**parts, **changed}
    ).samples


def guided(ctx, guider, sampler_name="euler", image=None):
    """Sample as ``usual`` does, with a guider."""
    sigmas = basic_scheduler(ctx, MODEL, scheduler="normal", steps=4)
    image = image or Latent(torch.zeros(1, 4, SIZE, SIZE))
    sampler = ksampler_select(sampler_name=sampler_name)
    return sampler_custom_advanced(ctx, random_noise(3), guider, sampler, sigmas, image).output.samples


class TestOneRoad:
    @pytest.mark.parametrize("name", ["euler", "dpmpp_2m_sde", "euler_ancestral_cfg_pp", "ddim"])
    @pytest.mark.parametrize("image", [latent(), latent(2, noise_mask=torch.rand(1, 9, 9)), latent(batch_index=(2,))])
    def test_the_samplers_agree_bit_by_bit(self, ctx, name, image):
        plain = usual(ctx, image=image, sampler_name=name)
        advanced = ksampler_advanced(
            ctx,
            MODEL,
            add_noise="enable",
            noise_seed=3,
            steps=4,
            cfg=2.5,
            sampler_name=name,
            scheduler="normal",
            positive=POSITIVE,
            negative=NEGATIVE,
            latent_image=image,
            return_with_leftover_noise="disable",
        )
        custom = sampler_custom(
            ctx,
            MODEL,
            True,
            3,
            2.5,
            positive=POSITIVE,
            negative=NEGATIVE,
            sampler=ksampler_select(sampler_name=name),
            sigmas=basic_scheduler(ctx, MODEL, scheduler="normal", steps=4),
            latent_image=image,
        )
        assert torch.equal(advanced.samples, plain)
        assert torch.equal(custom.output.samples, plain)
        assert torch.equal(guided(ctx, cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5), name, image), plain)

    def test_a_partial_run_is_a_scheduled_part(self, ctx):
        sigmas = basic_scheduler(ctx, MODEL, scheduler="normal", steps=3, denoise=0.5)
        custom = sampler_custom_advanced(
            ctx,
            random_noise(3),
            cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5),
            ksampler_select(sampler_name="euler"),
            sigmas,
            latent(),
        )
        assert torch.equal(custom.output.samples, usual(ctx, image=latent(), steps=3, denoise=0.5))

    def test_recipes_survive_a_wire(self, ctx):
        guider = cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5)
        sent = unpack(pack(guider))
        assert torch.equal(guided(ctx, sent), guided(ctx, guider))
        assert unpack(pack(ksampler_select(sampler_name="lms"))) == ksampler_select(sampler_name="lms")
        assert unpack(pack(random_noise(2**64 - 1))).seed == 2**64 - 1


class TestStages:
    @pytest.mark.parametrize("step", range(6))
    @pytest.mark.parametrize("name", ["euler", "heun"])
    def test_two_stages_make_one_run(self, ctx, name, step):
        guider, sampler = cfg_guider(MODEL, POSITIVE, NEGATIVE, 2.5), ksampler_select(sampler_name=name)
        sigmas = basic_scheduler(ctx, MODEL, scheduler="karras", steps=5)
        high, low = split_sigmas(sigmas, step)
        run = partial(sampler_custom_advanced, ctx, guider=guider, sampler=sampler)
        whole = run(random_noise(3), sigmas=sigmas, latent_image=latent()).output
        first = run(random_noise(3), sigmas=high, latent_image=latent()).output
        second = run(disable_noise(), sigmas=low, latent_image=first).output
        torch.testing.assert_close(second.samples, whole.samples, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("step", range(1, 4))
    def test_leftover_noise_is_a_split(self, ctx, step):
        def stage(image, noise, **window):
            return ksampler_advanced(
                ctx,
                MODEL,
                add_noise=noise,
                noise_seed=3,
                steps=4,
                cfg=2.5,
                sampler_name="euler",
                scheduler="normal",
                positive=POSITIVE,
                negative=NEGATIVE,
                latent_image=image,
                **window,
            )

        first = stage(latent(), "enable", end_at_step=step, return_with_leftover_noise="enable")
        second = stage(first, "disable", start_at_step=step, return_with_leftover_noise="disable")
        torch.testing.assert_close(second.samples, usual(ctx, image=latent()), rtol=1e-5, atol=1e-5)

    def test_no_levels_leave_a_latent_as_it_is(self, ctx):
        image = latent()
        guider, sampler = basic_guider(MODEL, POSITIVE), ksampler_select(sampler_name="euler")
        sampled = sampler_custom_advanced(ctx, random_noise(3), guider, sampler, torch.empty(0), image)
        assert sampled.output is image and sampled.denoised_output is image

    def test_the_last_prediction_is_what_a_run_ends_in(self, ctx):
        guider, sampler = basic_guider(MODEL, POSITIVE), ksampler_select(sampler_name="euler")
        sigmas = basic_scheduler(ctx, MODEL, scheduler="normal", steps=3)
        whole = sampler_custom_advanced(ctx, random_noise(3), guider, sampler, sigmas, latent())
        torch.testing.assert_close(whole.denoised_output.samples, whole.output.samples, rtol=1e-5, atol=1e-5)
        early = sampler_custom_advanced(ctx, random_noise(3), guider, sampler, sigmas[:-1], latent())
        assert (early.denoised_output.samples - early.output.samples).std() > 0.01

    def test_adding_noise_begins_a_run(self, ctx):
        sigmas = torch.tensor([3.0, 0.0])
        image = latent(extra={"foreign": 1})
        noisy = add_noise(ctx, MODEL, random_noise(3), sigmas, image)
        drawn = torch.randn(1, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
        torch.testing.assert_close(noisy.samples, image.samples + drawn * 3.0 / 0.5)
        assert noisy.extra == {"foreign": 1}
        assert torch.equal(add_noise(ctx, MODEL, random_noise(3), sigmas[:1], image).samples, noisy.samples)
        assert add_noise(ctx, MODEL, random_noise(3), torch.empty(0), image) is image


class TestGuiders:
    def test_no_guidance_is_guidance_of_scale_one(self, ctx):
        plain = guided(ctx, basic_guider(MODEL, POSITIVE))
        assert torch.equal(plain, usual(ctx, cfg=1.0))
        assert torch.equal(plain, guided(ctx, cfg_guider(MODEL, POSITIVE, NEGATIVE, 1.0)))

    def test_a_guider_without_a_negative_side_serves_solvers_that_ask_for_one(self, ctx):
        alone = guided(ctx, basic_guider(MODEL, POSITIVE), "euler_cfg_pp")
        same = guided(ctx, cfg_guider(MODEL, POSITIVE, POSITIVE, 1.0), "euler_cfg_pp")
        torch.testing.assert_close(alone, same, rtol=1e-4, atol=1e-4)

    def test_dual_guidance_by_one_prompt_is_guidance_by_it(self, ctx):
        plain = usual(ctx)
        dual = dual_cfg_guider(MODEL, POSITIVE, POSITIVE, NEGATIVE, 7.0, 2.5, style="regular")
        nested = dual_cfg_guider(MODEL, POSITIVE, NEGATIVE, NEGATIVE, 2.5, 1.0, style="nested")
        torch.testing.assert_close(guided(ctx, dual), plain, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(guided(ctx, nested), plain, rtol=1e-4, atol=1e-4)

    def test_perp_neg_of_nothing_is_guidance_by_the_empty_prompt(self, ctx):
        plain = usual(ctx, negative=OTHER)
        perp = perp_neg_guider(MODEL, POSITIVE, NEGATIVE, OTHER, 2.5, 0.0)
        torch.testing.assert_close(guided(ctx, perp), plain, rtol=1e-4, atol=1e-4)

    def test_perp_neg_leaves_out_what_both_prompts_share(self, ctx):
        plain = usual(ctx, negative=OTHER)
        perp = perp_neg_guider(MODEL, POSITIVE, POSITIVE, OTHER, 2.5, 9.0)
        torch.testing.assert_close(guided(ctx, perp), plain, rtol=1e-3, atol=1e-3)


class TestRegions:
    def test_a_prompt_with_itself_is_the_prompt(self, ctx):
        combined = conditioning_combine(POSITIVE, POSITIVE)
        torch.testing.assert_close(usual(ctx, combined), usual(ctx), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize(
        "covering",
        [
            lambda c: conditioning_set_area(c, 8 * SIZE, 8 * SIZE),
            lambda c: conditioning_set_area(c, 16384, 16384, strength=0.3),
            conditioning_set_area_percentage,
            lambda c: conditioning_set_area_strength(c, 0.25),
            lambda c: conditioning_set_mask(c, torch.ones(64, 64), set_cond_area="default"),
            lambda c: conditioning_set_mask(c, torch.ones(1, 64, 64), 0.5, set_cond_area="mask bounds"),
            conditioning_set_timestep_range,
        ],
    )
    def test_a_region_that_covers_everything_changes_nothing(self, ctx, covering):
        torch.testing.assert_close(usual(ctx, covering(POSITIVE)), usual(ctx), rtol=1e-4, atol=1e-4)

    def test_ranges_that_follow_each_other_take_turns(self, ctx):
        first = conditioning_set_timestep_range(POSITIVE, 0.0, 0.5)
        second = conditioning_set_timestep_range(OTHER, 0.5, 1.0)
        both = usual(ctx, conditioning_combine(first, second))
        same = conditioning_combine(first, conditioning_set_timestep_range(POSITIVE, 0.5, 1.0))
        torch.testing.assert_close(usual(ctx, same), usual(ctx), rtol=1e-4, atol=1e-4)
        assert (both - usual(ctx)).std() > 1e-4

    @settings(max_examples=5)
    @given(st.integers(0, SIZE - 8), st.integers(0, SIZE - 8))
    def test_equal_prompts_in_areas_agree_with_one_call_where_only_one_counts(self, ctx, x, y):
        masked = conditioning_set_mask(POSITIVE, torch.ones(SIZE, SIZE), set_cond_area="default")
        nothing = conditioning_set_area(OTHER, 64, 64, 8 * x, 8 * y, strength=0.0)
        result = usual(ctx, conditioning_combine(masked, nothing), steps=1)
        torch.testing.assert_close(result, usual(ctx, steps=1), rtol=1e-4, atol=1e-4)


class TestErrors:
    def test_a_prompt_of_another_family(self, ctx):
        with pytest.raises(ModelError, match="another family") as error:
            usual(ctx, Conditioning((Cond(torch.zeros(1, 7, 33)),)))
        assert (error.value.got, error.value.expected) == ("width 33", "width 32")

    def test_a_latent_of_another_family(self, ctx):
        with pytest.raises(InputError, match="family"):
            usual(ctx, image=Latent(torch.ones(1, 16, SIZE, SIZE)))


@pytest.fixture(scope="module")
def inpainting(tmp_path_factory):
    """A model that takes a mask and a picture beside x."""
    folder = tmp_path_factory.mktemp("inpainting")
    tiny.write(folder / "checkpoints" / "tiny", tiny.tensors(*tiny.modules(unet={**tiny.UNET, "in_channels": 9})))
    return model_context(folder)


class TestInpaintingModels:
    def test_a_mask_and_the_picture_go_in(self, inpainting):
        mask = torch.zeros(1, SIZE, SIZE)
        mask[:, 3:9, 3:9] = 1
        image = latent(noise_mask=mask)
        given = Conditioning((Cond(POSITIVE.entries[0].context, options={
            "concat_mask": mask, "concat_latent_image": image.samples,
        }),))  # fmt: skip
        out = usual(inpainting, image=image)
        assert torch.equal(usual(inpainting, given, image=image, cfg=1.0), usual(inpainting, image=image, cfg=1.0))
        torch.testing.assert_close(out[:, :, :3], image.samples[:, :, :3], rtol=1e-5, atol=1e-5)
        other = Conditioning((Cond(POSITIVE.entries[0].context, options={
            "concat_mask": mask, "concat_latent_image": image.samples * 2,
        }),))  # fmt: skip
        assert (usual(inpainting, other, image=image) - out).std() > 1e-4

    def test_an_area_gets_its_part_of_the_picture(self, inpainting):
        image = latent(noise_mask=torch.ones(1, SIZE, SIZE))
        whole = usual(inpainting, conditioning_set_area(POSITIVE, 8 * SIZE, 8 * SIZE), image=image)
        torch.testing.assert_close(whole, usual(inpainting, image=image), rtol=1e-4, atol=1e-4)
        half = usual(inpainting, conditioning_combine(POSITIVE, conditioning_set_area(OTHER, 64, 64)), image=image)
        assert half.shape == whole.shape

    def test_without_a_mask_there_is_an_error(self, inpainting):
        with pytest.raises(InputError, match="more channels") as error:
            usual(inpainting, image=latent())
        assert "InpaintModelConditioning" in error.value.hint


@pytest.mark.parametrize("name", SOLVERS)
def test_every_sampler_runs_on_a_model(ctx, name):
    result = usual(ctx, sampler_name=name, steps=3)
    assert result.shape == (1, 4, SIZE, SIZE) and result.isfinite().all()
