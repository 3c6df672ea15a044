import torch

from nodes.packs.objects import from_foreign, to_foreign
from nodes.packs.objects.run import calc_cond_batch, sampling_function
from tests.nodes.test_model_patches import MODEL, sampled


def after(function):
    """The model with a function behind guidance."""
    model = to_foreign("MODEL", MODEL).clone()
    model.set_model_sampler_post_cfg_function(function)
    return from_foreign("MODEL", model)


def test_functions_may_call_the_network_for_a_side(ctx):
    def again(args):
        model, sides = args["model"], [args["cond"], None, args["uncond"]]
        cond, nothing, uncond = calc_cond_batch(model, sides, args["input"], args["sigma"], args["model_options"])
        torch.testing.assert_close(cond, args["cond_denoised"], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(uncond, args["uncond_denoised"], rtol=1e-4, atol=1e-4)
        assert not nothing.any()
        return args["denoised"]

    assert torch.equal(sampled(ctx, after(again)), sampled(ctx, MODEL))


def test_guidance_in_a_function_is_guidance_of_ours(ctx):
    def guided(args):
        model, x, sigma = args["model"], args["input"], args["sigma"]
        plain = sampling_function(model, x, sigma, args["uncond"], args["cond"], args["cond_scale"], {})
        torch.testing.assert_close(plain, args["denoised"], rtol=1e-4, atol=1e-4)
        alone = sampling_function(model, x, sigma, args["uncond"], args["cond"], 1.0, {})
        torch.testing.assert_close(alone, args["cond_denoised"], rtol=1e-4, atol=1e-4)
        half = {"sampler_post_cfg_function": [lambda each: each["denoised"] * 0.5]}
        halved = sampling_function(model, x, sigma, args["uncond"], args["cond"], args["cond_scale"], half)
        torch.testing.assert_close(halved, args["denoised"] * 0.5, rtol=1e-4, atol=1e-4)
        return args["denoised"]

    assert sampled(ctx, after(guided)).isfinite().all()
