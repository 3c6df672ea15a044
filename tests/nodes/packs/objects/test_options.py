import pytest
import torch

from engine.values import NoByteForm, pack
from nodes.guiders import basic_guider
from nodes.model_options import rescale_cfg
from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.members import NoSuchMember
from nodes.recipes import Latent, NoiseSource, Sampler
from nodes.sampler import sampler_custom_advanced
from nodes.sigmas import basic_scheduler
from tests.nodes.test_model_patches import MODEL, POSITIVE, sampled


@pytest.fixture(scope="module")
def plain(ctx):
    return sampled(ctx, MODEL)


def changed(change, recipe=MODEL):
    model = to_foreign("MODEL", recipe).clone()
    change(model)
    return from_foreign("MODEL", model)


def test_functions_have_no_byte_form():
    with pytest.raises(NoByteForm):
        pack(changed(lambda m: m.set_model_sampler_cfg_function(lambda args: args["cond"])))


class TestGuidance:
    def test_the_usual_formula_gives_the_usual_picture(self, ctx, plain):
        def usual(args):
            return args["uncond"] + (args["cond"] - args["uncond"]) * args["cond_scale"]

        found = sampled(ctx, changed(lambda m: m.set_model_sampler_cfg_function(usual)))
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-4)

    def test_a_function_of_three_arguments(self, ctx, plain):
        recipe = changed(lambda m: m.set_model_sampler_cfg_function(lambda cond, uncond, scale: cond))
        torch.testing.assert_close(sampled(ctx, recipe), sampled(ctx, MODEL, cfg=1.0), rtol=1e-4, atol=1e-4)

    def test_functions_get_what_they_expect(self, ctx, plain):
        seen = {}

        def after(args):
            seen.update(args)
            return args["denoised"]

        assert torch.equal(sampled(ctx, changed(lambda m: m.set_model_sampler_post_cfg_function(after))), plain)
        assert seen["sigma"].shape == (1,) and seen["cond_scale"] == 2.5
        assert seen["input"].shape == seen["cond_denoised"].shape == seen["uncond_denoised"].shape == (1, 4, 16, 16)
        assert seen["model"].model_sampling.sigma_min > 0

    def test_functions_before_guidance(self, ctx):
        def swapped(args):
            return args["conds_out"][::-1]

        assert not torch.equal(
            sampled(ctx, changed(lambda m: m.set_model_sampler_pre_cfg_function(swapped))), sampled(ctx, MODEL)
        )

    def test_one_node_follows_another(self, ctx, plain):
        half = changed(lambda m: m.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.5))
        again = changed(lambda m: m.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 2.0), half)
        torch.testing.assert_close(sampled(ctx, again), plain)
        assert torch.equal(sampled(ctx, changed(lambda m: None, half)), sampled(ctx, half))

    def test_the_later_of_two_rules_counts(self, ctx, plain):
        recipe = changed(lambda m: m.set_model_sampler_cfg_function(lambda args: args["cond"]))
        assert torch.equal(sampled(ctx, rescale_cfg(recipe, 0.7)), sampled(ctx, rescale_cfg(MODEL, 0.7)))
        later = changed(lambda m: m.set_model_sampler_cfg_function(lambda args: args["cond"]), rescale_cfg(MODEL, 0.7))
        torch.testing.assert_close(sampled(ctx, later), sampled(ctx, recipe))

    def test_one_prompt_is_guided_too(self, ctx):
        def run(recipe):
            sigmas = basic_scheduler(ctx, recipe, scheduler="normal", steps=1)
            latent = Latent(torch.zeros(1, 4, 16, 16))
            guider = basic_guider(recipe, POSITIVE)
            return sampler_custom_advanced(ctx, NoiseSource(3), guider, Sampler("euler"), sigmas, latent).output.samples

        half = changed(lambda m: m.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.5))
        assert not torch.equal(run(half), run(MODEL))

    def test_masks(self, ctx):
        def hard(sigma, mask, extra_options):
            assert extra_options["model"].inner_model.model_sampling.sigma_min > 0
            assert len(extra_options["sigmas"]) == 2
            return (mask > 0.5).float()

        grey = torch.full((1, 16, 16), 0.75)
        recipe = changed(lambda m: m.set_model_denoise_mask_function(hard))
        white = torch.ones(1, 16, 16)
        assert torch.equal(sampled(ctx, recipe, mask=grey), sampled(ctx, MODEL, mask=white))


class TestWrapper:
    def test_a_wrapper_that_only_calls_changes_nothing(self, ctx, plain):
        seen = {}

        def wrapper(apply, args):
            seen.update(args)
            return apply(args["input"], args["timestep"], **args["c"])

        recipe = changed(lambda m: m.set_model_unet_function_wrapper(wrapper))
        assert torch.equal(sampled(ctx, recipe), plain)
        assert seen["cond_or_uncond"] == [0, 1] and seen["input"].shape == (2, 4, 16, 16)
        assert seen["timestep"].shape == (2,) and seen["c"]["c_crossattn"].shape == (2, 7, 32)
        assert seen["c"]["transformer_options"]["cond_or_uncond"] == [0, 1]

    def test_a_wrapper_may_call_for_parts(self, ctx, plain):
        def one_by_one(apply, args):
            c = args["c"]
            rows = [
                apply(
                    args["input"][row : row + 1],
                    args["timestep"][row : row + 1],
                    **{n: v[row : row + 1] if torch.is_tensor(v) else v for n, v in c.items()},
                )
                for row in range(len(args["input"]))
            ]
            return torch.cat(rows)

        recipe = changed(lambda m: m.set_model_unet_function_wrapper(one_by_one))
        torch.testing.assert_close(sampled(ctx, recipe), plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "member"),
    [
        (lambda m: m.model_options.update(own=1), "MODEL.model_options['own']"),
        (lambda m: m.set_model_patch(print, "double_block"), "MODEL.set_model_patch('double_block')"),
        (lambda m: m.set_model_patch_replace(print, "attn3", "input", 1), "MODEL.set_model_patch_replace('attn3')"),
        (
            lambda m: m.model_options["transformer_options"].update(wrappers={"diffusion_model": {None: [print]}}),
            "MODEL.add_wrapper_with_key",
        ),
    ],
)
def test_what_is_not_offered_is_an_error_when_the_model_leaves_the_node(change, member):
    with pytest.raises(NoSuchMember) as caught:
        changed(change)
    assert caught.value.got == member


def test_options_that_were_taken_back_leave_nothing():
    recipe = changed(lambda m: m.set_model_sampler_post_cfg_function(print))
    assert from_foreign("MODEL", to_foreign("MODEL", recipe)).options == recipe.options
    assert changed(lambda m: m.model_options.clear() or m.model_options.update(transformer_options={}), recipe) == MODEL
