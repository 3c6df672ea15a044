import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import FileError, ModelError
from nodes.models.weights import open_weights

SAVERS: list[Callable[[Any, Path], None]] = [
    lambda value, path: torch.save(value, path),
    lambda value, path: torch.save(value, path, _use_new_zipfile_serialization=False),
]


class Code:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.mkdir, ("was_run",)


@pytest.mark.parametrize("save", SAVERS)
def test_a_nested_state_dict_is_unwrapped(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    table = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    save({"epoch": 3, "state_dict": {"a.weight": table, "steps": 4}}, tmp_path / "x.ckpt")
    weights = open_weights(tmp_path / "x.ckpt")
    assert {name: (info.dtype, info.shape) for name, info in weights.infos.items()} == {"a.weight": ("BF16", (2, 3))}
    assert torch.equal(weights.tensor("a.weight"), table)


@pytest.mark.parametrize("save", SAVERS)
def test_a_file_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    save({"a": torch.ones(2)}, tmp_path / "x.safetensors")
    assert torch.equal(open_weights(tmp_path / "x.safetensors").tensor("a"), torch.ones(2))
    save(Code(), tmp_path / "y.safetensors")
    with pytest.raises(ModelError, match="wants to run code"):
        open_weights(tmp_path / "y.safetensors")


@pytest.mark.parametrize("wrapper", ["params_ema", "params-ema", "params", "model", "net", "generator"])
def test_every_wrapper_is_taken_off(tmp_path: Path, wrapper: str) -> None:
    torch.save({wrapper: {"a": torch.ones(2)}}, tmp_path / "x.pth")
    assert list(open_weights(tmp_path / "x.pth").infos) == ["a"]


def test_parameters_of_the_first_textual_inversions_are_read(tmp_path: Path) -> None:
    rows = torch.ones(2, 4)
    value = {"string_to_token": {"*": 265}, "string_to_param": nn.ParameterDict({"*": nn.Parameter(rows)})}
    torch.save(value, tmp_path / "x.pt")
    weights = open_weights(tmp_path / "x.pt")
    assert list(weights.infos) == ["string_to_param.*"] and torch.equal(weights.tensor("string_to_param.*"), rows)


def test_a_program_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"x/{name}", b"")
    with pytest.raises(ModelError, match=r"x\.pt is a program"):
        open_weights(tmp_path / "x.pt")


def test_an_alpha_may_be_a_number(tmp_path: Path) -> None:
    torch.save({"a.lora_up.weight": torch.ones(2), "a.alpha": 4, "step": 9}, tmp_path / "x.pt")
    weights = open_weights(tmp_path / "x.pt")
    assert list(weights.infos) == ["a.lora_up.weight", "a.alpha"] and weights.tensor("a.alpha").item() == 4


def test_tensors_one_level_down_carry_both_names(tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": torch.ones(2, 4)}, "name": "style"}, tmp_path / "x.pt")
    assert list(open_weights(tmp_path / "x.pt").infos) == ["string_to_param.*"]


@pytest.mark.parametrize("save", SAVERS)
def test_a_pickle_that_holds_code_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Any, Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    save({"state_dict": {"a": torch.ones(1)}, "extra": Code()}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match=r"x\.ckpt wants to run code") as raised:
        open_weights(tmp_path / "x.ckpt")
    assert "mkdir" in str(raised.value.got)
    assert "convert it to safetensors" in str(raised.value.hint)
    assert not (tmp_path / "was_run").exists()


def lightning(monkeypatch: pytest.MonkeyPatch) -> type:
    """The class of a callback whose package is there while the file is written, and gone when it is read."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    kind = type("ModelCheckpoint", (), {"__module__": name})
    for part in ("pytorch_lightning", "pytorch_lightning.callbacks", name):
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    sys.modules[name].ModelCheckpoint = kind
    return kind


@pytest.mark.parametrize("save", SAVERS)
def test_what_lightning_leaves_beside_the_tensors_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Any, Path], None]
) -> None:
    with monkeypatch.context() as patch:
        kind = lightning(patch)
        beside = {kind: {"best_model_score": torch.tensor(0.1), "loss": np.float64(0.3), "current": kind()}}
        save({"epoch": 2, "state_dict": {"a": torch.ones(2)}, "callbacks": beside}, tmp_path / "x.ckpt")
    weights = open_weights(tmp_path / "x.ckpt")
    assert list(weights.infos) == ["a"] and torch.equal(weights.tensor("a"), torch.ones(2))


def test_a_plain_pickle_that_holds_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in (2, 4):
        (tmp_path / "x.pt").write_bytes(pickle.dumps(Code(), protocol=protocol))
        with pytest.raises((ModelError, FileError)):
            open_weights(tmp_path / "x.pt")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("save", SAVERS)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_cut_file_is_an_error(tmp_path: Path, save: Callable[[Any, Path], None], share: float) -> None:
    save({"a": torch.ones(1000)}, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "x.pt").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileError, match=r"x\.pt is (truncated|broken)"):
        open_weights(tmp_path / "x.pt")


def test_another_zip_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FileError, match="not a weights file") as raised:
        open_weights(tmp_path / "x.ckpt")
    assert raised.value.got == "a zip archive"


def test_a_pickle_without_tensors_is_an_error(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(FileError, match="holds no tensors"):
        open_weights(tmp_path / "x.pt")
