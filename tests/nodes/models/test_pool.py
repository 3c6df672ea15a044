import hashlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.context import Usage
from engine.errors import FileError, ModelError
from nodes.models.pool import Pool
from nodes.recipes import Clip, FileRef, LoraPatch, Model, UpscaleModel, Vae
from tests.nodes.models.test_upscaler import compact

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[4] / "shared"))
TINY = FileRef("checkpoints", "tiny")
LORA = LoraPatch(FileRef("loras", "lora"), 0.8)


def pool_of(models: Path, budget: int = 1 << 30) -> Pool:
    return Pool("cpu", "auto", budget, lambda file: models / file.folder / file.fingerprint)


def test_a_recipe_is_built_once(models: Path) -> None:
    pool = pool_of(models)
    assert pool.unet(Model(TINY)).module is pool.unet(Model(TINY)).module
    assert pool.text(Clip(TINY)).models[0].module is pool.text(Clip(TINY, layer=-2)).models[0].module
    assert pool.vae(Vae(TINY)).module is not pool.vae(Vae(FileRef("vae", "alone"))).module


def test_a_prompt_becomes_a_picture(models: Path) -> None:
    pool = pool_of(models)
    context = pool.text(Clip(TINY)).encode("a (cat:1.2)").context
    unet = pool.unet(Model(TINY))
    assert unet.prediction == "v"
    with torch.no_grad():
        x = unet(torch.randn(1, unet.latent.channels, 8, 8), torch.tensor([999.0]), {"context": context})
    assert pool.vae(Vae(TINY)).decode(x / unet.latent.scale).shape == (1, 16, 16, 3)


def test_threads_that_ask_at_once_get_one_module(models: Path) -> None:
    pool = pool_of(models)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: pool.unet(Model(TINY)), range(16)))
    assert len({id(unet.module) for unet in found}) == 1


def test_a_patched_model_shares_what_the_patch_leaves_alone(models: Path) -> None:
    pool = pool_of(models)
    plain = pool.unet(Model(TINY)).module.state_dict()
    alone = pool.residents.held_bytes
    patched = pool.unet(Model(TINY, (LORA,))).module.state_dict()
    changed = [name for name in plain if plain[name].data_ptr() != patched[name].data_ptr()]
    assert sorted(changed) == [
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        "mid_block.resnets.0.conv1.weight",
    ]
    assert pool.residents.held_bytes - alone == sum(plain[name].nbytes for name in changed)
    assert not torch.equal(plain[changed[0]], patched[changed[0]])


def test_sharing_or_not_gives_the_same_weights(models: Path) -> None:
    shared, alone = pool_of(models), pool_of(models)
    shared.text(Clip(TINY))
    first = shared.text(Clip(TINY, (LORA, LORA))).models[0].module.state_dict()
    second = alone.text(Clip(TINY, (LORA, LORA))).models[0].module.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_the_least_recently_used_is_evicted(models: Path) -> None:
    sizes = []
    for name, recipe in (("unet", Model(TINY)), ("vae", Vae(TINY)), ("text", Clip(TINY))):
        pool = pool_of(models)
        getattr(pool, name)(recipe)
        sizes.append(pool.residents.held_bytes)
    pool = pool_of(models, budget=sizes[0] + max(sizes[1:]))
    unet, vae = pool.unet(Model(TINY)), pool.vae(Vae(TINY))
    assert pool.residents.held_bytes == sizes[0] + sizes[1]
    assert pool.unet(Model(TINY)) is unet
    pool.text(Clip(TINY))
    assert pool.residents.held_bytes == sizes[0] + sizes[2]
    assert pool.unet(Model(TINY)) is unet
    assert pool.vae(Vae(TINY)) is not vae


def test_a_model_above_the_budget_is_built_alone(models: Path) -> None:
    pool = pool_of(models, budget=1)
    pool.vae(Vae(TINY))
    vae_bytes = pool.residents.held_bytes
    first = pool.unet(Model(TINY))
    assert first.module
    assert pool.residents.held_bytes != vae_bytes
    assert pool.unet(Model(TINY)) is first


def test_drop_forgets_everything(models: Path) -> None:
    pool = pool_of(models)
    unet = pool.unet(Model(TINY))
    assert pool.usage() == Usage(reserved=pool.residents.held_bytes, used=pool.residents.held_bytes) != Usage()
    pool.drop()
    assert (pool.residents.held_bytes, pool.usage()) == (0, Usage())
    assert pool.unet(Model(TINY)) is not unet


def test_a_part_that_is_not_there_is_named(models: Path) -> None:
    pool, alone = pool_of(models), FileRef("vae", "alone")
    with pytest.raises(ModelError, match="alone holds no diffusion network") as raised:
        pool.unet(Model(alone))
    assert raised.value.got == "a VAE"
    with pytest.raises(ModelError, match="alone holds no text encoder"):
        pool.text(Clip(alone))


def test_a_lora_of_another_family_is_an_error_before_anything_is_built(tmp_path: Path, models: Path) -> None:
    name = "lora_unet_mid_block_resnets_0_conv1"
    save_file(
        {f"{name}.lora_up.weight": torch.ones(64, 2, 1, 1), f"{name}.lora_down.weight": torch.ones(2, 64, 3, 3)},
        tmp_path / "foreign",
    )
    folders = {"loras": tmp_path, "checkpoints": models / "checkpoints"}
    pool = Pool("cpu", "auto", 1 << 30, lambda file: folders[file.folder] / file.fingerprint)
    foreign = LoraPatch(FileRef("loras", "foreign"), 1.0)
    with pytest.raises(ModelError, match="foreign does not fit tiny"):
        pool.unused(pool.weights(foreign.file), [TINY])
    with pytest.raises(ModelError, match="foreign does not fit tiny"):
        pool.unet(Model(TINY, (foreign,)))
    assert pool.residents.held_bytes == 0


def test_unused_tensors_of_a_lora(models: Path) -> None:
    pool = pool_of(models)
    assert pool.unused(pool.weights(LORA.file), [TINY]) == ()


def test_a_failure_leaves_the_pool_working(tmp_path: Path, models: Path) -> None:
    (tmp_path / "broken").write_text("hello")
    folders = {"other": tmp_path, "checkpoints": models / "checkpoints"}
    pool = Pool("cpu", "auto", 1 << 30, lambda file: folders[file.folder] / file.fingerprint)
    for _ in range(2):
        with pytest.raises(FileError, match="not a weights file"):
            pool.unet(Model(FileRef("other", "broken")))
    assert pool.unet(Model(TINY)).module


def test_upscalers_and_embeddings(tmp_path: Path) -> None:
    compact(tmp_path)
    save_file({"emb_params": torch.ones(2, 4)}, tmp_path / "style")
    pool = Pool("cpu", "auto", 1 << 30, lambda file: tmp_path / file.fingerprint)
    recipe = UpscaleModel(FileRef("upscale_models", "compact"))
    assert pool.upscaler(recipe) is pool.upscaler(recipe)
    assert [table.shape for table in pool.embedding(FileRef("embeddings", "style"))] == [(2, 4)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_leaves_a_gpu_comes_back_and_blocks_come_one_by_one(models: Path) -> None:
    pool = Pool("cuda", "fp32", 1 << 30, lambda file: models / file.folder / file.fingerprint, host_bytes=1 << 30)
    x, timestep, context = (part.cuda() for part in (torch.randn(2, 4, 8, 8), torch.ones(2), torch.randn(2, 77, 32)))
    with torch.no_grad():
        whole = pool.unet(Model(TINY))(x, timestep, {"context": context})
        streamed = pool.unet(Model(TINY), streamed=True)
        assert torch.equal(streamed(x, timestep, {"context": context}), whole)
        assert torch.equal(streamed(x, timestep, {"context": context}), whole)
        assert pool.residents.aside(Model(TINY))
        assert torch.equal(pool.unet(Model(TINY))(x, timestep, {"context": context}), whole)


@pytest.mark.reference
@pytest.mark.slow
def test_a_model_of_real_widths() -> None:
    """Every tensor of a checkpoint with the widths of SD 1.5 has its place, and its file is recognised."""
    folder = Path(tempfile.gettempdir()) / "loomis-parity"
    path = folder / "checkpoints" / "sd15-mini.safetensors"
    if not path.exists():
        script = REFERENCE / "parity" / "make_checkpoint.py"
        if not script.exists():
            pytest.skip(f"no {script}")
        subprocess.run([sys.executable, str(script), "sd15-mini", str(path), "--seed", "1"], check=True)
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest().startswith("d7a048c85000a2c7")
    pool, ref = pool_of(folder), FileRef("checkpoints", "sd15-mini.safetensors")
    checkpoint = pool.checkpoint(ref)
    assert checkpoint.unet and checkpoint.vae
    assert checkpoint.unet.config["block_out_channels"] == (320, 320, 320)
    context = pool.text(Clip(ref)).encode("a photo of a red fox").context
    with torch.no_grad():
        x = pool.unet(Model(ref))(torch.randn(1, 4, 8, 8), torch.tensor([999.0]), {"context": context})
    assert pool.vae(Vae(ref)).decode(x).shape == (1, 64, 64, 3)
    used = {*checkpoint.unet.keys.values(), *checkpoint.vae.keys.values(), *checkpoint.text[0].network.keys.values()}
    assert set(pool.weights(ref).infos) <= used
