"""What a pack gets when it imports something."""

import sys
from pathlib import Path

import pytest

import nodes
from engine.node import Registry
from nodes.packs import current
from nodes.packs.find import Pack
from nodes.packs.load import load_pack
from tests.nodes.packs.classic import PACKS, folders


@pytest.fixture(autouse=True)
def begun(tmp_path: Path) -> None:
    current.begin(folders(tmp_path), Registry())


def test_names_of_comfyui_are_answered_however_they_are_imported() -> None:
    load_pack(Pack("onpath", PACKS / "onpath"))
    assert sys.modules["custom_nodes.onpath"].SEEN == {
        "words": True,
        "path": "nodes.packs.names.folder_paths",
        "nodes": True,
        "extra": "nodes.packs.names.folder_paths",
        "again": True,
        "sibling": "nodes.packs.names.comfy.utils",
        "known": True,
    }


def test_nothing_of_that_is_seen_by_anybody_else() -> None:
    before, path = set(sys.modules), list(sys.path)
    for name in ("onpath", "classic"):
        load_pack(Pack(name, PACKS / name))
    new = {name for name in set(sys.modules) - before if not name.startswith(("custom_nodes", "nodes.packs"))}
    assert new.isdisjoint({"folder_paths", "server", "comfy", "execution", "onpath_extra", "onpath_words"})
    assert sys.modules["nodes"] is nodes is not sys.modules["custom_nodes.classic"].nodes and sys.path == path


def test_a_file_that_is_a_pack_imports_too(tmp_path: Path) -> None:
    file = tmp_path / "single-1.0.py"
    file.write_text("import comfy.model_management as m\nfrom sys import path\nNODE_CLASS_MAPPINGS = {m.__name__: int}")
    assert list(load_pack(Pack("single-1.0", file)).classes) == ["nodes.packs.names.comfy.model_management"]


def test_code_that_a_pack_executes_itself_imports_as_the_pack_does(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(
        "seen = {}\nexec('import comfy.utils as f', seen)\nNODE_CLASS_MAPPINGS = {seen['f'].__name__: int}"
    )
    assert list(load_pack(Pack("p", tmp_path / "p.py")).classes) == ["nodes.packs.names.comfy.utils"]
