from io import BytesIO

import pytest
import torch
from safetensors.torch import load, save_file

from engine.errors import InputError
from engine.outputs import SPLICERS
from nodes.loaders import load_checkpoint, load_lora, load_vae
from nodes.loaders_apart import load_clip, load_unet
from nodes.merge import clip_merge_subtract, model_merge_subtract
from nodes.model_options import model_sampling_discrete
from nodes.models.service import pool
from nodes.models.weights import open_weights
from nodes.recipes import Clip, FileRef, Model, Vae
from nodes.save_models import checkpoint_save, clip_save, lora_save, model_save, vae_save
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_flux, tiny_sd2, tiny_sd3, tiny_t5, tiny_xl


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    tiny.write(folder / "checkpoints" / "tiny", tiny.tensors())
    half = {name: tensor.half() for name, tensor in tiny_xl.tensors(tiny_xl.modules()).items()}
    tiny.write(folder / "checkpoints" / "xl", {**half, "v_pred": torch.tensor([])}, {})
    tiny.write(
        folder / "checkpoints" / "refiner", tiny_xl.tensors(tiny_xl.modules(tiny_xl.REFINER, is_refiner=True)), {}
    )
    tiny.write(folder / "checkpoints" / "two", tiny_sd2.tensors(tiny_sd2.LABELLED), {})
    tiny.write(folder / "loras" / "lora", tiny.lora(), {})
    return model_context(folder)


def parts(name):
    file = FileRef("checkpoints", name)
    return Model(file), Clip(file), Vae(file)


def laid(ctx, shown, folder, at=0):
    """Put a saved file where models are; return its tensors."""
    artifact = shown.files[at]
    data = SPLICERS[artifact.suffix](artifact.data, {"prompt": {"1": {}}})
    path = ctx.folders.models[0] / folder / f"{folder}.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    ctx.use(pool).drop()
    return load(data)


def same(ctx, get, one, other):
    found, expected = (get(ctx.use(pool), recipe) for recipe in (one, other))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def unet(pool, recipe):
    return pool.unet(recipe).module.state_dict()


def vae(pool, recipe):
    return pool.vae(recipe).module.state_dict()


def text(pool, recipe):
    return {f"{i}.{n}": t for i, m in enumerate(pool.text(recipe).models) for n, t in m.module.state_dict().items()}


@pytest.mark.parametrize("name", ["tiny", "xl", "refiner", "two"])
def test_a_checkpoint_comes_back_with_the_names_and_dtypes_that_it_had(ctx, name):
    saved = laid(ctx, checkpoint_save(ctx, *parts(name), "a/b"), "checkpoints")
    content = load((ctx.folders.models[0] / "checkpoints" / name).read_bytes())
    assert saved.keys() == content.keys()
    for key, tensor in content.items():
        assert saved[key].dtype == tensor.dtype and torch.equal(saved[key], tensor), key
    loaded = load_checkpoint(ctx, "checkpoints.safetensors")
    same(ctx, unet, loaded.MODEL, parts(name)[0])
    same(ctx, text, loaded.CLIP, parts(name)[1])
    same(ctx, vae, loaded.VAE, parts(name)[2])
    assert (
        ctx.use(pool).checkpoint(loaded.MODEL.file).prediction
        == ctx.use(pool).checkpoint(parts(name)[0].file).prediction
    )


def test_patches_are_merged_in(ctx):
    model, clip, autoencoder = parts("tiny")
    patched = load_lora(ctx, model, clip, "lora", 0.5, 0.5)
    laid(ctx, checkpoint_save(ctx, patched.MODEL, patched.CLIP, autoencoder), "checkpoints")
    loaded = load_checkpoint(ctx, "checkpoints.safetensors")
    same(ctx, unet, loaded.MODEL, patched.MODEL)
    same(ctx, text, loaded.CLIP, patched.CLIP)


def test_what_an_option_says_of_the_prediction_is_kept(ctx):
    model = model_sampling_discrete(parts("tiny")[0], sampling="eps")
    laid(ctx, model_save(ctx, model), "diffusion_models")
    loaded = load_unet(ctx, "diffusion_models.safetensors", "default")
    assert ctx.use(pool).checkpoint(loaded.file).prediction == "eps"
    same(ctx, unet, loaded, model)


def test_a_vae_alone(ctx):
    laid(ctx, vae_save(ctx, parts("tiny")[2]), "vae")
    same(ctx, vae, load_vae(ctx, "vae.safetensors"), parts("tiny")[2])


def test_text_encoders_alone(ctx):
    shown = clip_save(ctx, parts("tiny")[1], "clip/it")
    assert [(file.prefix, file.suffix) for file in shown.files] == [("clip/it_clip_l", ".safetensors")]
    laid(ctx, shown, "text_encoders")
    same(ctx, text, load_clip(ctx, "text_encoders.safetensors", "stable_diffusion"), parts("tiny")[1])


def test_two_text_encoders_are_two_files(ctx):
    shown = clip_save(ctx, parts("xl")[1])
    assert [file.prefix for file in shown.files] == ["clip/ComfyUI_clip_l", "clip/ComfyUI_clip_g"]
    names = [load(file.data) for file in shown.files]
    assert all("text_model.encoder.layers.0.self_attn.q_proj.weight" in each for each in names)
    assert "text_projection.weight" in names[1]


def test_a_file_can_be_opened_by_others(ctx, tmp_path):
    (artifact,) = vae_save(ctx, parts("tiny")[2]).files
    tensors = load(BytesIO(artifact.data).read())
    save_file(tensors, tmp_path / "again")
    assert all(name.startswith(("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")) for name in tensors)
    assert tensors["encoder.mid.attn_1.q.weight"].shape == (16, 16, 1, 1)


def weights_of(ctx, model, clip):
    """Return the tensors of a UNet and of text encoders under patches."""
    return unet(ctx.use(pool), model) | text(ctx.use(pool), clip)


@pytest.mark.parametrize(
    ("base", "kind", "rank"), [("tiny", "full_diff", 1), ("tiny", "standard", 4096), ("xl", "full_diff", 1),
    ("two", "standard", 4096)],
)  # fmt: skip
def test_a_difference_of_models_is_a_lora_for_one_of_them(ctx, base, kind, rank):
    model, clip, _ = parts(base)
    folder = ctx.folders.models[0] / "checkpoints"
    content = load((folder / base).read_bytes())
    draw = torch.Generator().manual_seed(4)
    other = {
        name: tensor + torch.randn(tensor.shape, generator=draw).to(tensor.dtype) * 0.05
        if tensor.numel() > 1
        else tensor
        for name, tensor in content.items()
    }
    tiny.write(folder / f"other-{base}-{kind}", other, open_weights(folder / base).metadata)
    changed, changed_clip, _ = parts(f"other-{base}-{kind}")
    difference = model_merge_subtract(ctx, changed, model), clip_merge_subtract(ctx, changed_clip, clip)
    shown = lora_save(
        ctx, "a/b", rank, lora_type=kind, bias_diff=True, model_diff=difference[0], text_encoder_diff=difference[1]
    )
    laid(ctx, shown, "loras")
    start, wanted = weights_of(ctx, model, clip), weights_of(ctx, changed, changed_clip)
    patched = load_lora(ctx, model, clip, "loras.safetensors", 1.0, 1.0)
    weights = ctx.use(pool).weights(patched.MODEL.patches[0].file)
    assert ctx.use(pool).unused(weights, [model.file]) == ()
    found = weights_of(ctx, patched.MODEL, patched.CLIP)
    for name, tensor in wanted.items():
        change = (tensor.float() - start[name].float()).norm()
        assert (found[name].float() - tensor.float()).norm() <= 2e-3 * change + 1e-3 * tensor.float().norm(), name


def test_a_lora_of_nothing_is_an_error(ctx):
    with pytest.raises(InputError, match="nothing to make a LoRA of"):
        lora_save(ctx, lora_type="standard")


FAMILIES = {"flux": tiny_flux.checkpoint, "sd3": tiny_sd3.checkpoint}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_of_a_transformer_comes_back_as_it_was(tmp_path, family):
    content = FAMILIES[family]()
    tiny.write(tmp_path / "checkpoints" / "whole.safetensors", content, {})
    ctx = model_context(tmp_path)
    model, clip, vae = load_checkpoint(ctx, "whole.safetensors")
    found = laid(ctx, checkpoint_save(ctx, model, clip, vae), "again")
    named = {name.replace("first_stage_model.", "vae.") if family == "flux" else name: t for name, t in found.items()}
    assert named.keys() == content.keys()
    assert all(torch.equal(named[name], tensor) for name, tensor in content.items())


def test_the_parts_of_flux_are_saved_apart(tmp_path):
    tiny.write(tmp_path / "checkpoints" / "whole.safetensors", tiny_flux.checkpoint(), {})
    ctx = model_context(tmp_path)
    model, clip, _ = load_checkpoint(ctx, "whole.safetensors")
    network = laid(ctx, model_save(ctx, model), "diffusion_models")
    expected = {f"model.diffusion_model.{name}": tensor for name, tensor in tiny_flux.transformer().items()}
    assert network.keys() == expected.keys() and all(torch.equal(network[n], t) for n, t in expected.items())
    reading = laid(ctx, clip_save(ctx, clip), "text_encoders", at=1)
    assert reading.keys() == tiny_t5.encoder().keys()
