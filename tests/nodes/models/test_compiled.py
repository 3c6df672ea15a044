import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingError
from engine.settings import Settings
from nodes.models import compiled
from nodes.models.service import pool
from nodes.recipes import FileRef, Model
from tests.nodes.calls import model_context
from tests.nodes.models import tiny
from tests.parity.compare import psnr


def test_without_a_compiler_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingError, match="no C\\+\\+ compiler"):
        model_context(tmp_path, compile=True).use(pool)
    monkeypatch.setenv("CXX", "missing")
    with pytest.raises(SettingError) as raised:
        compiled.check()
    assert raised.value.got == "missing"


@given(st.booleans(), st.booleans())
def test_what_is_remembered_is_not_shared(first: bool, second: bool) -> None:
    assert (Settings(compile=first).profile == Settings(compile=second).profile) == (first == second)


def test_networks_are_compiled_only_when_asked_for_and_only_whole(models: Path) -> None:
    model = Model(FileRef("checkpoints", "tiny"))
    for chosen in (False, True):
        if chosen and shutil.which("c++") is None:
            pytest.skip("no C++ compiler")
        made = model_context(models, compile=chosen).use(pool)
        assert (made.unet(model).module._compiled_call_impl is not None) == chosen
        assert made.unet(model, streamed=True).module._compiled_call_impl is None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_a_compiled_network_predicts_the_same_within_rounding() -> None:
    module = tiny.modules()[0]
    x, timestep, context = torch.randn(2, 4, 8, 8), torch.tensor([9.0, 9.0]), torch.randn(2, 77, 32)
    with torch.no_grad():
        plain = module(x, timestep, context).sample
        compiled.compiled(module)
        assert psnr(plain, module(x, timestep, context).sample) > 90
        with compiled.as_written(True):
            assert torch.equal(module(x, timestep, context).sample, plain)
