"""Flux from file to latent, against loops of a few lines over the transformer of diffusers."""

import math
from collections.abc import Mapping

import pytest
import torch
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline

from engine.errors import InputError, ModelError
from nodes.conditioning import conditioning_concat
from nodes.control import apply_controlnet_sd3, load_controlnet
from nodes.flux import (
    KONTEXT_SIZES,
    clip_text_encode_flux,
    flux_disable_guidance,
    flux_guidance,
    flux_kontext_image_scale,
    flux_kontext_multi_reference_latent_method,
    reference_latent,
)
from nodes.inpaint import inpaint_model_conditioning, instruct_pix_to_pix_conditioning
from nodes.latent import empty_latent_image, empty_sd3_latent_image, set_latent_noise_mask
from nodes.loaders import load_checkpoint, load_lora, load_lora_model_only, load_vae
from nodes.loaders_apart import load_clip, load_two_clips, load_unet
from nodes.model_options import model_sampling_flux
from nodes.model_patches import with_option
from nodes.models.service import pool
from nodes.network_options import FreeU
from nodes.recipes import Latent
from nodes.sampler import ksampler
from nodes.sampling.schedules import SCHEDULES
from nodes.text import clip_text_encode
from nodes.vae import vae_decode, vae_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux, tiny_t5

FILE = "flux.safetensors"


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tiny_flux.folder(tmp_path_factory.mktemp("flux"))
    tiny.write(folder / "checkpoints" / "schnell.safetensors", tiny_flux.checkpoint(guided=False), {})
    tiny.write(folder / "checkpoints" / "sd1.safetensors", tiny.tensors())
    found = model_context(folder)
    found.said = []
    found.warn = found.said.append
    return found


@pytest.fixture(scope="module")
def loaded(ctx):
    return load_checkpoint(ctx, FILE)


def sampled(ctx, model, positive, latent, **settings):
    chosen = {"seed": 5, "steps": 4, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", **settings}
    sides = {"positive": positive, "negative": positive, **chosen}
    return ksampler(ctx, model, latent_image=latent, **sides).samples


def predicted(module, cond, x, sigma, guidance):
    tokens = FluxPipeline._pack_latents(x, *x.shape)
    out = module(
        tokens,
        encoder_hidden_states=cond.context.expand(len(x), -1, -1),
        pooled_projections=cond.pooled.expand(len(x), -1),
        timestep=torch.full((len(x),), sigma),
        img_ids=FluxPipeline._prepare_latent_image_ids(1, x.shape[2] // 2, x.shape[3] // 2, "cpu", torch.float32),
        txt_ids=torch.zeros(cond.context.shape[1], 3),
        guidance=None if guidance is None else torch.full((len(x),), guidance),
        return_dict=False,
    )[0]
    return FluxPipeline._unpack_latents(out, x.shape[2] * 8, x.shape[3] * 8, 8)


@torch.no_grad()
def looped(cond, x, sigmas, guidance=3.5, tensors: Mapping | None = None):
    """Euler's method over what diffusers predicts."""
    module = tiny_flux.reference(tensors or tiny_flux.transformer(guided=guidance is not None))
    for sigma, below in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        x = x + predicted(module, cond, x, sigma, guidance) * (below - sigma)
    return x / 0.3611 + 0.1159


def noise(batch=1, side=8):
    return torch.randn(batch, 16, side, side, generator=torch.manual_seed(5))


def simple(steps, mu=1.15, levels=10_000):
    """Every (levels / steps)-th of so many even levels from 1 down, shifted."""
    t = [1 - int(step * levels / steps) / levels for step in range(steps)]
    return [math.exp(mu) / (math.exp(mu) + 1 / each - 1) for each in t]


def psnr(found, expected):
    error = (found - expected).square().mean().clamp(min=1e-30)
    return 10 * math.log10(expected.abs().max() ** 2 / error)


@pytest.mark.parametrize("size", [(64, 1), (64, 2)])
def test_a_run_is_eulers_loop_over_diffusers(ctx, loaded, size):
    side, batch = size
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    found = sampled(ctx, loaded.MODEL, positive, empty_sd3_latent_image(side, side, batch))
    assert psnr(found, looped(positive.entries[0], noise(batch), simple(4))) >= 110


def test_schnell_has_even_levels_and_is_told_no_guidance(ctx):
    model, clip, _ = load_checkpoint(ctx, "schnell.safetensors")
    positive = flux_guidance(clip_text_encode(ctx, "a cat", clip), 9.0)
    found = sampled(ctx, model, positive, empty_latent_image(64, 64, 1))
    assert psnr(found, looped(positive.entries[0], noise(), simple(4, 0.0, 1000), None)) >= 110


def test_parts_from_files_of_their_own_are_those_of_the_checkpoint(ctx, loaded):
    model = load_unet(ctx, "flux_unet.safetensors", "default")
    clip = load_two_clips(ctx, "t5.safetensors", "clip_l.safetensors", "flux")
    apart, whole = (clip_text_encode(ctx, "a (cat:1.2)", each).entries[0] for each in (clip, loaded.CLIP))
    assert torch.equal(apart.context, whole.context) and torch.equal(apart.pooled, whole.pooled)
    state = ctx.use(pool).unet(model).module.state_dict()
    assert all(torch.equal(state[k], t) for k, t in ctx.use(pool).unet(loaded.MODEL).module.state_dict().items())
    pixels = torch.rand(1, 64, 64, 3, generator=torch.manual_seed(0))
    vaes = load_vae(ctx, "ae.safetensors"), loaded.VAE
    first, second = (vae_encode(ctx, pixels, vae).samples for vae in vaes)
    assert torch.equal(first, second) and first.shape == (1, 16, 8, 8)
    assert vae_decode(ctx, Latent(first), vaes[0]).shape == pixels.shape


def test_guidance_is_what_the_prompt_says(ctx, loaded):
    given = clip_text_encode_flux(ctx, loaded.CLIP, clip_l="a cat", t5xxl="a cat", guidance=3.5)
    plain = clip_text_encode(ctx, "a cat", loaded.CLIP)
    latent = empty_sd3_latent_image(64, 64, 1)
    default = sampled(ctx, loaded.MODEL, plain, latent)
    assert torch.equal(sampled(ctx, loaded.MODEL, given, latent), default)
    strong = sampled(ctx, loaded.MODEL, flux_guidance(plain, 7.0), latent)
    assert psnr(strong, looped(plain.entries[0], noise(), simple(4), 7.0)) >= 110
    assert not torch.allclose(sampled(ctx, loaded.MODEL, flux_disable_guidance(plain), latent), default)


def test_each_encoder_may_have_a_prompt_of_its_own(ctx, loaded):
    cond = clip_text_encode_flux(ctx, loaded.CLIP, clip_l="a dog", t5xxl="a cat", guidance=2.0).entries[0]
    assert torch.equal(cond.context, clip_text_encode(ctx, "a cat", loaded.CLIP).entries[0].context)
    assert torch.equal(cond.pooled, clip_text_encode(ctx, "a dog", loaded.CLIP).entries[0].pooled)
    assert cond.options == {"guidance": 2.0} and cond.context.shape == (1, 256, tiny_flux.CONTEXT)


def test_a_size_shifts_the_levels(ctx, loaded):
    model = model_sampling_flux(loaded.MODEL, 1.15, 0.5, 256, 512)
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    mu = 0.5 + (1.15 - 0.5) * (256 * 512 / 256 - 256) / (4096 - 256)
    found = sampled(ctx, model, positive, empty_sd3_latent_image(64, 64, 1), steps=3)
    assert psnr(found, looped(positive.entries[0], noise(), simple(3, mu))) >= 110


def test_a_picture_may_be_kept_in_part(ctx, loaded):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    start = torch.randn(1, 16, 8, 8, generator=torch.manual_seed(9))
    found = sampled(ctx, loaded.MODEL, positive, Latent(start), steps=3, denoise=0.5)
    sigmas = simple(6)[3:]
    x = (1 - sigmas[0]) * (start - 0.1159) * 0.3611 + sigmas[0] * noise()
    assert psnr(found, looped(positive.entries[0], x, sigmas)) >= 110


def test_what_a_mask_hides_stays(ctx, loaded):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    start = Latent(torch.randn(1, 16, 8, 8, generator=torch.manual_seed(9)))
    mask = torch.zeros(1, 8, 8)
    mask[:, :, 4:] = 1
    found = sampled(ctx, loaded.MODEL, positive, set_latent_noise_mask(start, mask))
    torch.testing.assert_close(found[..., :4], start.samples[..., :4], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found[..., 4:], start.samples[..., 4:])


@pytest.mark.parametrize("scheduler", ["normal", "beta", "sgm_uniform", "karras", "linear_quadratic"])
def test_every_schedule_falls_from_pure_noise(ctx, loaded, scheduler):
    levels = ctx.use(pool).checkpoint(loaded.MODEL.file).levels()
    sigmas = SCHEDULES[scheduler](levels, 8)
    assert sigmas[0] == pytest.approx(1.0, abs=1e-5) and sigmas[-1] == 0 and (sigmas.diff() < 0).all()


@pytest.mark.parametrize("solver", ["euler_ancestral", "dpmpp_2m", "dpmpp_2s_ancestral", "res_multistep", "heun"])
def test_solvers_end_where_a_model_that_knows_the_picture_points(ctx, loaded, solver):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    found = sampled(ctx, loaded.MODEL, positive, empty_sd3_latent_image(64, 64, 1), sampler_name=solver)
    assert found.shape == (1, 16, 8, 8) and found.isfinite().all()


def low_rank(rows, columns, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 2, generator=draw) * 0.3, torch.randn(2, columns, generator=draw) * 0.3


LORAS = {
    "kohya": ("lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_single_blocks_1_linear1", "up"),
    "original": ("diffusion_model.double_blocks.0.img_attn.qkv", "diffusion_model.single_blocks.1.linear1", "B"),
}


@pytest.mark.parametrize("layout", LORAS)
def test_a_lora_of_fused_matrices(ctx, loaded, layout):
    double, single, kind = LORAS[layout]
    ends = ("lora_up.weight", "lora_down.weight") if kind == "up" else ("lora_B.weight", "lora_A.weight")
    content, tensors, width = {}, tiny_flux.transformer(), tiny_flux.WIDTH
    for seed, (name, old, rows) in enumerate([
        (double, "double_blocks.0.img_attn.qkv.weight", 3 * width),
        (single, "single_blocks.1.linear1.weight", 7 * width),
    ]):  # fmt: skip
        up, down = low_rank(rows, width, seed)
        content |= {f"{name}.{ends[0]}": up, f"{name}.{ends[1]}": down}
        tensors[old] = tensors[old] + 0.7 * up @ down
    check_lora(ctx, loaded, f"{layout}.safetensors", content, tensors)


OF_WHOLE = {
    "glora": {"a1.weight": (64, 2), "a2.weight": (2, 64), "b1.weight": (192, 2), "b2.weight": (2, 64)},
    "oft": {"oft_blocks": (24, 8, 8)},
    "dora": {"lora_up.weight": (192, 2), "lora_down.weight": (2, 64), "dora_scale": (192, 1)},
}


@pytest.mark.parametrize("kind", OF_WHOLE)
def test_changes_that_depend_on_a_fused_matrix_are_refused(ctx, loaded, kind):
    """The module has three parts of it, and each would need the whole."""
    module = "lora_unet_double_blocks_0_img_attn_qkv"
    content = {f"{module}.{name}": torch.ones(shape) for name, shape in OF_WHOLE[kind].items()}
    tiny.write(ctx.folders.models[0] / "loras" / f"{kind}.safetensors", content, {})
    with pytest.raises(ModelError, match="which is not supported yet") as error:
        load_lora_model_only(ctx, loaded.MODEL, f"{kind}.safetensors", 1.0)
    assert error.value.got.endswith("for transformer_blocks.0.attn.to_q.weight")


@pytest.mark.parametrize("prefix", ["transformer.", "lycoris_"])
def test_a_lora_in_the_layout_of_diffusers(ctx, loaded, prefix):
    width, tensors = tiny_flux.WIDTH, tiny_flux.transformer()
    (up, down), (wide, narrow) = low_rank(width, width, 3), low_rank(4 * width, width, 4)
    content = {}
    for module, first, second in (
        ("transformer_blocks.1.attn.add_k_proj", up, down),
        ("single_transformer_blocks.0.proj_mlp", wide, narrow),
    ):
        written = prefix + (module.replace(".", "_") if prefix.endswith("_") else module)
        content |= {f"{written}.lora_B.weight": first, f"{written}.lora_A.weight": second}
    tensors["double_blocks.1.txt_attn.qkv.weight"][width : 2 * width] += 0.7 * up @ down
    tensors["single_blocks.0.linear1.weight"][3 * width :] += 0.7 * wide @ narrow
    check_lora(ctx, loaded, f"{prefix}diffusers.safetensors", content, tensors)


def check_lora(ctx, loaded, name, content, tensors):
    tiny.write(ctx.folders.models[0] / "loras" / name, content, {})
    ctx.said.clear()
    model = load_lora_model_only(ctx, loaded.MODEL, name, 0.7)
    assert not ctx.said
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    found = sampled(ctx, model, positive, empty_sd3_latent_image(64, 64, 1))
    assert psnr(found, looped(positive.entries[0], noise(), simple(4), tensors=tensors)) >= 110


def test_a_lora_reaches_t5(ctx, loaded):
    up, down = low_rank(16, tiny_t5.WIDTH, 1)
    name = "lora_te3_encoder_block_0_layer_0_SelfAttention_q"
    content = {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
    tiny.write(ctx.folders.models[0] / "loras" / "t5.safetensors", content, {})
    _, clip = load_lora(ctx, loaded.MODEL, loaded.CLIP, "t5.safetensors", 1.0, 1.0)
    plain, changed = (clip_text_encode(ctx, "a cat", each).entries[0] for each in (loaded.CLIP, clip))
    assert not torch.allclose(plain.context, changed.context) and torch.equal(plain.pooled, changed.pooled)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_narrow_matrices_stay_narrow_and_give_the_picture_of_their_numbers(ctx, loaded, dtype):
    tensors = {name: t.to(dtype) if t.ndim == 2 else t for name, t in tiny_flux.transformer().items()}
    name = f"{dtype}.safetensors".removeprefix("torch.")
    tiny.write(ctx.folders.models[0] / "diffusion_models" / name, tensors, {})
    model = load_unet(ctx, name, "default")
    module = ctx.use(pool).unet(model).module
    assert module.get_parameter("single_transformer_blocks.0.proj_mlp.weight").dtype == dtype
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    found = sampled(ctx, model, positive, empty_sd3_latent_image(64, 64, 1))
    wide = {name: tensor.float() for name, tensor in tensors.items()}
    assert psnr(found, looped(positive.entries[0], noise(), simple(4), tensors=wide)) >= 110


def test_weights_that_are_rounded_to_8_bits_stay_in_8_bits_and_patched_ones_in_16(ctx, loaded):
    models = ctx.use(pool)
    rounded = load_unet(ctx, "flux_unet.safetensors", "fp8_e4m3fn")
    state, plain = (models.unet(model).module.state_dict() for model in (rounded, loaded.MODEL))
    for name, tensor in state.items():
        assert tensor.dtype == (torch.float8_e4m3fn if tensor.ndim == 2 else torch.float32)
        torch.testing.assert_close(tensor.float(), plain[name].to(torch.float8_e4m3fn).float())
    up, down = low_rank(4 * tiny_flux.WIDTH, tiny_flux.WIDTH, 4)
    name = "transformer.single_transformer_blocks.0.proj_mlp"
    content = {f"{name}.lora_B.weight": up, f"{name}.lora_A.weight": down}
    tiny.write(ctx.folders.models[0] / "loras" / "mlp.safetensors", content, {})
    eight = {name: t.to(torch.float8_e5m2) if t.ndim == 2 else t for name, t in tiny_flux.transformer().items()}
    tiny.write(ctx.folders.models[0] / "diffusion_models" / "eight.safetensors", eight, {})
    base = load_unet(ctx, "eight.safetensors", "default")
    patched = models.unet(load_lora_model_only(ctx, base, "mlp.safetensors", 1.0)).module.state_dict()
    touched = "single_transformer_blocks.0.proj_mlp.weight"
    assert {name: tensor.dtype for name, tensor in patched.items() if tensor.ndim == 2} == {
        name: torch.bfloat16 if name == touched else torch.float8_e5m2 for name, t in plain.items() if t.ndim == 2
    }
    models.residents.drop()


def test_blocks_that_come_and_go_give_the_same_bits(ctx, loaded):
    models = ctx.use(pool)
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP).entries[0]
    x, inputs = noise(), {"context": positive.context, "pooled": positive.pooled, "guidance": torch.tensor([3.5])}
    with torch.no_grad():
        whole = models.unet(loaded.MODEL)(x, torch.tensor([0.5]), inputs)
        streamed = models.unet(loaded.MODEL, streamed=True)
        assert streamed.stream and torch.equal(streamed(x, torch.tensor([0.5]), inputs), whole)
    models.residents.drop()


def test_prompts_of_other_lengths_do_not_change_each_other(ctx, loaded):
    cat, dog = (clip_text_encode(ctx, text, loaded.CLIP) for text in ("a cat", "a dog"))
    latent, long = empty_sd3_latent_image(64, 64, 1), conditioning_concat(dog, dog)

    def beside(negative):
        return sampled(ctx, loaded.MODEL, cat, latent, steps=1, cfg=3.0, negative=negative)

    alone = [sampled(ctx, loaded.MODEL, each, latent, steps=1) for each in (cat, long)]
    torch.testing.assert_close(beside(long), alone[1] + 3 * (alone[0] - alone[1]), rtol=1e-4, atol=1e-4)


def test_a_picture_is_referred_to(ctx, loaded):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    seen = Latent(torch.randn(1, 16, 6, 4, generator=torch.manual_seed(3)))
    assert reference_latent(positive) is positive
    twice = reference_latent(reference_latent(positive, seen), seen)
    assert len(twice.entries[0].options["reference_latents"]) == 2
    apart = flux_kontext_multi_reference_latent_method(twice, reference_latents_method="index")
    latent = empty_sd3_latent_image(64, 64, 2)
    made = [sampled(ctx, loaded.MODEL, each, latent) for each in (positive, twice, apart)]
    assert all(each.shape == (2, 16, 8, 8) for each in made)
    assert not torch.allclose(made[0], made[1]) and not torch.allclose(made[1], made[2])


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 16, 2, 8, 8)])
def test_a_picture_of_another_family_is_not_referred_to(ctx, loaded, shape):
    told = reference_latent(clip_text_encode(ctx, "a cat", loaded.CLIP), Latent(torch.ones(shape)))
    with pytest.raises(InputError, match="refers to is not of the model's family"):
        sampled(ctx, loaded.MODEL, told, empty_sd3_latent_image(64, 64, 1))


@pytest.mark.parametrize(
    ("shape", "size"), [((100, 100), (1024, 1024)), ((90, 160), (752, 1392)), ((300, 100), (1568, 672))]
)
def test_pictures_for_kontext_have_a_size_that_it_knows(shape, size):
    made = flux_kontext_image_scale(torch.rand(1, *shape, 3))
    assert made.shape == (1, *size, 3) and size[::-1] in KONTEXT_SIZES


def test_a_latent_of_another_family_is_refused(ctx, loaded):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    with pytest.raises(InputError, match="not of the model's family") as error:
        sampled(ctx, loaded.MODEL, positive, Latent(torch.ones(1, 4, 8, 8)))
    assert (error.value.got, error.value.expected) == ("4 channels", "16 channels")


def test_a_prompt_of_another_family_is_refused(ctx, loaded):
    clip = load_clip(ctx, "clip_l.safetensors", "stable_diffusion")
    with pytest.raises(ModelError, match="encoded for another family"):
        sampled(ctx, loaded.MODEL, clip_text_encode(ctx, "a cat", clip), empty_sd3_latent_image(64, 64, 1))


def test_encoders_without_t5_are_refused(ctx):
    with pytest.raises(ModelError, match="are not the text encoders of flux") as error:
        load_two_clips(ctx, "clip_l.safetensors", "clip_l.safetensors", "flux")
    assert error.value.expected == "CLIP's L in one file and T5-XXL in the other"


def test_a_lora_of_another_family_is_refused(ctx, loaded):
    tiny.write(ctx.folders.models[0] / "loras" / "sd.safetensors", tiny.lora(), {})
    with pytest.raises(ModelError, match="made for another family"):
        load_lora_model_only(ctx, load_unet(ctx, "flux_unet.safetensors", "default"), "sd.safetensors", 1.0)


def test_options_that_reach_into_unets_are_refused(ctx, loaded):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    model = with_option(loaded.MODEL, FreeU(1.1, 1.2, 0.9, 0.2, True))
    with pytest.raises(ModelError, match="UNet"):
        sampled(ctx, model, positive, empty_sd3_latent_image(64, 64, 1))


@pytest.fixture(scope="module")
def editing(ctx):
    """Models that are shown a picture, and a mask: canny or depth, and fill."""
    for name, channels in (("depth", 32), ("fill", 96)):
        tensors = tiny_flux.transformer(taken=4 * channels)
        tiny.write(ctx.folders.models[0] / "diffusion_models" / f"{name}.safetensors", tensors, {})
    return {name: load_unet(ctx, f"{name}.safetensors", "default") for name in ("depth", "fill")}


@torch.no_grad()
def shown(cond, beside, taken):
    """One Euler step from pure noise, with channels beside the latent."""
    module, x = tiny_flux.reference(tiny_flux.transformer(taken=taken)), noise()
    tokens = torch.cat([FluxPipeline._pack_latents(each, *each.shape) for each in (x, *beside)], -1)
    out = module(
        tokens, cond.context, cond.pooled, torch.tensor([1.0]),
        FluxPipeline._prepare_latent_image_ids(1, 4, 4, "cpu", torch.float32), torch.zeros(cond.context.shape[1], 3),
        torch.tensor([3.5]), return_dict=False,
    )[0]  # fmt: skip
    return (x - FluxPipeline._unpack_latents(out, 64, 64, 8)) / 0.3611 + 0.1159


def test_a_model_for_edges_or_depth_is_shown_a_picture(ctx, loaded, editing):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    pixels = torch.rand(1, 64, 64, 3, generator=torch.manual_seed(0))
    told = instruct_pix_to_pix_conditioning(ctx, positive, positive, loaded.VAE, pixels)
    found = sampled(ctx, editing["depth"], told.positive, told.latent, steps=1)
    picture = (vae_encode(ctx, pixels, loaded.VAE).samples - 0.1159) * 0.3611
    assert psnr(found, shown(positive.entries[0], [picture], 128)) >= 110


def test_a_model_that_fills_is_shown_a_picture_and_the_pixels_of_a_mask(ctx, loaded, editing):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    pixels, mask = torch.rand(1, 64, 64, 3, generator=torch.manual_seed(0)), torch.zeros(1, 64, 64)
    mask[:, 13:30, 5:] = 1
    told = inpaint_model_conditioning(ctx, positive, positive, loaded.VAE, pixels, mask, noise_mask=False)
    found = sampled(ctx, editing["fill"], told.positive, told.latent, steps=1)
    hidden = told.positive.entries[0].options["concat_latent_image"]
    cells = mask.reshape(1, 8, 8, 8, 8).permute(0, 2, 4, 1, 3).reshape(1, 64, 8, 8)
    expected = shown(positive.entries[0], [(hidden - 0.1159) * 0.3611, cells], 384)
    assert psnr(found, expected) >= 110


def test_without_a_picture_all_of_an_empty_one_is_filled(ctx, loaded, editing):
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    found = sampled(ctx, editing["fill"], positive, empty_sd3_latent_image(64, 64, 1), steps=1)
    empty = torch.full((1, 16, 8, 8), -0.1159 * 0.3611)
    assert psnr(found, shown(positive.entries[0], [empty, torch.ones(1, 64, 8, 8)], 384)) >= 110


def test_a_controlnet_for_unets_is_refused(ctx, loaded):
    tiny.write(ctx.folders.models[0] / "controlnet" / "canny.safetensors", tiny.control(), {})
    positive = clip_text_encode(ctx, "a cat", loaded.CLIP)
    net = load_controlnet(ctx, "canny.safetensors")
    steered = apply_controlnet_sd3(positive, positive, net, loaded.VAE, torch.rand(1, 64, 64, 3))
    with pytest.raises(ModelError, match="steers a UNet"):
        sampled(ctx, loaded.MODEL, steered.positive, empty_sd3_latent_image(64, 64, 1))
