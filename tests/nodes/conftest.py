from pathlib import Path

import pytest
from torch import Tensor

from engine.context import Context
from tests.nodes.calls import model_context
from tests.nodes.models import tiny


@pytest.fixture(scope="session")
def tiny_tensors() -> dict[str, Tensor]:
    return tiny.tensors()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_tensors: dict[str, Tensor]) -> Path:
    """A models folder with a tiny checkpoint, its VAE alone, and a LoRA."""
    folder = tmp_path_factory.mktemp("models")
    tiny.write(folder / "checkpoints" / "tiny", tiny_tensors)
    prefix = "first_stage_model."
    alone = {name.removeprefix(prefix): tensor for name, tensor in tiny_tensors.items() if name.startswith(prefix)}
    tiny.write(folder / "vae" / "alone", alone)
    tiny.write(folder / "loras" / "lora", tiny.lora(), {})
    return folder


@pytest.fixture(scope="session")
def ctx(models: Path) -> Context:
    """What a node gets, over the tiny models, with one pool for all tests."""
    return model_context(models)
