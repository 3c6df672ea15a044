import pytest

from engine.errors import SettingError
from server.command import SHARED

SHORT = {"ram_gb": "ram", "vram_gb": "vram"}
"""Options that have a shorter name than their settings."""
COMMANDS = ("run", "plan", "nodes", "models", "cache")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_shared_options_and_examples(loomis, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ran = loomis(command, "--help")
    assert ran.code == 0
    assert f"loomis {command}" in ran.out
    for name in SHARED:
        assert f"--{SHORT.get(name, name).replace('_', '-')} " in ran.out
        assert f"LOOMIS_{name.upper()}" in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_setting_is_an_error_of_every_command(loomis, workflow, command):
    ran = loomis(command, *([workflow] if command in ("run", "plan") else []), "--device", "gpu", "--json")
    assert ran.code == 2
    assert ran.lines == [
        {
            "error": {
                "code": SettingError.code,
                "message": "--device can't be 'gpu'.",
                "got": "gpu",
                "expected": "auto, cpu, cuda, cuda:1 or mps",
                "hint": "Correct it, or leave it out to use the default.",
            }
        }
    ]


def test_flags_reach_the_settings(loomis, here):
    (here / "m" / "vae").mkdir(parents=True)
    (here / "m" / "vae" / "a.safetensors").touch()
    (here / "n" / "vae").mkdir(parents=True)
    (here / "n" / "vae" / "b.safetensors").touch()
    ran = loomis("models", "vae", "--json", "--models", "m", "--models", "n")
    assert [file["name"] for file in ran.lines[0]["vae"]["files"]] == ["a.safetensors", "b.safetensors"]


def test_a_mistake_of_ours_is_one_block(loomis, monkeypatch):
    def broken() -> None:
        raise ZeroDivisionError("ouch")

    monkeypatch.setattr("nodes.vocabulary", broken)
    ran = loomis("nodes")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "error: Loomis made a mistake: ZeroDivisionError: ouch",
        "  do        Set LOOMIS_TRACEBACK=1, run it again and report what it prints.",
    ]


def test_tracebacks_are_there_for_those_who_ask(loomis, monkeypatch):
    monkeypatch.setenv("LOOMIS_TRACEBACK", "1")
    ran = loomis("nodes", "KSampla")
    assert ran.code == 2
    assert ran.err.startswith("Traceback")
    assert "Did you mean KSampler?" in ran.err


def test_ctrl_c_outside_a_run(loomis, monkeypatch):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nodes.vocabulary", interrupted)
    assert loomis("nodes").code == 130
