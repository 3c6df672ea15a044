"""Which folders packs list."""

import os
from pathlib import Path

from nodes.packs.find import Pack
from nodes.packs.watch import Watch, unchanged
from tests.nodes.packs.classic import folders


def test_folders_that_are_listed_are_watched(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    for name in ("pack/code", "pack/fonts", "input/sub", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (pack / "code" / "a.py").write_text("")
    with Watch(Pack("pack", pack), folders(tmp_path)) as watch:
        for folder in ("pack/code", "pack/fonts", "elsewhere"):
            list(Path(tmp_path, folder).iterdir())
        list(os.walk(tmp_path / "input"))
    list(Path(tmp_path, "elsewhere").iterdir())
    states = watch.states()
    models = str(tmp_path / "models")
    assert {each for each in states if not each.startswith(models)} == {
        str(tmp_path / name) for name in ("pack/fonts", "input", "input/sub")
    }
    assert states[f"{models}/loras"] == "" and unchanged(states)
    (tmp_path / "models" / "loras").mkdir(parents=True)
    assert not unchanged(states)
