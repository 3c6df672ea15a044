"""What a job shows, one thing after the other, and the ids by which clients ask for them: outputs are assets."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.folders import Folders
from server.comfy.view import located, split_name
from server.files.media import media_type
from server.jobs.records import Job

KINDS = {"images": "image", "gifs": "video", "video": "video", "audio": "audio", "latents": "latent"}
IGNORED = {"animated"}
"""Notes that only say how others are to be shown."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file or a text of a job. ``place`` is its name as a node reads it; of a text ``content`` is all there is."""

    id: str
    node: str
    name: str
    kind: str
    content_type: str
    place: str | None
    content: bytes = b""

    def path(self, folders: Folders) -> Path:
        """Return the file.

        Raises:
            NoSuchFile: it is not there any more.
        """
        name, place = split_name(self.place or "", "output")
        assert place
        return located(folders, place, None, name)


def items(job: Job) -> list[Item]:
    """Return everything that a job shows, in the order of the nodes that it runs for."""
    nodes = dict.fromkeys([*(node for node in job.targets if node in job.outputs), *job.outputs])
    return [item for node in nodes for item in items_of(job.id, node, job.outputs[node])]


def items_of(job: str, node: str, shown: Mapping[str, Any]) -> list[Item]:
    """Return what an output node shows: ``{"files": [...], "notes": {...}}``."""
    found: list[Item] = []
    for file in shown["files"]:
        folder = f"{file['subfolder']}/" if file["subfolder"] else ""
        place = f"{folder}{file['filename']} [{file['type']}]"
        kind, type = KINDS.get(file["kind"], "file"), media_type(file["filename"])
        found.append(Item(_id(job, node, len(found)), node, file["filename"], kind, type, place))
    for name, note in _notes(shown["notes"]):
        is_text = isinstance(note, str)
        text = note if is_text else json.dumps(note, default=str)
        called = f"{node}_{name}_{len(found)}.{'txt' if is_text else 'json'}".replace("/", "_")
        type = "text/plain" if is_text else "application/json"
        found.append(Item(_id(job, node, len(found)), node, called, "text", type, None, text.encode()))
    return found


def _notes(notes: Mapping[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    return ((name, note) for name, each in notes.items() if name not in IGNORED for note in each)


def _id(job: str, node: str, index: int) -> str:
    return urlsafe_b64encode(json.dumps([job, node, index]).encode()).decode().rstrip("=")


def place_of(id: str) -> tuple[str, str, int] | None:
    """Return the job, the node and the number that an id stands for, if it could be one of an output."""
    try:
        job, node, index = json.loads(urlsafe_b64decode(id + "=" * (-len(id) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None
    known = isinstance(job, str) and isinstance(node, str) and isinstance(index, int) and index >= 0
    return (job, node, index) if known else None
