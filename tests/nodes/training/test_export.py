import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from nodes.models import families
from nodes.models.pool import Pool
from nodes.models.weights import open_weights
from nodes.recipes import Clip, FileRef, Model, Vae
from nodes.training.export import export, preview_matrix
from nodes.training.parts import Parts, build, load
from nodes.training.stages.diffusion import token_ids
from tests.nodes.models.tiny import filled
from tests.nodes.training import tiny

FILE = FileRef("checkpoints", "model.safetensors")
PREVIEW = torch.arange(12.0).reshape(4, 3) / 10


@pytest.fixture(scope="module")
def parts() -> Parts:
    made = build(replace(tiny.DESIGN, scale=0.75, steps=9, cfg=2.5), 0)
    for seed, module in enumerate((made.unet, made.vae, made.text)):
        filled(module, seed)
    return made


@pytest.fixture(scope="module")
def path(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / FILE.fingerprint
    export(path, parts, PREVIEW, "tiny", {"modelspec.license": "MIT"})
    return path


def test_the_file_is_detected_with_all_that_shapes_do_not_tell(path: Path) -> None:
    weights = open_weights(path)
    found = families.detect(weights)
    assert (found.family, found.prediction) == ("sd1", "v")
    assert found.latent.scale == 0.75
    assert found.latent.rgb == tuple(tuple(round(v, 6) for v in row) for row in PREVIEW.tolist())
    assert found.latent.factor == 2
    assert (found.defaults.width, found.defaults.height) == (tiny.SIZE, tiny.SIZE)
    assert (found.defaults.steps, found.defaults.cfg) == (9, 2.5)
    assert found.unet is not None
    assert {**found.unet.config} == {**tiny.DESIGN.unet}
    assert found.vae is not None
    assert {**found.vae.config} == {**tiny.DESIGN.vae}
    assert {**found.text[0].network.config} == {**tiny.DESIGN.text}
    assert {info.dtype for info in weights.infos.values()} == {"F16"}
    assert "v_pred" in weights.infos
    assert weights.metadata["modelspec.license"] == "MIT"
    assert weights.metadata["modelspec.title"] == "tiny"
    assert set(json.loads(weights.metadata["config"])["unet"]) == {"attention_head_dim", "norm_num_groups"}


def test_the_pool_gives_back_every_tensor(parts: Parts, path: Path) -> None:
    pool = Pool("cpu", "fp32", 1 << 30, lambda _: path)
    text = pool.text(Clip(FILE)).models[0].module
    for trained, read in ((parts.unet, pool.unet(Model(FILE)).module), (parts.vae, pool.vae(Vae(FILE)).module),
                          (parts.text, text)):  # fmt: skip
        wanted = trained.state_dict()
        found = read.state_dict()
        assert [*found] == [*wanted]
        assert all(torch.equal(found[name], wanted[name].half().float()) for name in wanted)


def test_prompts_mean_what_captions_meant(parts: Parts, path: Path) -> None:
    context = Pool("cpu", "fp32", 1 << 30, lambda _: path).text(Clip(FILE)).encode("a red fox").context
    ids = torch.tensor([token_ids("a red fox", 600, 77)])
    with torch.no_grad():
        trained = load(path).text.eval()(input_ids=ids).last_hidden_state
    assert torch.allclose(context, trained, atol=1e-5)


def test_what_was_exported_can_be_trained_on(parts: Parts, path: Path) -> None:
    again = load(path)
    assert again.design == replace(tiny.DESIGN, scale=0.75, steps=9, cfg=2.5)
    assert torch.equal(again.unet.conv_in.weight, parts.unet.conv_in.weight.half().float())
    assert all(p.requires_grad for p in again.unet.parameters())
    with torch.no_grad():
        again.unet.conv_in.weight.add_(1)
    assert not torch.equal(load(path).unet.conv_in.weight, again.unet.conv_in.weight)


def test_noise_prediction_is_said_too(parts: Parts, tmp_path: Path) -> None:
    eps = Parts(replace(parts.design, prediction="eps"), parts.unet, parts.vae, parts.text)
    export(tmp_path / "eps.safetensors", eps, None, "eps")
    weights = open_weights(tmp_path / "eps.safetensors")
    assert "v_pred" not in weights.infos
    assert families.detect(weights).prediction == "eps"


def test_what_fp16_can_not_hold_is_an_error(tmp_path: Path) -> None:
    parts = build(replace(tiny.DESIGN, scale=1.0), 0)
    with torch.no_grad():
        parts.unet.conv_in.bias.fill_(1e6)
    with pytest.raises(ModelError, match="fp16") as caught:
        export(tmp_path / "big.safetensors", parts, None, "big")
    assert "input_blocks.0.0.bias" in str(caught.value.got)
    assert not [*tmp_path.iterdir()]


def test_the_preview_is_the_best_linear_map() -> None:
    torch.manual_seed(0)
    latents, matrix = torch.randn(6, 4, 8, 8), torch.randn(4, 3)
    pictures = torch.einsum("nchw,cr->nrhw", latents, matrix).repeat_interleave(4, -1).repeat_interleave(4, -2)
    assert torch.allclose(preview_matrix(latents, pictures), matrix, atol=1e-5)
