"""Helpers of nodes: the module ``comfy.utils`` over our own pictures, weights files and progress."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nodes.models.weights import HEADER_LIMIT, open_weights
from nodes.packs import current
from nodes.packs.names import folder_paths, progress
from nodes.packs.names.loaded import StateDict
from nodes.packs.names.placeholders import members_of
from nodes.packs.names.tiling import in_tiles
from nodes.pixels import resize

__getattr__ = members_of(__name__)

Tensors = dict[str, Tensor]
Number = int | float
Amount = Number | Callable[[float], float]

PROGRESS_BAR_ENABLED = True


def set_progress_bar_enabled(enabled: bool) -> None:
    """Say whether packs should write bars to the terminal."""
    global PROGRESS_BAR_ENABLED
    PROGRESS_BAR_ENABLED = enabled


class ProgressBar:
    """The progress of the node that makes it, in whatever thread it is told.

    Both methods raise InterruptProcessingException when the run was cancelled. ``preview`` is a format, a picture and
    the most pixels of a side.
    """

    def __init__(self, total: Number, node_id: str | None = None) -> None:
        self.total = total
        self.current: Number = 0
        self.node_id = node_id
        self.context = current.context()

    def update_absolute(
        self, value: Number, total: Number | None = None, preview: progress.Shown | None = None
    ) -> None:
        """Say how much is done."""
        if total is not None:
            self.total = total
        self.current = min(value, self.total)
        progress.report(self.context, self.current, self.total, preview)

    def update(self, value: Number) -> None:
        """Say how much more is done."""
        self.update_absolute(self.current + value)


# Pictures (batch, channels, height, width), or with frames before the height.


def common_upscale(samples: Tensor, width: int, height: int, upscale_method: str, crop: str) -> Tensor:
    """Return pictures or latents at another size, as ``nodes.pixels.resize.resize`` does; frames one by one."""
    if samples.ndim == 5:
        frames = [common_upscale(frame, width, height, upscale_method, crop) for frame in samples.unbind(2)]
        return torch.stack(frames, 2)
    return resize.resize(samples, width, height, upscale_method, crop).to(samples)


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    """Return pictures at another size by Lanczos' filter, in 8 bits."""
    return resize.lanczos(samples, width, height).to(samples)


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """Return latents at another size by turning the vectors of channels."""
    return resize.bislerp(samples, width, height)


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """Return a tensor with ``batch_size`` items along an axis: cut, or from the first again."""
    count = tensor.shape[dim]
    if count == batch_size:
        return tensor
    return tensor.index_select(dim, torch.arange(batch_size, device=tensor.device) % count)


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """Return how many tiles `tiled_scale` makes of a picture."""

    def along(length: int, tile: int) -> int:
        return 1 if length <= tile else math.ceil((length - overlap) / (tile - overlap))

    return along(width, tile_x) * along(height, tile_y)


def tiled_scale(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: Number = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    pbar: ProgressBar | None = None,
) -> Tensor:
    """Return what a function makes of pictures, tile by tile; it makes them ``upscale_amount`` times as large."""
    return tiled_scale_multidim(
        samples, function, (tile_y, tile_x), overlap, upscale_amount, out_channels, output_device, pbar=pbar
    )


def tiled_scale_multidim(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile: Sequence[int] = (64, 64),
    overlap: int | Sequence[int] = 8,
    upscale_amount: Amount | Sequence[Amount] = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    downscale: bool = False,
    index_formulas: Amount | Sequence[Amount] | None = None,
    pbar: ProgressBar | None = None,
) -> Tensor:
    """Return what a function makes of ``samples`` (batch, channels, axes ...), tile by tile, float32.

    Per axis, or for all: a tile's length, the overlap, and a factor or function that gives how long what comes out is
    and (``index_formulas``) where it begins. With ``downscale`` factors divide.
    """
    axes = len(tile)
    lengths = [_scale(amount, downscale) for amount in _each(upscale_amount, axes)]
    formulas = upscale_amount if index_formulas is None else index_formulas
    places = [_scale(amount, downscale) for amount in _each(formulas, axes)]

    def done() -> None:
        if pbar is not None:
            pbar.update(1)

    shared = list(_each(overlap, axes))
    return in_tiles(samples, function, tile, shared, lengths, places, out_channels, output_device, done)


def _each(value: Any, axes: int) -> Sequence[Any]:
    return value if isinstance(value, Sequence) else [value] * axes


def _scale(amount: Amount, downscale: bool) -> Callable[[float], float]:
    if callable(amount):
        return amount
    return lambda length: length / amount if downscale else length * amount


# Weights files and state dicts.


def load_torch_file(
    ckpt: str | Path, safe_load: bool = False, device: Any = None, return_metadata: bool = False
) -> Any:
    """Return the tensors of a weights file by name, and on request the texts in its header.

    Pickles are read weights-only, whatever ``safe_load`` says.

    Raises:
        FileError: it is missing, broken or something else.
        ModelError: it holds code.
    """
    weights = open_weights(Path(ckpt))
    on_host = weights.state_dict()
    moved = on_host if device is None else {name: tensor.to(device) for name, tensor in on_host.items()}
    tensors = StateDict(moved, Path(ckpt))
    return (tensors, dict(weights.metadata) or None) if return_metadata else tensors


def save_torch_file(sd: Mapping[str, Tensor], ckpt: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as a safetensors file.

    Raises:
        FileError: it lies outside of the folders that foreign code may write to.
    """
    whole = {name: tensor.contiguous() for name, tensor in sd.items()}
    save_file(whole, folder_paths.ours(ckpt), dict(metadata) if metadata else None)


def safetensors_header(safetensors_path: str | Path, max_size: int = HEADER_LIMIT) -> bytes | None:
    """Return the header of a safetensors file, or None where it is longer than ``max_size`` bytes."""
    with Path(safetensors_path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return file.read(length) if length <= max_size else None


def calculate_parameters(sd: Mapping[str, Tensor], prefix: str = "") -> int:
    """Return how many numbers the tensors have whose names begin so."""
    return sum(tensor.numel() for name, tensor in sd.items() if name.startswith(prefix))


def weight_dtype(sd: Mapping[str, Tensor], prefix: str = "") -> torch.dtype | None:
    """Return the dtype that most numbers have, of the tensors whose names begin so."""
    numbers: Counter[torch.dtype] = Counter()
    for name, tensor in sd.items():
        if name.startswith(prefix):
            numbers[tensor.dtype] += tensor.numel()
    return numbers.most_common(1)[0][0] if numbers else None


def state_dict_key_replace(state_dict: Tensors, keys_to_replace: Mapping[str, str]) -> Tensors:
    """Rename tensors in place. Returns the same dict."""
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def state_dict_prefix_replace(
    state_dict: Tensors, replace_prefix: Mapping[str, str], filter_keys: bool = False
) -> Tensors:
    """Rename tensors in place by how their names begin. With ``filter_keys`` only those come back, in a new dict."""
    found: Tensors = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for name in [name for name in state_dict if name.startswith(old)]:
            found[new + name.removeprefix(old)] = state_dict.pop(name)
    return found


# Members by a path with dots.


def get_attr(obj: Any, attr: str) -> Any:
    """Return a member of an object's members, such as ``model.diffusion_model``."""
    return attrgetter(attr)(obj)


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """Set a member of an object's members. Returns what was there."""
    outer, _, last = attr.rpartition(".")
    owner = get_attr(obj, outer) if outer else obj
    before = getattr(owner, last)
    setattr(owner, last, value)
    return before


def set_attr_param(obj: Any, attr: str, value: Tensor) -> Any:
    """Set a member to a tensor as a parameter that is not trained. Returns what was there."""
    return set_attr(obj, attr, nn.Parameter(value, requires_grad=False))


def copy_to_param(obj: Any, attr: str, value: Tensor) -> None:
    """Copy numbers into a parameter."""
    get_attr(obj, attr).data.copy_(value)
