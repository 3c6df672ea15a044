"""Choices that are not there, and the nearest that is."""

from pathlib import Path

import pytest

from engine import Folders
from engine.choices import BadInput, Choices, offered
from engine.errors import Fault
from engine.schema import Files, InputFolder, ModelFolder, Port
from tests.engine.checking import fault_of, faults
from tests.engine.words import n


def test_a_choice_that_is_not_there():
    fault = fault_of("Values", c="dark gren")
    assert (fault.code, fault.got, fault.expected) == ("value_not_in_list", "dark gren", "dark green")
    assert fault_of("Values", c="").expected == "red, green, dark green"


def test_a_file_that_is_not_there(tmp_path: Path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "portrait.safetensors").touch()
    folders = Folders(models=(tmp_path,), input=tmp_path)
    (fault,) = faults({"1": n("Load", name="portrat.safetensors"), "o": n("Save", image=("1", 0))}, folders)
    assert (fault.code, fault.expected) == ("value_not_in_list", "portrait.safetensors")
    assert fault.hint == f"Did you mean 'portrait.safetensors'? If not, put the file into {folder}."
    other = {"1": n("Load", name="sd_xl_base_1.0.safetensors"), "o": n("Save", image=("1", 0))}
    assert faults(other, folders)[0].hint == f"Put the file into {folder}."
    fault = fault_of("Load", name="a.safetensors")
    assert fault.expected == "one that is there, and none is there yet"
    assert fault.hint == "Put the file into /nonexistent/models/checkpoints."
    for name in ("../a.safetensors", "/etc/passwd", "", "C:/a.png", "a\0.png", "a" * 5000 + ".png"):
        for kind, input in (("Load", "name"), ("LoadImage", "image")):
            assert fault_of(kind, **{input: name}).code == "value_not_in_list"


def test_a_node_of_a_pack_that_found_nothing_to_offer(tmp_path: Path):
    with pytest.raises(BadInput, match="'a' is no choice") as caught:
        Choices(Folders(models=(tmp_path,))).check("a", Port("style", "COMBO", choices=()))
    assert caught.value.expected == "one that is there, and none is there yet"
    assert caught.value.hint == (
        "Put what the node looks for where its pack says, and try again: it found nothing to offer."
    )


def test_a_choice_beside_the_files(tmp_path: Path):
    folders = Folders(models=(tmp_path,))
    source = Files("loras", ("[None]",))
    assert offered(source, folders) == ["[None]"]
    port = Port("lora", "COMBO", choices=source)
    assert Choices(folders).check("[None]", port) == "[None]"
    with pytest.raises(BadInput, match="not there") as caught:
        Choices(folders).check("[none]", port)
    assert caught.value.expected == "[None]"


def test_a_folder_that_is_not_there(tmp_path: Path):
    folders = Folders(input=tmp_path)
    (tmp_path / "cats" / "grey").mkdir(parents=True)
    port = Port("folder", "COMBO", choices=InputFolder((".png",)))
    assert Choices(folders).check("cats\\grey", port) == "cats/grey"
    with pytest.raises(BadInput, match="not there") as caught:
        Choices(folders).check("cat", port)
    assert caught.value.expected == "cats" and f"put the folder into {tmp_path}" in str(caught.value.hint)
    with pytest.raises(BadInput, match="leaves its folder"):
        Choices(folders).check("../cats", port)


def test_a_folder_with_a_model_that_is_not_there(tmp_path: Path):
    (tmp_path / "diffusers" / "sd" / "unet").mkdir(parents=True)
    (tmp_path / "diffusers" / "sd" / "model_index.json").touch()
    port = Port("model_path", "COMBO", choices=ModelFolder("diffusers"))
    assert Choices(Folders((tmp_path,))).check("sd", port) == "sd"
    with pytest.raises(BadInput, match="not there") as caught:
        Choices(Folders((tmp_path,))).check("sd/unet", port)
    assert caught.value.expected == "sd" and f"the folder into {tmp_path / 'diffusers'}" in str(caught.value.hint)


def test_a_file_that_a_text_names_is_not_there(tmp_path: Path):
    folder = tmp_path / "embeddings"
    folder.mkdir()
    (folder / "style.pt").touch()
    folders = Folders(models=(tmp_path,))

    def found(text: str) -> list[Fault]:
        return faults({"1": n("Says", text=text), "o": n("Show", value=("1", 0))}, folders)

    (fault,) = found("a e:style, and e:stile")
    assert (fault.code, fault.got, fault.expected) == ("value_not_in_list", "stile", "style")
    assert fault.input == "text" and "Did you mean 'style'?" in str(fault.hint)
    (fault,) = found("e:../../x")
    assert fault.code == "value_not_in_list"
