"""Imports are timed per thread, each second once, and are no cost of the node that came first."""

import importlib
import inspect
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.imports import import_seconds, time_imports
from tests.engine.words import Vocabulary, engine, n


@pytest.fixture
def slow_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules that take 0.2 s to import: one alone, and one that imports it."""
    (tmp_path / "slow_inner.py").write_text("import time\ntime.sleep(0.2)\nvalue = 3\n")
    (tmp_path / "slow_outer.py").write_text("import time\ntime.sleep(0.2)\nfrom slow_inner import value\n")
    monkeypatch.syspath_prepend(tmp_path)
    time_imports()
    yield
    for name in ("slow_inner", "slow_outer"):
        sys.modules.pop(name, None)


def test_imports_inside_each_other_count_once(slow_modules: None):
    before = import_seconds()
    module = importlib.import_module("slow_outer")
    assert 0.4 <= import_seconds() - before < 1.0
    assert "sleep" in inspect.getsource(module)
    again = import_seconds()
    importlib.import_module("slow_outer")
    assert import_seconds() == again


def test_each_thread_counts_its_own(slow_modules: None):
    before = import_seconds()
    thread = threading.Thread(target=importlib.import_module, args=("slow_inner",))
    thread.start()
    thread.join()
    assert import_seconds() == before


def test_it_is_installed_once():
    time_imports()
    time_imports()
    assert sum(type(finder).__name__ == "_Timer" for finder in sys.meta_path) == 1


def test_a_module_that_fails_or_is_not_there_is_told_as_ever(slow_modules: None, tmp_path: Path):
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    for name, error in (("broken_module", ZeroDivisionError), ("no_such_module_here", ModuleNotFoundError)):
        with pytest.raises(error):
            importlib.import_module(name)
    before = import_seconds()
    importlib.import_module("slow_inner")
    assert import_seconds() - before >= 0.2


@pytest.mark.parametrize("is_async", [False, True])
def test_an_import_is_not_the_cost_of_the_node_that_was_first(slow_modules: None, is_async: bool):
    words = Vocabulary()

    @words.registry.node("First")
    def first(a: int) -> int:
        import slow_outer  # type: ignore[import-not-found]

        return int(slow_outer.value + a)

    @words.registry.node("FirstAsync")
    async def first_async(a: int) -> int:
        return first(a)

    with engine(words) as e:
        node = "FirstAsync" if is_async else "First"
        assert e.run({"1": n(node, a=1)}, targets=["1"], values=["1"]).values == {"1": ([4],)}
        _, most = e.memo.seconds(node) or (0.0, 9.9)
        assert most < 0.2
