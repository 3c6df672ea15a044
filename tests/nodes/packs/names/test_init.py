"""Which module a foreign name means."""

import sys

import pytest

from nodes.packs.names import answer
from nodes.packs.names.placeholders import Absent, AbsentModule


@pytest.mark.parametrize("name", ["os", "torch", "engine", "comfyx", "custom_nodes"])
def test_names_of_others_are_not_answered(name: str) -> None:
    assert answer(name) is None


def test_a_name_means_the_module_here_and_nothing_foreign_is_imported(folders: object) -> None:
    found = answer("comfy.cli_args")
    assert found is not None and found.__name__ == "nodes.packs.names.comfy.cli_args"
    assert answer("comfy").cli_args is found  # type: ignore[union-attr]
    assert not {name for name in sys.modules if name.partition(".")[0] in ("comfy", "folder_paths", "comfy_execution")}


def test_a_module_is_imported_when_its_package_is_asked_for_it(folders: object) -> None:
    comfy = answer("comfy")
    assert comfy is not None and comfy.options.args_parsing is False


def test_what_is_not_here_is_a_module_of_placeholders() -> None:
    inner = answer("comfy.ldm.modules.attention")
    assert isinstance(inner, AbsentModule) and inner.__name__ == "comfy.ldm.modules.attention"
    assert answer("comfy").ldm.modules.attention is inner  # type: ignore[union-attr]
    assert isinstance(inner.BasicTransformerBlock, Absent)
    assert isinstance(answer("app.user_manager"), AbsentModule)


def test_a_module_here_has_no_modules_inside() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"comfy\.options"):
        answer("comfy.options.more")
