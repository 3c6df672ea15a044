import pytest
import torch

from engine.errors import SettingError
from nodes.models.card import found, runs
from nodes.models.service import pool
from tests.nodes.calls import model_context
from tests.nodes.card import LIMITS, card

BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "compute_90"]


@pytest.mark.parametrize(
    ("capability", "runs_it"),
    [((7, 5), True), ((8, 6), True), ((8, 9), True), ((12, 0), True), ((7, 0), False), ((6, 1), False)],
)
def test_code_runs_on_gpus_of_its_major_version_and_what_is_to_be_compiled_on_later_ones(capability, runs_it):
    assert runs(capability, BUILT) == runs_it
    assert runs((12, 0), ["sm_120a"]) and not runs((12, 0), ["sm_90"])


def test_cuda_is_the_first_gpu(monkeypatch):
    with card(monkeypatch):
        assert found("cuda") == torch.device("cuda:0") == found("cuda:0")
        with pytest.raises(SettingError, match="cuda:1 was chosen") as raised:
            found("cuda:1")
    assert "cuda:0 to cuda:0" in raised.value.expected
    assert found("cpu") == torch.device("cpu")


def test_a_gpu_that_torch_has_no_code_for_is_an_error(monkeypatch):
    with card(monkeypatch):
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_90"])
        with pytest.raises(SettingError, match="no code for the device cuda:0, A card") as raised:
            found("cuda")
    assert raised.value.got == "compute capability 8.6" and "--device cpu" in raised.value.hint


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is a GPU of Apple's")
def test_apples_gpu_that_is_not_there_is_an_error():
    with pytest.raises(SettingError, match="mps was chosen"):
        found("mps")


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_the_allocator_gets_the_limit_that_was_chosen(monkeypatch, tmp_path, device):
    with card(monkeypatch, memory=8 << 30):
        model_context(tmp_path, device=device).use(pool)
        assert LIMITS == []
        models = model_context(tmp_path, device=device, vram=2 << 30).use(pool)
    assert LIMITS == [(0.25, 0)] and models.device == torch.device("cuda:0")


def test_fp32_on_a_gpu_is_fp32(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with card(monkeypatch):
        model_context(tmp_path, device="cuda").use(pool)
        assert torch.backends.cudnn.allow_tf32
        model_context(tmp_path, device="cuda", precision="fp32").use(pool)
    assert not torch.backends.cudnn.allow_tf32
