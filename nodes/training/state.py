"""What a run has to remember to go on: tensors and facts in one safetensors file, no pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models.weights import Weights, open_weights

STATE = "state.safetensors"
MODEL, AVERAGE, OPTIMIZER = "model.", "average.", "optimizer."
FORMAT = 1


@dataclass(slots=True)
class Progress:
    """How far a stage is, over all its runs. ``facts`` are what it measured before its first step."""

    step: int = 0
    seconds: float = 0.0
    pictures: int = 0
    loss: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file beside its place and move it there, so that a kill leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(ready, beside, metadata=dict(metadata))
    beside.replace(path)


def save(
    folder: Path,
    modules: Mapping[str, nn.Module],
    averages: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write the state of a stage into its folder."""
    tensors = _named(MODEL, modules) | _named(AVERAGE, averages)
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"{OPTIMIZER}{index}.{name}": value for name, value in slots.items()}
    metadata = {"loomis_training": str(FORMAT), "progress": json.dumps(asdict(progress))}
    write_tensors(folder / STATE, tensors, metadata)


def _named(prefix: str, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{prefix}{kind}.{name}": t for kind, module in modules.items() for name, t in module.state_dict().items()}


def exists(folder: Path) -> bool:
    return (folder / STATE).is_file()


def load(
    folder: Path,
    modules: Mapping[str, nn.Module],
    averages: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
) -> Progress:
    """Put a state back where it came from. Raises ModelError where it is of other networks."""
    weights = open_weights(folder / STATE)
    _fill(weights, MODEL, modules)
    _fill(weights, AVERAGE, averages)
    slots: dict[int, dict[str, Tensor]] = {}
    for name in weights.infos:
        if name.startswith(OPTIMIZER):
            index, slot = name.removeprefix(OPTIMIZER).split(".")
            slots.setdefault(int(index), {})[slot] = weights.tensor(name).clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    return _progress(weights)


def load_averages(folder: Path, modules: Mapping[str, nn.Module]) -> Progress:
    """Put the averaged weights of a stage into modules. Raises ModelError where they are of other networks."""
    weights = open_weights(folder / STATE)
    _fill(weights, AVERAGE, modules)
    return _progress(weights)


def _progress(weights: Weights) -> Progress:
    if weights.metadata.get("loomis_training") != str(FORMAT):
        raise ModelError(f"{weights.path} is not the state of a training.", got=dict(weights.metadata))
    return Progress(**json.loads(weights.metadata["progress"]))


def _fill(weights: Weights, prefix: str, modules: Mapping[str, nn.Module]) -> None:
    for kind, module in modules.items():
        wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        start = f"{prefix}{kind}."
        found = {name.removeprefix(start): info.shape for name, info in weights.infos.items() if name.startswith(start)}
        if wanted != found:
            raise ModelError(
                f"The state in {weights.path.parent} is of other networks.",
                got=f"a {kind} with {len(found)} tensors",
                expected=f"the {len(wanted)} tensors of this {kind}",
                hint="Choose another folder with --to, or remove this one.",
            )
        module.load_state_dict({name: weights.tensor(start + name) for name in wanted})
