"""Importing packs."""

import sys
from pathlib import Path

import pytest

from engine.node import Registry
from nodes.packs import current
from nodes.packs.find import Pack
from nodes.packs.load import PackFailed, load_pack
from tests.nodes.packs.classic import PACKS, folders


@pytest.fixture(autouse=True)
def begun(tmp_path: Path) -> None:
    current.begin(folders(tmp_path), Registry())


def test_what_a_pack_defines_is_found_and_what_it_prints_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    loaded = load_pack(Pack("onpath", PACKS / "onpath"))
    assert (list(loaded.classes), loaded.web) == (["Say"], {"onpath": PACKS / "onpath" / "js"})
    assert load_pack(Pack("classic", PACKS / "classic")).titles == {"Shout": "Shout it"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "said", "missing"), [
    ("broken", r"The node pack broken is skipped: KeyError: 'what is not there' \(broken/__init__.py:4\)", None),
    ("needy", "No module named 'no_such_module_anywhere'", "no_such_module_anywhere"),
    ("installs", "CalledProcessError: .* returned non-zero exit status 1", None),
])  # fmt: skip
def test_a_pack_that_fails_says_why_in_one_line_and_leaves_nothing(
    name: str, said: str, missing: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PackFailed, match=said) as caught:
        load_pack(Pack(name, PACKS / name))
    assert "\n" not in caught.value.message and caught.value.missing == missing
    assert capfd.readouterr() == ("", "")
    assert not [module for module in sys.modules if module.startswith(f"custom_nodes.{name}")]


def test_a_pack_without_nodes_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1")
    with pytest.raises(PackFailed, match="is skipped: it defines no nodes"):
        load_pack(Pack("empty", tmp_path / "empty.py"))


def test_a_script_that_is_to_run_before_runs_before(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "prestartup_script.py").write_text("import os; os.environ['LOOMIS_TEST_BEFORE'] = '1'")
    (tmp_path / "p" / "__init__.py").write_text(
        "import os; NODE_CLASS_MAPPINGS = {os.environ.pop('LOOMIS_TEST_BEFORE'): int}"
    )
    assert list(load_pack(Pack("p", tmp_path / "p")).classes) == ["1"]
