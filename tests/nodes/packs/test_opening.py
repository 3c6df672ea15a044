"""A registry with the nodes of packs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import Engine
from engine.errors import FileError
from engine.folders import Folders
from engine.node import Registry
from engine.schema import Files, NodeSpec
from nodes.packs import current
from nodes.packs.opening import Opened, open_packs
from tests.nodes.packs.classic import HELPERS, PACKS, Bench, folders


def opened(root: Path, *names: str, ours: Registry = HELPERS) -> Opened:
    return open_packs([PACKS / name for name in names] or [PACKS], ours, folders(root), root / "packs")


def test_packs_that_fail_are_told_and_the_others_have_their_nodes(tmp_path: Path) -> None:
    found = opened(tmp_path)
    assert {"Shout", "Say", "Same"} <= set(found.registry.specs)
    assert sorted(line.split(":")[0] for line in found.problems) == [
        "The node pack broken is skipped",
        "The node pack installs is skipped",
        "The node pack needy is skipped",
    ]
    again = opened(tmp_path)
    assert (again.packs, again.problems) == (found.packs, found.problems)


def test_our_nodes_keep_their_names(tmp_path: Path) -> None:
    ours = Registry()

    @ours.node("Shout")
    def shout() -> int:
        return 1

    found = opened(tmp_path, "classic", ours=ours)
    assert found.registry["Shout"].function is shout
    assert found.problems == ("Nodes of classic are skipped, for there are others of their names: Shout.",)
    assert set(ours.specs) == {"Shout"}


def test_nothing_foreign_and_no_torch_is_imported_once_packs_are_known(tmp_path: Path) -> None:
    opened(tmp_path, "classic", "onpath")
    code = (
        "import sys; from pathlib import Path; from tests.nodes.packs.test_opening import opened;"
        "found = opened(Path(sys.argv[1]), 'classic', 'onpath');"
        "print(len(found.registry.specs), *[m for m in sys.modules if m.startswith(('custom_nodes', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 15


def say(root: Path) -> NodeSpec:
    return opened(root, "onpath").registry["Say"]


def test_choices_are_looked_up_anew_when_a_folder_changed(tmp_path: Path) -> None:
    assert say(tmp_path).ports["file"].choices == ("none",)
    (tmp_path / "input" / "a.txt").write_text("")
    assert say(tmp_path).ports["file"].choices == ("a.txt",)
    assert say(tmp_path).ports["lora"].choices == ()
    (tmp_path / "models" / "loras").mkdir(parents=True)
    (tmp_path / "models" / "loras" / "x.safetensors").write_bytes(b"")
    assert say(tmp_path).ports["lora"].choices == Files("loras")


def test_a_pack_whose_sources_changed_is_another_version(tmp_path: Path) -> None:
    def version(text: str) -> int | str:
        (tmp_path / "p.py").write_text(text + "\nNODE_CLASS_MAPPINGS = {}\nWEB_DIRECTORY = '.'\n")
        (facts,) = open_packs([tmp_path], HELPERS, folders(tmp_path), tmp_path / "packs").packs
        return facts.digest

    assert len({version(text) for text in ("a = 1", "a = 2", "a = 1")}) == 2


def test_a_pack_is_tried_again_when_what_it_lacked_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no_such_module_anywhere" in opened(tmp_path, "needy").problems[0]
    (tmp_path / "no_such_module_anywhere.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert opened(tmp_path, "needy").problems == ("The node pack needy is skipped: it defines no nodes",)
    sys.modules.pop("no_such_module_anywhere")


def test_facts_of_other_folders_are_apart(tmp_path: Path) -> None:
    opened(tmp_path, "classic")
    elsewhere = Folders((tmp_path / "other",), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    open_packs([PACKS / "classic"], HELPERS, elsewhere, tmp_path / "packs")
    assert len(list((tmp_path / "packs").glob("classic-*.json"))) == 2


def test_nodes_that_cannot_be_described_are_told_in_one_line(tmp_path: Path) -> None:
    code = "class Bad:\n    @classmethod\n    def INPUT_TYPES(s):\n        raise ValueError('never')\n"
    (tmp_path / "odd.py").write_text(code + "NODE_CLASS_MAPPINGS = {f'Bad{n}': Bad for n in range(5)}\n")
    (said,) = open_packs([tmp_path], HELPERS, folders(tmp_path), tmp_path / "packs").problems
    assert said.startswith("5 of the nodes of odd can't be used: Bad0 (ValueError: never (odd.py:4)); Bad1 (")
    assert said.endswith("; ...")


READER = """
from pathlib import Path
WORDS = Path(__file__).with_name("words.json")

class Read:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "read"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {}}

    def read(self):
        from .late import mark
        return (WORDS.read_text() + mark,)

NODE_CLASS_MAPPINGS = {"Read": Read}
"""


@contextmanager
def reader(root: Path, ours: Registry = HELPERS, **files: str) -> Iterator[Bench]:
    """Open a pack that reads a file of its own, and imports a module when it is called."""
    pack = root / "custom" / "reader"
    pack.mkdir(parents=True, exist_ok=True)
    for name, text in {"__init__": READER, **files}.items():
        (pack / f"{name}.{'json' if name == 'words' else 'py'}").write_text(text)
    registry = open_packs([pack], ours, folders(root), root / "packs").registry
    with Engine(registry, folders=folders(root), data=root / "data") as engine:
        yield Bench(engine)


def test_a_pack_whose_files_changed_gives_what_they_say_now(tmp_path: Path) -> None:
    for words, mark, said in (("a", "1", "a1"), ("b", "1", "b1"), ("b", "2", "b2")):
        with reader(tmp_path, words=words, late=f"mark = {mark!r}") as bench:
            assert (bench.one("Read"), bench.ran) == ([said], ["1"])
            assert (bench.one("Read"), bench.ran) == ([said], [])


def test_nothing_is_remembered_of_a_source_that_changed_before_it_was_imported(tmp_path: Path) -> None:
    late = tmp_path / "custom" / "reader" / "late.py"
    with reader(tmp_path, words="a", late="mark = 1") as bench:
        late.write_text("mark = '2'")
        with pytest.raises(FileError, match=r"late\.py of the node pack reader has changed since Loomis started"):
            bench.one("Read")
    with reader(tmp_path, words="a", late="mark = '1'") as bench:
        assert (bench.one("Read"), bench.ran) == (["a1"], ["1"])


def test_a_pack_that_writes_beside_itself_when_it_is_imported_is_known_then(tmp_path: Path) -> None:
    writes = READER + "\nWORDS.with_name('made.txt').write_text('x')\n"
    for _ in range(2):
        with reader(tmp_path, __init__=writes, words="a", late="mark = '1'") as bench:
            assert bench.one("Read") == ["a1"]
    assert bench.ran == []


def test_the_nodes_of_a_pack_are_other_versions_where_ours_are(tmp_path: Path) -> None:
    for version, ran in ((1, ["1"]), (1, []), (2, ["1"])):
        ours = Registry()

        @ours.node("Ours", version=version)
        def node() -> int:
            return 1

        with reader(tmp_path, ours, words="a", late="mark = '1'") as bench:
            assert (bench.one("Read"), bench.ran) == (["a1"], ran)


def test_nothing_is_remembered_of_a_pack_whose_files_changed_before_it_was_imported(tmp_path: Path) -> None:
    for _ in range(2):
        with reader(tmp_path, words="a", late="mark = '1'") as bench:
            registry = bench.engine.registry
    sys.modules.pop("custom_nodes.reader", None)
    (tmp_path / "custom" / "reader" / "words.json").write_text("b")
    with Engine(registry, folders=folders(tmp_path), data=tmp_path / "data") as engine:
        bench = Bench(engine)
        for _ in range(2):
            assert (bench.one("Read"), bench.ran) == (["b1"], ["1"])
            assert "files of the node pack reader changed" in bench.warned[0]
    with reader(tmp_path, words="a", late="mark = '1'") as bench:
        assert bench.one("Read") == ["a1"]


def test_a_look_after_files_changed_keeps_the_version_of_what_was_imported(tmp_path: Path) -> None:
    choose = READER.replace('{"required": {}}', '{"required": {"w": (__import__("os").listdir(INPUT) or ["none"],)}}')
    choose = f"import folder_paths\nINPUT = folder_paths.get_input_directory()\n{choose}"
    with reader(tmp_path, __init__=choose, words="a", late="mark = '1'") as bench:
        version = bench.engine.registry["Read"].version
        (tmp_path / "custom" / "reader" / "words.json").write_text("b")
        (tmp_path / "input" / "new.txt").write_text("")
        current.refresh()
        assert bench.engine.registry["Read"].version == version
        assert bench.engine.registry["Read"].ports["w"].choices == ("new.txt",)
