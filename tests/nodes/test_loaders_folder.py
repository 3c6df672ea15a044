import json

import pytest
import torch

from engine.errors import ModelError
from nodes.loaders import load_checkpoint
from nodes.loaders_folder import load_diffusers
from nodes.models.families import clip_text
from nodes.models.service import pool
from nodes.recipes import DiscreteSampling, FileRef
from nodes.text import clip_text_encode
from tests.nodes.calls import model_context
from tests.nodes.models import tiny, tiny_xl
from tests.nodes.test_loaders_apart import G, L, under


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A models folder with a tiny checkpoint, and the same model as diffusers saves it."""
    folder = tmp_path_factory.mktemp("parts")
    unet, vae, _ = tiny.modules()
    whole = tiny.tensors()
    tiny.write(folder / "checkpoints" / "tiny.safetensors", whole)
    for name, content in (
        ("unet/diffusion_pytorch_model", unet.state_dict()),
        ("vae/diffusion_pytorch_model", vae.state_dict()),
        ("text_encoder/model", under(whole, "cond_stage_model.transformer.")),
    ):
        tiny.write(folder / "diffusers" / "sd" / f"{name}.safetensors", content, tiny.METADATA)
    (folder / "diffusers" / "sd" / "model_index.json").write_text("{}")
    return folder


@pytest.fixture
def ctx(folder):
    return model_context(folder)


def test_a_folder_gives_what_a_checkpoint_gives(ctx):
    found, whole = load_diffusers(ctx, "sd"), load_checkpoint(ctx, "tiny.safetensors")
    models = ctx.use(pool)
    for get, ours, theirs in ((models.unet, found.MODEL, whole.MODEL), (models.vae, found.VAE, whole.VAE)):
        own, other = get(ours).module.state_dict(), get(theirs).module.state_dict()
        assert own.keys() == other.keys() and all(torch.equal(own[name], other[name]) for name in own)
    contexts = [clip_text_encode(ctx, "a cat", clip).entries[0].context for clip in (found.CLIP, whole.CLIP)]
    assert torch.equal(*contexts)
    assert found.MODEL.options == ()


@pytest.mark.parametrize(("said", "options"), [
    ({"prediction_type": "v_prediction"}, (DiscreteSampling("v_prediction"),)),
    ({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}, (DiscreteSampling("v_prediction", True),)),
    ({"prediction_type": "epsilon"}, ()),
    ([], ()),
])  # fmt: skip
def test_the_scheduler_says_what_is_predicted(ctx, folder, said, options):
    config = folder / "diffusers" / "sd" / "scheduler" / "scheduler_config.json"
    config.parent.mkdir(exist_ok=True)
    config.write_text(json.dumps(said))
    assert load_diffusers(ctx, "sd").MODEL.options == options
    config.write_text("{")
    assert load_diffusers(ctx, "sd").MODEL.options == ()


def test_sixteen_bits_come_first(ctx, folder):
    half = folder / "diffusers" / "sd" / "vae" / "diffusion_pytorch_model.fp16.safetensors"
    tiny.write(half, {name: t.half() for name, t in tiny.modules()[1].state_dict().items()}, tiny.METADATA)
    assert load_diffusers(ctx, "sd").VAE.file == FileRef("diffusers", f"sd/vae/{half.name}")
    half.unlink()


def test_two_text_encoders_are_those_of_sdxl(tmp_path):
    deep = tiny.filled(clip_text.build({**tiny_xl.G, "num_hidden_layers": 32}), 4)
    xl = tiny_xl.tensors({**tiny_xl.modules(), "g": deep})
    for name, content in (
        ("unet/diffusion_pytorch_model", tiny_xl.unet().state_dict()),
        ("vae/diffusion_pytorch_model", tiny.modules()[1].state_dict()),
        ("text_encoder/model", under(xl, L)),
        ("text_encoder_2/model", under(xl, G)),
    ):
        metadata = tiny.METADATA if name.startswith("vae") else {}
        tiny.write(tmp_path / "diffusers" / "xl" / f"{name}.safetensors", content, metadata)
    (tmp_path / "diffusers" / "xl" / "model_index.json").write_text("{}")
    clip = load_diffusers(model_context(tmp_path), "xl").CLIP
    assert [file.fingerprint for file in clip.files] == [
        "xl/text_encoder/model.safetensors",
        "xl/text_encoder_2/model.safetensors",
    ]


def test_a_part_that_is_not_there_is_named(tmp_path):
    (tmp_path / "diffusers" / "cut" / "unet").mkdir(parents=True)
    (tmp_path / "diffusers" / "cut" / "model_index.json").write_text("{}")
    with pytest.raises(ModelError, match="cut has no weights in unet") as raised:
        load_diffusers(model_context(tmp_path), "cut")
    assert "unet/diffusion_pytorch_model.safetensors" in str(raised.value.expected)
