import os
from pathlib import Path

import pytest

from engine.errors import SettingError
from server.settings import Options, read_options, server_address


def write_settings(here: Path, text: str) -> Path:
    file = here / "config" / "loomis" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_defaults(here):
    options = read_options({})
    assert (options.models, options.input, options.out) == ((Path("models"),), Path("input"), Path("output"))
    assert options.data == here / "data" / "loomis"
    assert (options.device, options.precision, options.disk_gb) == ("auto", "auto", 20)


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(here):
    write_settings(here, 'device = "mps"\nprecision = "fp16"\nancestral_noise = "same-seed"')
    options = read_options({"device": "cuda:1"}, {"LOOMIS_DEVICE": "cpu", "LOOMIS_PRECISION": "bf16"})
    assert (options.device, options.precision, options.ancestral_noise) == ("cuda:1", "bf16", "same-seed")
    assert options.memory_gb == 2


@pytest.mark.parametrize("field", ["input", "out", "data", "extra_model_paths"])
def test_every_folder_has_a_variable(here, field):
    assert getattr(read_options({}, {f"LOOMIS_{field.upper()}": "/there"}), field) == Path("/there")


def test_models_from_the_environment_are_a_list_like_path(here):
    options = read_options({}, {"LOOMIS_MODELS": os.pathsep.join(["/a", "", "/b"])})
    assert options.models == (Path("/a"), Path("/b"))


def test_an_empty_variable_is_none(here):
    assert read_options({}, {"LOOMIS_DEVICE": "", "LOOMIS_MODELS": ""}) == read_options({})


def test_relative_paths_of_a_file_start_at_the_file(here):
    file = write_settings(here, 'models = ["m", "/shared"]\nout = "o"\ninput = "~/pictures"')
    options = read_options({})
    assert options.models == (file.parent / "m", Path("/shared"))
    assert options.out == file.parent / "o"
    assert options.input == Path.home() / "pictures"


def test_one_models_folder_in_a_file_needs_no_list(here):
    file = write_settings(here, 'models = "m"')
    assert read_options({}).models == (file.parent / "m",)


@pytest.mark.parametrize("by_flag", [True, False])
def test_another_settings_file(here, by_flag):
    (here / "mine.toml").write_text("disk_gb = 0.5")
    given = ({"settings": Path("mine.toml")}, {}) if by_flag else ({}, {"LOOMIS_SETTINGS": "mine.toml"})
    assert read_options(*given).disk_gb == 0.5


def test_an_unknown_setting_is_answered_with_the_nearest(here):
    write_settings(here, 'devise = "cpu"')
    with pytest.raises(SettingError, match="no setting 'devise'") as caught:
        read_options({})
    assert (caught.value.expected, caught.value.hint) == ("device", "Did you mean device?")


@pytest.mark.parametrize(
    ("flags", "environ", "source"),
    [
        ({"device": "gpu"}, {}, "--device can't be 'gpu'"),
        ({}, {"LOOMIS_PRECISION": "fp8"}, "LOOMIS_PRECISION can't be 'fp8'"),
        ({}, {"LOOMIS_DISK_GB": "nan"}, "LOOMIS_DISK_GB can't be 'nan'"),
        ({}, {"LOOMIS_RAM_GB": "-1"}, "LOOMIS_RAM_GB can't be '-1'"),
        ({"ram_gb": -1.0}, {}, "--ram can't be -1.0"),
        ({"extra_model_paths": Path("~nobody-of-this-name/x")}, {}, "--extra-model-paths can't be"),
    ],
)
def test_a_wrong_value_is_told_with_its_source(here, flags, environ, source):
    with pytest.raises(SettingError, match=source) as caught:
        read_options(flags, environ)
    assert caught.value.expected
    assert caught.value.hint


def test_a_wrong_value_in_a_file_is_told_with_its_place(here):
    file = write_settings(here, "models = 3")
    with pytest.raises(SettingError) as caught:
        read_options({})
    assert str(caught.value) == f"{file}: models can't be 3."


@pytest.mark.parametrize("text", ["device = ", "\xff\xfe"])
def test_a_file_that_is_not_toml(here, text):
    (here / "mine.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingError, match="is not TOML"):
        read_options({"settings": Path("mine.toml")})


@pytest.mark.parametrize(
    ("flags", "environ", "said"),
    [
        ({"models": ["here", "gone"]}, {}, "--models: there is no folder gone"),
        ({"input": "gone"}, {}, "--input: there is no folder gone"),
        ({"models": None}, {"LOOMIS_MODELS": "gone"}, "LOOMIS_MODELS: there is no folder gone"),
    ],
)
def test_a_folder_to_read_from_that_is_named_has_to_be_there(here, flags, environ, said):
    (here / "here").mkdir()
    with pytest.raises(SettingError, match=said):
        read_options(flags, environ)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("localhost:8188", "http://localhost:8188"),
        ("127.0.0.1:80/", "http://127.0.0.1:80/"),
        ("[::1]:8188", "http://[::1]:8188"),
        ("https://example.org", "https://example.org"),
    ],
)
def test_an_address_without_a_scheme_is_http(here, given, address):
    assert read_options({"server": given}).server == read_options({}, {"LOOMIS_SERVER": given}).server == address
    assert server_address(given) == address


@pytest.mark.parametrize("given", ["localhost", "ftp://a:1", "a:b", "a:1/x", ":1 2"])
def test_what_is_no_address(here, given):
    for ask in (lambda: read_options({"server": given}), lambda: server_address(given)):
        with pytest.raises(SettingError, match="--server can't be"):
            ask()


def test_where_no_folder_is_read_none_has_to_be_there(here):
    assert read_options({"server": "http://127.0.0.1:1"}, {"LOOMIS_MODELS": "gone"}).models == (Path("gone"),)
    assert read_options({"models": None, "input": None, "out": "new"}, {}).models == (Path("models"),)


def test_a_chosen_file_must_be_there(here):
    with pytest.raises(SettingError, match="No such file"):
        read_options({"settings": Path("mine.toml")})


def test_folders_are_absolute_and_the_embedded_models_come_last(here):
    folders = Options(models=(Path("a"), Path("/b"))).folders(Path("/embedded"))
    assert folders.models == (here / "a", Path("/b"), Path("/embedded"))
    assert (folders.input, folders.output) == (here / "input", here / "output")
    assert folders.temp.is_absolute()


def test_folders_read_extra_model_paths_in_the_current_folder(here):
    (here / "extra_model_paths.yaml").write_text("other:\n  loras: /shared/loras\n")
    assert Path("/shared/loras") in Options().folders(Path("/embedded")).roots("loras")


def test_settings_for_nodes(here):
    settings = Options(device="cuda:1", precision="bf16", ram_gb=1.5).settings()
    assert (settings.device, settings.precision, settings.ram, settings.vram) == ("cuda:1", "bf16", 3 * 2**29, 0)
    assert settings.runtime.startswith("torch ")


def test_auto_becomes_a_device(here):
    assert Options().settings().device in ("cpu", "cuda", "mps")
