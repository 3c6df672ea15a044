from pathlib import Path

import pytest

from engine.errors import SettingError
from engine.folders import Folders
from server.model_paths import NAME, find_files, read_model_paths


def roots(here: Path, text: str, kind: str, models: tuple[Path, ...] = ()) -> list[str]:
    (here / NAME).write_text(text)
    folders = Folders(models=models, extra=read_model_paths([here / NAME], models))
    return [path.relative_to(here).as_posix() for path in dict.fromkeys(folders.roots(kind))]


def test_a_section_adds_folders_below_its_base(here):
    text = "other:\n  base_path: there\n  loras: |\n    models/loras\n    more\n  vae: models/vae\n"
    assert roots(here, text, "loras") == ["there/models/loras", "there/more"]
    assert roots(here, text, "vae") == ["there/models/vae"]


def test_without_a_base_paths_start_at_the_file(here):
    assert roots(here, "other:\n  vae: v\n", "vae") == ["v"]


def test_a_default_section_comes_before_the_models_folders_and_others_behind(here):
    text = "late:\n  vae: late\nearly:\n  is_default: true\n  vae: early\n"
    assert roots(here, text, "vae", (here / "models",)) == ["early", "models/vae", "late"]


def test_embedded_models_stay_last(here):
    (here / NAME).write_text("other:\n  vae: v\n")
    models = (here / "models",)
    folders = Folders(models=(*models, here / "embedded"), extra=read_model_paths([here / NAME], models))
    assert list(dict.fromkeys(folders.roots("vae")))[-1] == here / "embedded" / "vae"


def test_folders_with_two_names_are_one(here):
    text = "a:\n  clip: c\nb:\n  text_encoders: t\n  unet: u\n"
    assert roots(here, text, "text_encoders", (here / "m",)) == ["m/text_encoders", "m/clip", "c", "t"]
    assert roots(here, text, "unet") == ["u"]


def test_variables_and_the_home_folder_are_expanded(here, monkeypatch):
    monkeypatch.setenv("MODELS_AT", str(here / "m"))
    monkeypatch.setenv("HOME", str(here))
    assert roots(here, "a:\n  vae: $MODELS_AT/vae\nb:\n  base_path: ~/h\n  vae: vae\n", "vae") == ["m/vae", "h/vae"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "other:\n", "other:\n  vae:\n"])
def test_nothing_to_add(here, text):
    assert roots(here, text, "vae") == []


@pytest.mark.parametrize(
    "text", ["- a\n", "other: 3\n", "other:\n  vae: [a, b]\n", "other: {\n", "a: !!python/object:x {}"]
)
def test_another_form_is_one_error(here, text):
    (here / NAME).write_text(text)
    with pytest.raises(SettingError, match=NAME) as caught:
        read_model_paths([here / NAME], ())
    assert caught.value.hint


def test_a_file_that_is_missing(here):
    with pytest.raises(SettingError, match="can't be read"):
        read_model_paths([here / NAME], ())


def test_files_are_found_here_and_beside_the_models(here):
    (here / "program").mkdir()
    for place in (here, here / "program"):
        (place / NAME).write_text("")
    models = (here / "models", here / "program" / "models")
    assert find_files(models) == [here / NAME, here / "program" / NAME]
