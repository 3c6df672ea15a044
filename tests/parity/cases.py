"""Find the golden cases and make the models that they name.

``LOOMIS_REFERENCE`` is the reference folder; ``LOOMIS_GOLDEN`` another folder of cases, laid out as its
``parity/golden``; ``LOOMIS_PARITY_MODELS`` where generated models are kept between runs.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFERENCE = Path(os.environ.get("LOOMIS_REFERENCE", Path(__file__).parents[3] / "shared"))
OPEN = REFERENCE / "parity" / "golden"
GOLDEN = Path(os.environ.get("LOOMIS_GOLDEN", OPEN))
MODELS = Path(os.environ.get("LOOMIS_PARITY_MODELS", Path(tempfile.gettempdir()) / "loomis-parity"))

LARGE = 1_000_000_000
"""Bytes of a model from which on a case takes minutes."""


@dataclass(frozen=True, slots=True)
class Case:
    """A folder with ``workflow.json``, ``latent*.safetensors`` and ``image_*.png``."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def workflow(self) -> Mapping[str, Any]:
        return json.loads((self.folder / "workflow.json").read_text())

    @property
    def latents(self) -> list[Path]:
        return sorted(self.folder.glob("latent*.safetensors"), key=_numbers)

    @property
    def pictures(self) -> list[Path]:
        return sorted(self.folder.glob("image_*.png"), key=_numbers)

    @property
    def models(self) -> list[Mapping[str, Any]]:
        """The rows of the manifest for the models that the workflow names."""
        values = [value for node in self.workflow.values() for value in node["inputs"].values()]
        texts = [value for value in values if isinstance(value, str)]
        return [row for row in _manifest() if any(_names(text, row["file"].partition("/")[2]) for text in texts)]

    @property
    def slow(self) -> bool:
        return any(row["bytes"] > LARGE for row in self.models)


def _names(text: str, model: str) -> bool:
    return text == model or re.search(rf"embedding:{re.escape(Path(model).stem)}\b", text) is not None


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.stem)]


def _manifest() -> Iterator[Mapping[str, Any]]:
    """The models of the cases' own manifest, then those of the reference's."""
    for folder in dict.fromkeys((GOLDEN, OPEN)):
        path = folder / "manifest.json"
        if path.is_file():
            yield from json.loads(path.read_text())["models"]


def cases() -> list[Case]:
    """Return all cases, in the order of the manifest; those that it does not list come last. None without a folder."""
    found = {path.parent.name: Case(path.parent) for path in sorted(GOLDEN.glob("*/workflow.json"))}
    manifest = GOLDEN / "manifest.json"
    listed = [row["case"] for row in json.loads(manifest.read_text())["cases"]] if manifest.is_file() else []
    return [found[name] for name in [*(name for name in listed if name in found), *(found.keys() - set(listed))]]


def inputs() -> Path:
    """Return the folder of the pictures that cases load."""
    return next((folder for folder in (GOLDEN / "input", OPEN / "input") if folder.is_dir()), GOLDEN)


def make_models(case: Case) -> None:
    """See that the models of a case are in ``MODELS``, with the bytes that the manifest gives."""
    for row in case.models:
        _make(row)


def make_model(file: str) -> None:
    """See that a model of the manifest is in ``MODELS``, by its path there."""
    _make(next(row for row in _manifest() if row["file"] == file))


def _make(row: Mapping[str, Any]) -> None:
    path = MODELS / row["file"]
    if not (path.is_file() and path.stat().st_size == row["bytes"]):
        _generate(path, row["args"])
    marker = path.with_name(f"{path.name}.{row['sha256'][:16]}.checked")
    if not marker.exists() or marker.stat().st_mtime < path.stat().st_mtime:
        assert _sha256(path) == row["sha256"], f"{path} is not what the manifest says; delete it"
        marker.touch()


def _generate(path: Path, arguments: str) -> None:
    script, variant, _, *options = shlex.split(arguments)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    command = [sys.executable, str(REFERENCE / "parity" / script), variant, str(beside), *options]
    subprocess.run(command, check=True, capture_output=True)
    beside.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
