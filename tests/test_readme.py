"""What the README and the pages below docs say is true: commands run, links lead somewhere, code works.

``loomis`` runs in this process, which has loaded torch already; a line that needs a shell gets one.
"""

import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PORT = "8188"
"""Where the pages have the server. Here it gets a port that is free."""

ENGINE = """
from pathlib import Path
from engine import Engine, Folders
from nodes import EMBEDDED, settings, vocabulary

folders = Folders(models=(Path("models"), EMBEDDED), output=Path("output"))
engine = Engine(vocabulary(), folders=folders, settings=settings(), data=Path("data"))
"""
"""What the examples of the pages below docs begin with unsaid."""

STEPS = 4
"""What a sampler of the ready workflows takes here, where the pages have pictures of 16 or 20 steps."""

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(block: str) -> Iterator[str]:
    """Yield the commands of a block; one may go over several lines, which a shell joins at a backslash."""
    command = ""
    for line in block.splitlines():
        command += line + "\n"
        try:
            shlex.split(command)
        except ValueError:
            continue
        if not line.endswith("\\"):
            yield command.replace("\\\n", "").strip()
            command = ""
    assert not command, f"not a whole command: {command}"


def marked(page: Path, command: str) -> Any:
    """Those of the pages below docs draw many pictures, one after the other."""
    return pytest.param(page.name, command, marks=[] if page == README else [pytest.mark.slow])


COMMANDS = [(page, command) for page in PAGES for block in blocks(page, "sh") for command in commands(block)]
SERVE = [command for _, command in COMMANDS if command.startswith("loomis serve")]
MAKE = [command for _, command in COMMANDS if command.startswith("make")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "workflows", folder / "workflows")
    for path in (folder / "workflows").glob("*.json"):
        path.write_text(re.sub(r'"steps": \d+', f'"steps": {STEPS}', path.read_text()))
    return folder


@pytest.fixture(scope="module")
def port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def environ(folder: Path, port: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LOOMIS_")}
    return ours | {
        "LOOMIS_DATA": str(folder / "data"),
        "LOOMIS_SERVER": f"http://127.0.0.1:{port}",
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture
def shell(folder: Path, environ: dict[str, str], port: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    def run(command: str) -> "subprocess.CompletedProcess[str]":
        command = command.replace(PORT, port)
        program, *args = shlex.split(command)
        if program != "loomis":
            return subprocess.run(command, shell=True, cwd=folder, env=environ, capture_output=True, text=True)
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(app, args, env=environ, prog_name=program)
        return subprocess.CompletedProcess(args, result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="module")
def server(folder: Path, environ: dict[str, str], port: str) -> Iterator[str]:
    """The server of the README, started as it says; the address that it says."""
    command = shlex.split(SERVE[0].replace(PORT, port))
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        try:
            yield process.stdout.readline().removeprefix("Serving at ").strip()
        finally:
            process.terminate()
            assert process.wait(60) == 0


@pytest.mark.parametrize(("page", "command"), [marked(*each) for each in COMMANDS if each[1] not in (*SERVE, *MAKE)])
def test_a_command_runs(page: str, command: str, folder: Path, shell: Shell, request: pytest.FixtureRequest) -> None:
    if command.startswith("curl") and not shutil.which("curl"):
        pytest.skip("there is no curl")
    if PORT in command or command.startswith(("loomis submit", "loomis jobs", "loomis watch", "loomis cancel")):
        request.getfixturevalue("server")
    done = shell(command)
    assert done.returncode == 0, done.stderr
    assert done.stdout or ">" in command
    if " run " in command or " --watch" in command:
        for name in done.stdout.splitlines():
            is_picture = (folder / name).read_bytes().startswith(b"\x89PNG")
            assert is_picture or name.endswith(".safetensors")


def test_the_server_says_where_it_is(server: str, port: str) -> None:
    assert server == f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(f"{server}/health", timeout=20) as answer:
        assert answer.status == 200


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [line.removeprefix("make ") for line in MAKE]
    assert targets == ["demo", "test"]
    assert all(f"\n{target}:" in makefile for target in targets)


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_the_python_works(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "example.py").write_text(code)
    runpy.run_path("example.py", run_name="__main__")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_works(page: Path, folder: Path, environ: dict[str, str], server: str) -> None:
    code = "\n".join([ENGINE, *blocks(page, "python"), "engine.close()"])
    (folder / "example.py").write_text(code.replace(f"http://127.0.0.1:{PORT}", server))
    done = subprocess.run([sys.executable, "example.py"], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    missing = [target for target in targets if not target.startswith("http") and not (page.parent / target).exists()]
    assert missing == []
