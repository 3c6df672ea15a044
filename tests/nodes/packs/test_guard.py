"""Packs install nothing."""

import os
import subprocess
import sys

import pytest

from nodes.packs.guard import FailingPopen, Installs, failing, forbid_installs, stay_offline


@pytest.mark.parametrize("command", [
    [sys.executable, "-m", "pip", "install", "x"],
    [sys.executable, "-s", "-m", "pip", "--quiet", "install", "-r", "requirements.txt"],
    ["uv", "pip", "install", "x"],
    [sys.executable, "-m", "ensurepip"],
])  # fmt: skip
def test_a_program_that_installs_is_not_started(command: list[str]) -> None:
    forbid_installs()
    with pytest.raises(Installs, match="install"):
        subprocess.run(command, check=True)
    with pytest.raises(Installs):
        os.system(" ".join(command))


def test_code_of_packs_sees_it_fail(caplog: pytest.LogCaptureFixture) -> None:
    for start in (failing(subprocess.run), lambda *args, **options: FailingPopen(*args, **options)):
        done = start("pip install x", shell=True, stderr=subprocess.PIPE)
        if isinstance(done, subprocess.Popen):
            done.communicate()
        assert done.returncode == 1
    assert caplog.text.count("tried to install software") == 2
    assert failing(subprocess.check_output)([sys.executable, "-c", "print(1)"]) == b"1\n"


def test_other_programs_are() -> None:
    forbid_installs()
    done = subprocess.run([sys.executable, "-c", "print('pip', 'wheel')"], capture_output=True, text=True, check=True)
    assert done.stdout == "pip wheel\n"


ENDING = """
import os
from nodes.packs import guard
class Late:
    def __del__(self, listed=os.listdir):
        listed("/")
guard.late = Late()
guard.forbid_installs()
"""


def test_a_process_that_ends_says_nothing() -> None:
    """What is let go of at the very end is audited when modules have lost their names."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_hubs_are_not_asked_unless_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "0")
    stay_offline()
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["TRANSFORMERS_OFFLINE"]) == ("1", "0")
