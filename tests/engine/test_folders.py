"""Where files lie: precedence, folders with two names, either slash, and no way out."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FileError
from engine.folders import Folders, check_new, confined, files_below, inside


def make(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_first_root_wins(tmp_path: Path):
    one, two, extra = tmp_path / "one", tmp_path / "two", tmp_path / "extra"
    make(two / "vae" / "a.pt", two / "vae" / "b.pt", one / "vae" / "a.pt", extra / "c.pt", extra / "b.pt")
    folders = Folders((one, two), extra={"vae": (extra,)})
    assert folders.roots("vae") == [extra, one / "vae", two / "vae"]
    assert folders.model("vae", "a.pt") == one / "vae" / "a.pt"
    assert folders.model("vae", "b.pt") == extra / "b.pt"
    assert folders.names("vae") == ["a.pt", "b.pt", "c.pt"]
    assert folders.model("loras", "a.pt") is None and folders.names("loras") == []


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("diffusion_models", "unet"),
        ("unet", "diffusion_models"),
        ("clip", "text_encoders"),
        ("text_encoders", "clip"),
        ("controlnet", "t2i_adapter"),
    ],
)
def test_folders_that_are_one_under_two_names(kind: str, folder: str, tmp_path: Path):
    make(tmp_path / folder / "a.safetensors", tmp_path / "elsewhere" / "b.safetensors")
    folders = Folders((tmp_path,), extra={folder: (tmp_path / "elsewhere",)})
    assert folders.names(kind) == ["a.safetensors", "b.safetensors"]
    assert folders.model(kind, "a.safetensors") == tmp_path / folder / "a.safetensors"


def test_names_have_forward_slashes_and_are_found_with_either(tmp_path: Path):
    make(tmp_path / "loras" / "style" / "deep" / "a.safetensors")
    folders = Folders((tmp_path,))
    assert folders.names("loras") == ["style/deep/a.safetensors"]
    for name in ("style/deep/a.safetensors", "style\\deep\\a.safetensors", "style\\deep/a.safetensors"):
        assert folders.model("loras", name) == tmp_path / "loras" / "style" / "deep" / "a.safetensors"


def test_only_model_files_are_models(tmp_path: Path):
    make(*(tmp_path / "vae" / name for name in ("a.SAFETENSORS", "b.txt", "c", "d.ckpt.part")))
    (tmp_path / "vae" / "e.pt").mkdir()
    folders = Folders((tmp_path,))
    assert folders.names("vae") == ["a.SAFETENSORS"]
    assert folders.model("vae", "b.txt") is None and folders.model("vae", "e.pt") is None


def test_names_that_a_text_mentions(tmp_path: Path):
    make(tmp_path / "embeddings" / "cat.pt", tmp_path / "embeddings" / "dog,.bin")
    folders = Folders((tmp_path,))
    assert folders.named("embeddings", "cat") == folders.named("embeddings", "cat.pt,,") == "cat.pt"
    assert folders.named("embeddings", "dog,") == "dog,.bin"
    assert folders.named("embeddings", "horse") is None and folders.named("embeddings", ",") is None


def test_input_files(tmp_path: Path):
    folders = Folders(input=tmp_path / "in", output=tmp_path / "out", temp=tmp_path / "temp")
    make(tmp_path / "in" / "a.PNG", tmp_path / "in" / "sub" / "b.jpg", tmp_path / "in" / "c.txt")
    make(tmp_path / "out" / "a.png", tmp_path / "temp" / "a.png", tmp_path / "in" / "odd [output].png")
    assert folders.inputs((".png", ".jpg")) == ["a.PNG", "odd [output].png", "sub/b.jpg"]
    assert (
        folders.input_file("sub\\b.jpg") == folders.input_file("sub/b.jpg [input]") == tmp_path / "in" / "sub" / "b.jpg"
    )
    assert folders.input_file("a.png [output]") == tmp_path / "out" / "a.png"
    assert folders.input_file("a.png [temp]") == tmp_path / "temp" / "a.png"
    assert folders.input_file("odd [output].png") == tmp_path / "in" / "odd [output].png"
    assert folders.input_file("gone.png") is None
    assert folders.place("temp") == tmp_path / "temp" and folders.place("output") == tmp_path / "out"


def test_input_folders(tmp_path: Path):
    folders = Folders(input=tmp_path / "in", output=tmp_path / "out")
    make(tmp_path / "in" / "set" / "10_cat" / "a.png", tmp_path / "in" / ".hidden" / "b.png", tmp_path / "in" / "c.png")
    make(tmp_path / "out" / "made" / "a.png")
    assert folders.input_folders() == ["set", "set/10_cat"]
    assert folders.input_folder("set\\10_cat") == tmp_path / "in" / "set" / "10_cat"
    assert folders.input_folder("made [output]") == tmp_path / "out" / "made"
    assert folders.input_folder("c.png") is None and folders.input_folder("gone") is None
    assert Folders(input=tmp_path / "nowhere").input_folders() == []


def test_folders_with_a_model_in_parts(tmp_path: Path):
    folders = Folders((tmp_path / "one", tmp_path / "two"))
    make(tmp_path / "one" / "diffusers" / "sd" / "model_index.json", tmp_path / "one" / "diffusers" / "no" / "a.json")
    make(
        tmp_path / "two" / "diffusers" / "of" / "me" / "model_index.json", tmp_path / "two" / "vae" / "model_index.json"
    )
    make(tmp_path / "two" / "diffusers" / "model_index.json")
    assert folders.model_folders("diffusers") == ["of/me", "sd"]
    assert folders.model_folder("diffusers", "of\\me") == tmp_path / "two" / "diffusers" / "of" / "me"
    assert folders.model_folder("diffusers", "no") is None and folders.model_folder("diffusers", "gone") is None
    assert folders.model_folders("vae") == []


OUTSIDE = ["", ".", "..", "/etc/passwd", "../a", "a/../../b", "a/..", "..\\a", "\\a", "C:\\a", "c:a", "a\0b", "//a"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_way_out(name: str, tmp_path: Path):
    folders = Folders((tmp_path,), input=tmp_path)
    for use in (
        confined,
        folders.input_file,
        folders.input_folder,
        *(partial(find, "vae") for find in (folders.model, folders.model_folder)),
    ):
        with pytest.raises(FileError) as caught:
            use(name)
        assert caught.value.hint


@pytest.mark.parametrize("name", ["a" * 256, "a" * 200 + "é" * 30, "a/" * 600, "x/" + "b" * 256 + "/y"])
def test_names_that_are_too_long_for_a_file(name: str):
    with pytest.raises(FileError, match="too long"):
        confined(name)


@given(st.text("ab./\\: \0~", max_size=12))
def test_a_confined_name_stays_below(name: str):
    try:
        path = confined(name)
    except FileError:
        return
    assert path.parts and ".." not in path.parts and not path.is_absolute()
    assert (Path("/root") / path).resolve().is_relative_to("/root")


def test_links_in_circles_are_followed_once(tmp_path: Path):
    make(tmp_path / "loras" / "a.pt", tmp_path / "more" / "b.pt")
    (tmp_path / "loras" / "self").symlink_to(tmp_path / "loras")
    (tmp_path / "loras" / "other").symlink_to(tmp_path / "more")
    assert Folders((tmp_path,)).names("loras") == ["a.pt", "other/b.pt"]


PARTS = st.sampled_from([
    "a", "b.png", "..", ".", "", ".git", "c d", "é", "con", "NUL.txt", "aux ", "com1.png", "lpt³", "link", "out.png",
    "%2e%2e", "a\u202fb", "C:", "x:y", "~", "\r\n", "\ud800", "a\0",
])  # fmt: skip


@given(st.lists(PARTS, max_size=4), st.sampled_from("/\\"), st.booleans())
def test_what_a_client_names_is_inside_or_refused(tmp_path_factory: pytest.TempPathFactory, parts, slash, new):
    root = tmp_path_factory.getbasetemp() / "root"
    if not root.exists():
        make(root / "a" / "b.png", root.parent / "outside" / "out.png")
        (root / "link").symlink_to(root.parent / "outside")
        (root / "out.png").symlink_to(root.parent / "outside" / "out.png")
    try:
        path = inside(root, slash.join(parts), new=new)
    except FileError as error:
        assert error.hint
    else:
        assert path.resolve().is_relative_to(root) and path != root
        assert not any(part.startswith(".") for part in path.relative_to(root).parts)


@given(st.text(max_size=40))
def test_any_text_is_inside_or_refused(tmp_path_factory: pytest.TempPathFactory, name):
    root = tmp_path_factory.getbasetemp()
    with suppress(FileError):
        assert inside(root, name, new=True).parent.is_relative_to(root)


@pytest.mark.parametrize("name", ["CON", "con.png", "sub/aux", "com¹", ".hidden", "a/.git/config", "a\nb", "\ud800"])
def test_names_that_a_client_can_not_have(name: str, tmp_path: Path):
    with pytest.raises(FileError, match="can't be the name"):
        inside(tmp_path, name)


@pytest.mark.parametrize("name", ["ab:c.png", "a?.png", "dot.", "space "])
def test_a_new_name_is_one_that_every_system_can_keep(name: str, tmp_path: Path):
    assert inside(tmp_path, name) == tmp_path / name
    with pytest.raises(FileError, match="can't be the name"):
        inside(tmp_path, name, new=True)


def test_links_inside_are_followed_and_links_out_are_not(tmp_path: Path):
    root = tmp_path / "root"
    make(root / "a" / "b.png", tmp_path / "secret" / "key")
    (root / "in").symlink_to(root / "a")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    (tmp_path / "there").symlink_to(root)
    assert inside(tmp_path / "there", "in/b.png").is_file()
    assert inside(root, "loop") == root / "loop"
    for name in ("out", "out/key", "in/../../secret/key"):
        with pytest.raises(FileError, match="leaves its folder"):
            inside(root, name)


@given(st.lists(st.lists(PARTS, max_size=3).map("/".join), max_size=4))
def test_new_names_are_each_inside_or_refused(tmp_path_factory: pytest.TempPathFactory, names):
    root = tmp_path_factory.getbasetemp() / "names"
    if not root.exists():
        make(root / "a" / "b.png", root.parent / "outside" / "out.png")
        (root / "link").symlink_to(root.parent / "outside")
        (root / "out.png").symlink_to(root.parent / "outside" / "out.png")

    def refused(call) -> str | None:
        try:
            call()
        except FileError as error:
            return error.message
        return None

    one_by_one = (refused(lambda name=name: inside(root, name, new=True)) for name in names)
    assert refused(lambda: check_new(root, names)) == next((told for told in one_by_one if told), None)


def test_of_many_new_names_each_folder_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    looked: list[str] = []
    real = os.path.realpath
    monkeypatch.setattr("os.path.realpath", lambda path: looked.append(str(path)) or real(path))
    for root in (tmp_path, tmp_path / "new"):
        looked.clear()
        check_new(root, [f"{folder}/{number}.png" for folder in "ab" for number in range(50)])
        assert looked == [f"{root}/a/0.png", f"{root}", f"{root}/b/0.png", f"{root}"]


def test_files_below_several_folders_with_or_without_their_suffix(tmp_path: Path):
    for name in ("one/a.pt", "two/a.pt", "two/sub/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert files_below(folders, "a.pt") == files_below(folders, "a") == [tmp_path / "one/a.pt", tmp_path / "two/a.pt"]
    assert files_below(folders, "sub\\a") == [tmp_path / "two/sub/a"]
    for name in ("", "None", "../two/a.pt", "sub", "a\0", "x" * 250, 3):
        assert files_below(folders, name) == []
