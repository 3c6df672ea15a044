"""The memo: values, texts, files, traces and costs, in the words of the planner."""

from pathlib import Path
from typing import Any

import pytest

from engine.call import Outcome
from engine.folders import Folders
from engine.memo import TRACES, Lost, Memo
from engine.memory import Cached
from engine.names import Stamp
from engine.node import Artifact, Files, InputFile, InputFolder, Mentions, ModelFolder
from engine.rows import Row
from engine.store import Store
from engine.values import Opaque, pack
from tests.engine.words import Vocabulary

WORDS = Vocabulary().registry


@pytest.fixture
def memo(tmp_path: Path):
    folders = Folders((tmp_path / "models",), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    with Store(None, memory_bytes=100_000, disk_bytes=0) as store:
        yield Memo(store, folders)


def outcome(*values: Any, **fields: Any) -> Outcome:
    packed = [pack(value) for value in values]
    held = {each.digest: Cached(value, each) for value, each in zip(values, packed, strict=True)}
    return Outcome(tuple((each.digest,) for each in packed), held, **fields)


def test_a_result_is_remembered_with_its_values(memo: Memo):
    row = memo.remember(WORDS["Add"], b"k", outcome(5, "five", seconds=0.5), {"a": 1})
    assert memo.row(b"k") == row and row.cost == 0.5 and row.outputs == ((pack(5).digest,), (pack("five").digest,))
    assert memo.has(pack(5).digest) and memo.value(pack(5).digest) == 5
    assert memo.text(pack("five").digest) == "five" and memo.text(pack(5).digest) is None


def test_what_is_like_no_other_is_not_kept(memo: Memo):
    row = memo.remember(WORDS["Add"], b"k", outcome(5), {}, keep=False)
    assert row.outputs == ((pack(5).digest,),) and memo.row(b"k") is None and not memo.has(pack(5).digest)


def test_a_value_that_is_gone_is_lost(memo: Memo):
    with pytest.raises(Lost) as caught:
        memo.value(b"gone")
    assert caught.value.digests == (b"gone",) and memo.text(b"gone") is None and not memo.has(b"gone")


def test_a_value_that_was_changed_is_forgotten(memo: Memo):
    memo.remember(WORDS["Add"], b"k", outcome(5), {})
    memo.forget([pack(5).digest, b"never there"])
    assert not memo.has(pack(5).digest)


def test_an_opaque_value_comes_back_as_itself(memo: Memo):
    thing = object()
    memo.remember(WORDS["Handle"], b"k", Outcome(((b"id",),), {b"id": Cached(Opaque(thing, b"id"), None)}), {})
    assert memo.value(b"id") is thing


def test_what_the_last_runs_of_a_type_got_newest_first(memo: Memo):
    for i in range(TRACES + 3):
        memo.remember(WORDS["Add"], b"%d" % i, outcome(i), {"a": i})
    assert [trace["a"] for trace, _ in memo.ran("Add")] == list(range(TRACES + 2, 2, -1))
    assert memo.ran("Half") == []


def test_traces_outlive_the_process(tmp_path: Path):
    for _ in range(2):
        with Store(tmp_path / "store", memory_bytes=10_000, disk_bytes=10**6) as store:
            memo = Memo(store, Folders())
            found = [trace for trace, _ in memo.ran("Add")]
            memo.remember(WORDS["Add"], b"k", outcome(5, notes={"text": ["x"]}), {"a": 1, "b": b"12345678"})
    assert found == [{"a": 1, "b": b"12345678"}]


def test_what_another_process_ran_is_known_after_a_refresh(tmp_path: Path):
    with (
        Store(tmp_path / "store", memory_bytes=10_000, disk_bytes=10**6) as ours,
        Store(tmp_path / "store", memory_bytes=10_000, disk_bytes=10**6) as theirs,
    ):
        memo = Memo(ours, Folders())
        assert memo.ran("Add") == []
        Memo(theirs, Folders()).remember(WORDS["Add"], b"k", outcome(5), {"a": 1})
        theirs.flush()
        assert memo.ran("Add") == []
        memo.refresh()
        assert [trace for trace, _ in memo.ran("Add")] == [{"a": 1}]


def test_seconds_are_as_known_at_the_last_refresh(memo: Memo):
    assert memo.seconds("Add") is None
    memo.remember(WORDS["Add"], b"k", outcome(5, seconds=2.0), {})
    assert memo.seconds("Add") == (2.0, 2.0)
    memo.remember(WORDS["Add"], b"l", outcome(5, seconds=4.0), {})
    assert memo.seconds("Add") == (2.0, 2.0)
    memo.refresh()
    assert memo.seconds("Add") == (2.0, 4.0)


def test_files_are_whole_while_they_can_be_written_again_or_are_there(memo: Memo, tmp_path: Path):
    artifact = Artifact(b"x" * 200_000, "a", ".txt")
    row = memo.remember(WORDS["Save"], b"k", outcome(files=(artifact,)), {})
    assert row.files == ((pack(artifact.data).digest, "a", ".txt", "output", "images", 0, 0),)
    assert not memo.has(pack(artifact.data).digest) and not memo.whole(b"k", row)
    folder = (tmp_path / "output").resolve()
    memo.store.names.reserve(b"k", 0, str(folder), lambda attempt: "a_00001_.txt")
    assert not memo.whole(b"k", row)
    folder.mkdir()
    (folder / "a_00001_.txt").write_bytes(b"somebody's")
    assert not memo.whole(b"k", row)
    memo.store.names.stamp(b"k", 0, str(folder), Stamp.of(folder / "a_00001_.txt", b"somebody's"))
    assert memo.whole(b"k", row) and memo.whole(b"k", Row())


def test_fingerprints_follow_the_content(memo: Memo, tmp_path: Path):
    file = tmp_path / "models" / "vae" / "a.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"one")
    one = memo.fingerprint(Files("vae"), "a.safetensors")
    assert len(one) == 64 and memo.path_of(one) == file
    file.write_bytes(b"other")
    other = memo.fingerprint(Files("vae"), "a.safetensors")
    assert other != one and memo.path_of(one) is None and memo.path_of(other) == file
    file.unlink()
    assert memo.fingerprint(Files("vae"), "a.safetensors") == "" and memo.path_of(other) is None


def test_a_file_that_moved_is_found_by_its_content(memo: Memo, tmp_path: Path):
    for name in ("a", "b"):
        file = tmp_path / "models" / "vae" / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"same")
        found = memo.fingerprint(Files("vae"), file.name)
    (tmp_path / "models" / "vae" / "b.safetensors").unlink()
    assert memo.path_of(found) == tmp_path / "models" / "vae" / "a.safetensors"


def test_files_that_a_text_mentions(memo: Memo, tmp_path: Path):
    folder = tmp_path / "models" / "embeddings"
    folder.mkdir(parents=True)
    (folder / "cat.pt").write_bytes(b"cat")
    (folder / "dog.safetensors").write_bytes(b"dog")
    source = Mentions("embeddings", r"embedding:(\S+)")
    cat, dog = (memo.fingerprint(Files("embeddings"), name) for name in ("cat.pt", "dog.safetensors"))
    assert memo.fingerprint(source, "a embedding:cat, embedding:dog.safetensors x") == f"{cat} {dog}"
    assert memo.fingerprint(source, "a cat embedding:horse") == ""


def test_input_files(memo: Memo, tmp_path: Path):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "a.png").write_bytes(b"x")
    assert memo.fingerprint(InputFile(), "a.png") == "" != memo.fingerprint(InputFile(), "a.png [output]")


def test_the_fingerprint_of_a_folder_is_that_of_its_files_and_their_names(memo: Memo, tmp_path: Path):
    folder = tmp_path / "input" / "set"
    folder.mkdir(parents=True)
    source = InputFolder((".png", ".txt"))
    seen = [memo.fingerprint(source, "set")]
    (folder / "a.png").write_bytes(b"x")
    seen.append(memo.fingerprint(source, "set"))
    (folder / "a.txt").write_bytes(b"x")
    seen.append(memo.fingerprint(source, "set"))
    (folder / "a.txt").rename(folder / "b.txt")
    seen.append(memo.fingerprint(source, "set"))
    (folder / "b.txt").write_bytes(b"other")
    seen.append(memo.fingerprint(source, "set"))
    assert len(set(seen)) == len(seen) and "" not in seen
    (folder / "c.json").write_bytes(b"x")
    assert memo.fingerprint(source, "set") == seen[-1]
    assert memo.fingerprint(source, "gone") == ""


def test_the_fingerprint_of_a_model_in_parts_is_that_of_weights_and_descriptions(memo: Memo, tmp_path: Path):
    folder = memo.folders.roots("diffusers")[0] / "sd"
    (folder / "unet").mkdir(parents=True)
    source = ModelFolder("diffusers")
    assert memo.fingerprint(source, "sd") == ""
    (folder / "model_index.json").write_bytes(b"{}")
    seen = [memo.fingerprint(source, "sd")]
    for name in ("unet/a.safetensors", "unet/config.json"):
        (folder / name).write_bytes(b"x")
        seen.append(memo.fingerprint(source, "sd"))
    assert len(set(seen)) == 3
    (folder / "README.md").write_bytes(b"x")
    assert memo.fingerprint(source, "sd") == seen[-1]


def test_leases_are_between_engines_on_one_folder(tmp_path: Path):
    one, other = (Memo(Store(tmp_path / "s", memory_bytes=0, disk_bytes=10**6), Folders()) for _ in range(2))
    with one.store, other.store:
        assert one.lease([b"k", b"l"]) and not other.lease([b"k"]) and not other.lease([b"m", b"l"])
        one.release([b"k", b"l", b"never leased"])
        one.store.flush()
        assert other.lease([b"k"])
        other.release([b"k"])
