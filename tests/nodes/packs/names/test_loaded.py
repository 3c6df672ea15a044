from pathlib import Path

import pytest
import torch

from engine.errors import InputError
from engine.folders import Folders
from nodes.packs.names.comfy.utils import load_torch_file
from nodes.packs.names.loaded import file_of, load, name_of


def test_weights_know_their_file_while_they_are_whole(loading: Folders) -> None:
    path = loading.models[0] / "vae" / "alone.safetensors"
    weights = load_torch_file(str(path))
    assert file_of(weights, "a VAE") == path
    name = next(iter(weights))
    changed = dict(weights)
    with pytest.raises(InputError, match="in no file"):
        file_of(changed, "a VAE")
    weights[name] = torch.zeros(1)
    with pytest.raises(InputError, match="in no file"):
        file_of(weights, "a VAE")


def test_a_path_is_a_name_in_one_of_the_folders(loading: Folders) -> None:
    path = loading.models[0] / "checkpoints" / "sub" / "tiny.safetensors"
    assert name_of(("loras", "checkpoints"), str(path)) == "sub/tiny.safetensors"
    with pytest.raises(InputError, match="outside"):
        name_of(("loras",), path)
    assert len(load("CheckpointLoaderSimple", name_of(("checkpoints",), Path(path)))) == 3
