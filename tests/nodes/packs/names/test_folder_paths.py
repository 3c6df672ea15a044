"""Where files lie, as node packs ask for it."""

from pathlib import Path

import pytest
import torch

from engine.errors import FileError
from engine.folders import Folders
from nodes.packs import current
from nodes.packs.names import folder_paths
from nodes.packs.names.comfy.utils import load_torch_file, save_torch_file


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_the_folders_are_those_of_the_process_and_are_there(folders: Folders, tmp_path: Path) -> None:
    assert Path(folder_paths.get_output_directory()) == tmp_path / "output"
    assert folder_paths.input_directory == folder_paths.get_directory_by_type("input") == str(tmp_path / "input")
    assert Path(folder_paths.temp_directory).is_dir()
    assert folder_paths.get_directory_by_type("models") is None
    assert (folder_paths.models_dir, folder_paths.base_path) == (str(tmp_path / "models"), str(tmp_path))
    with current.running("pack", "Type", None, Folders(output=tmp_path / "other")):
        assert folder_paths.get_output_directory() == str(tmp_path / "other")
        assert folder_paths.annotated_filepath("a.png [output]") == ("a.png", str(tmp_path / "output"))
        for folder in ("other", "output"):
            assert folder_paths.ours(tmp_path / folder / "a.png") == tmp_path / folder / "a.png"


def test_a_file_that_is_saved_is_listed_and_found(folders: Folders, tmp_path: Path) -> None:
    where = Path(folder_paths.get_folder_paths("loras")[0], "style")
    where.mkdir(parents=True)
    save_torch_file({"a": torch.arange(3.0)}, where / "one.safetensors", {"ss_tag": "cat"})
    touch(where / "notes.txt")
    assert folder_paths.get_filename_list("loras") == ["style/one.safetensors"]
    path = folder_paths.get_full_path_or_raise("loras", "style/one.safetensors")
    tensors, metadata = load_torch_file(path, return_metadata=True)
    assert tensors["a"].tolist() == [0, 1, 2] and metadata == {"ss_tag": "cat"}


def test_old_names_of_kinds_mean_the_new_ones(folders: Folders, tmp_path: Path) -> None:
    touch(tmp_path / "models" / "unet" / "a.safetensors")
    touch(tmp_path / "models" / "diffusion_models" / "b.safetensors")
    assert folder_paths.get_filename_list("unet") == ["a.safetensors", "b.safetensors"]
    assert folder_paths.get_full_path("diffusion_models", "a.safetensors") is not None


def test_a_pack_adds_a_kind_of_its_own(folders: Folders, tmp_path: Path) -> None:
    folder_paths.add_model_folder_path("sams", str(tmp_path / "one"))
    folder_paths.add_model_folder_path("sams", str(tmp_path / "two"), is_default=True)
    assert folder_paths.get_folder_paths("sams") == [str(tmp_path / "two"), str(tmp_path / "one")]
    touch(tmp_path / "one" / "anything.xyz")
    assert folder_paths.get_filename_list("sams") == ["anything.xyz"]
    paths, _ = folder_paths.folder_names_and_paths["sams"]
    folder_paths.folder_names_and_paths["sams"] = (paths, {".pth"})
    assert folder_paths.get_filename_list("sams") == []
    with pytest.raises(KeyError):
        folder_paths.get_filename_list("never heard of")


def test_there_is_no_path_for_a_name_that_leads_out_or_is_not_there(folders: Folders, tmp_path: Path) -> None:
    touch(tmp_path / "secret.safetensors")
    assert folder_paths.get_full_path("loras", "../../secret.safetensors") is None
    assert folder_paths.get_full_path("loras", str(tmp_path / "secret.safetensors")) is None
    assert folder_paths.get_full_path("no kind", "a.safetensors") is None
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors"):
        folder_paths.get_full_path_or_raise("loras", "gone.safetensors")


def test_a_name_of_an_input_file_may_be_marked_with_its_folder(folders: Folders, tmp_path: Path) -> None:
    touch(tmp_path / "output" / "sub" / "a.png")
    assert folder_paths.get_annotated_filepath("sub/a.png [output]") == str(tmp_path / "output" / "sub" / "a.png")
    assert folder_paths.exists_annotated_filepath("sub/a.png [output]")
    assert not folder_paths.exists_annotated_filepath("sub/a.png")
    assert folder_paths.annotated_filepath("a.png [temp]") == ("a.png", str(tmp_path / "temp"))
    assert folder_paths.annotated_filepath("a.png") == ("a.png", None)
    with pytest.raises(FileError, match="leaves its folder"):
        folder_paths.get_annotated_filepath("../a.png")
    (tmp_path / "input" / "x" / "y").mkdir(parents=True)
    assert folder_paths.get_input_subfolders() == ["x", "x/y"]


def test_files_are_told_apart_by_their_suffix() -> None:
    files = ["a.PNG", "b.mp4", "c.wav", "d.glb", "e.txt"]
    assert folder_paths.filter_files_content_types(files, ["image", "model"]) == ["a.PNG", "d.glb"]
    assert folder_paths.filter_files_content_types(files, ["video", "audio"]) == ["b.mp4", "c.wav"]
    assert folder_paths.filter_files_extensions(["b.pt", "a.PT", "c"], {".pt"}) == ["a.PT", "b.pt"]
    assert folder_paths.filter_files_extensions(["b", "a"], set()) == ["a", "b"]


def test_links_in_circles_are_searched_once(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "b.txt")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    touch(tmp_path / "left" / "out.txt")
    files, found = folder_paths.recursive_search(str(tmp_path), ["left"])
    assert files == ["a/b.txt"] and set(found) == {str(tmp_path), str(tmp_path / "a")}


def test_saving_counts_on_from_what_is_there(folders: Folders, tmp_path: Path) -> None:
    output = folder_paths.get_output_directory()
    touch(tmp_path / "output" / "sub" / "64-cat_00007_.png")
    touch(tmp_path / "output" / "sub" / "64-cat_x.png")
    found = folder_paths.get_save_image_path("sub/%width%-cat", output, 64, 32)
    assert found == (str(tmp_path / "output" / "sub"), "64-cat", 8, "sub", "sub/64-cat")
    folder, name, number, below, prefix = folder_paths.get_save_image_path("dog_%batch_num%", output)
    assert (folder, name, number, below, prefix) == (output, "dog_%batch_num%", 1, "", "dog_%batch_num%")


def test_nothing_is_saved_outside(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="leaves its folder"):
        folder_paths.get_save_image_path("../../x", folder_paths.get_output_directory())
    with pytest.raises(FileError, match="outside"):
        folder_paths.get_save_image_path("x", str(tmp_path / "elsewhere"))
    (tmp_path / "output").mkdir(exist_ok=True)
    (tmp_path / "output" / "link").symlink_to(tmp_path)
    with pytest.raises(FileError, match="outside"):
        save_torch_file({}, tmp_path / "output" / "link" / "x.safetensors")
    assert not (tmp_path / "elsewhere").exists()


def test_what_the_module_does_not_have_packs_can_ask_about(folders: Folders) -> None:
    assert not hasattr(folder_paths, "get_something_new")
