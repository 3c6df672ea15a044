"""A process that has loaded packs: folders of its own and our vocabulary."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from torch import Tensor

from engine.context import Context
from engine.folders import Folders
from nodes import vocabulary
from nodes.packs import current
from tests.nodes.calls import context, model_context
from tests.nodes.models import tiny


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """The folders of the process, which are empty."""
    found = Folders((tmp_path / "models",), tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    current.begin(found, vocabulary())
    return found


@pytest.fixture
def running(folders: Folders) -> Iterator[Context]:
    """The context of a foreign node that runs."""
    found = context(folders)
    with current.running("pack", "Type", found):
        yield found


Told = list[tuple[int, int, Callable[[], bytes] | None, str]]


@pytest.fixture
def told(folders: Folders) -> Iterator[Told]:
    """What a foreign node that runs tells of its progress."""
    found: Told = []
    base = context(folders)
    listening = Context("1", base.environment, lambda *step: found.append(step), lambda: False, lambda text: None)
    with current.running("pack", "Type", listening):
        yield found


@contextmanager
def cancelled(folders: Folders) -> Iterator[None]:
    """A foreign node runs whose run was cancelled."""
    base = context(folders)
    over = Context("1", base.environment, lambda *step: None, lambda: True, lambda text: None)
    with current.running("pack", "Type", over):
        yield


@pytest.fixture
def loading(folders: Folders, tiny_tensors: dict[str, Tensor]) -> Iterator[Folders]:
    """A foreign node runs that finds a tiny checkpoint, its VAE alone, and a LoRA."""
    (root,) = folders.models
    tiny.write(root / "checkpoints" / "sub" / "tiny.safetensors", tiny_tensors)
    prefix = "first_stage_model."
    alone = {name.removeprefix(prefix): tensor for name, tensor in tiny_tensors.items() if name.startswith(prefix)}
    tiny.write(root / "vae" / "alone.safetensors", alone)
    tiny.write(root / "loras" / "lora.safetensors", tiny.lora(), {})
    with current.running("pack", "Type", model_context(root)):
        yield folders
