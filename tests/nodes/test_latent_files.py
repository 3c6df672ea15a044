import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import nodes
from engine import Engine, Folders
from engine.errors import FileError, ValidationError


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "in").mkdir()
    folders = Folders(input=tmp_path / "in", output=tmp_path / "out", temp=tmp_path / "temp")
    with Engine(nodes.vocabulary(), folders=folders) as engine:
        yield engine


def loading(name):
    return {"1": {"class_type": "LoadLatent", "inputs": {"latent": name}}}


def test_what_is_saved_is_loaded(engine, tmp_path):
    samples = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    save_file({"latent_tensor": samples, "latent_format_version_0": torch.tensor([])}, tmp_path / "in" / "a.latent")
    workflow = {
        **loading("a.latent"),
        "2": {"class_type": "SaveLatent", "inputs": {"samples": ["1", 0], "filename_prefix": "x/%batch_num%"}},
    }
    result = engine.run(workflow)
    (file,) = result.outputs["2"].files
    assert (file["subfolder"], file["filename"], file["kind"]) == ("x", "0_00001_.latent", "latents")
    with safe_open(file["path"], "pt") as saved:
        assert json.loads(saved.metadata()["prompt"]) == workflow
        assert saved.get_tensor("latent_format_version_0").numel() == 0
    again = engine.run(loading("x/0_00001_.latent [output]"), targets=["1"], values=["1"]).values["1"][0][0]
    assert torch.equal(again.samples, samples)


def test_the_samples_of_old_files_are_unscaled(engine, tmp_path):
    save_file({"latent_tensor": torch.full((1, 4, 2, 2), 0.18215)}, tmp_path / "in" / "old.latent")
    loaded = engine.run(loading("old.latent"), targets=["1"], values=["1"]).values["1"][0][0]
    torch.testing.assert_close(loaded.samples, torch.ones(1, 4, 2, 2))


def test_a_file_without_a_latent_is_an_error(engine, tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "in" / "b.latent")
    with pytest.raises(FileError, match=r"b\.latent holds no latent") as raised:
        engine.run(loading("b.latent"), targets=["1"], values=["1"])
    assert raised.value.got == "x"


def test_a_file_that_is_not_there_fails_before_the_run(engine, tmp_path):
    save_file({"latent_tensor": torch.zeros(1)}, tmp_path / "in" / "night.latent")
    with pytest.raises(ValidationError, match=r"'nigth\.latent' is not there"):
        engine.run(loading("nigth.latent"), targets=["1"], values=["1"])
