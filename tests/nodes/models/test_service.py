import pytest

from engine.errors import SettingError
from engine.settings import Settings
from nodes.machine import memory_bytes
from nodes.models.service import budgets, pool
from tests.nodes.calls import model_context

CARD, MACHINE = 10_000, 40_000


def test_without_a_card_models_and_their_work_get_three_quarters_of_the_machine() -> None:
    assert budgets(Settings(), 0, MACHINE) == (30_000, 0)
    assert budgets(Settings(ram=7), 0, MACHINE) == (7, 0)
    assert budgets(Settings(vram=7), 0, MACHINE) == (30_000, 0)


def test_with_a_card_the_machine_holds_what_leaves_it() -> None:
    assert budgets(Settings(device="cuda"), CARD, MACHINE) == (9_000, 20_000)
    assert budgets(Settings(device="cuda", vram=5, ram=3), CARD, MACHINE) == (5, 3)


def test_the_pool_of_an_engine_has_what_the_settings_say(tmp_path) -> None:
    made = model_context(tmp_path, ram=12345).use(pool)
    assert (made.residents.budget_bytes, made.residents.host_bytes) == (12345, 0)
    assert model_context(tmp_path).use(pool).residents.budget_bytes == memory_bytes() * 3 // 4


def test_a_device_that_is_not_there_is_named(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SettingError, match="cuda was chosen"):
        model_context(tmp_path, device="cuda").use(pool)
