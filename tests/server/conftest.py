"""The real command, in this process, with folders of its own."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli import app

WORKFLOW = {
    "1": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}, "_meta": {"title": "Text"}},
    "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
}
SAVED = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "PrimitiveString", "title": "Text", "widgets_values": ["a fox"],
         "outputs": [{"name": "STRING", "type": "STRING", "links": [1]}]},
        {"id": 2, "type": "PreviewAny", "inputs": [{"name": "source", "type": "*", "link": 1}]},
    ],
    "links": [[1, 1, 0, 2, 0, "STRING"]],
}  # fmt: skip
"""The same workflow as the editor saves it."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ran]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; no settings from outside."""
    for name in [name for name in os.environ if name.startswith("LOOMIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loomis(here: Path) -> Command:
    def run(*args: str, input: str | None = None) -> Ran:
        result = CliRunner().invoke(app, args, input=input, prog_name="loomis")
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def workflow(here: Path) -> str:
    (here / "workflow.json").write_text(json.dumps(WORKFLOW))
    return "workflow.json"


@pytest.fixture
def saved(here: Path) -> str:
    (here / "saved.json").write_text(json.dumps(SAVED))
    return "saved.json"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
