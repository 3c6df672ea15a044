"""Recipes back to files: the tensors of a recipe under its patches, one after the other, in the original layout."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import torch
from torch import Tensor

from nodes.models.families import clip_text, components, flux, ldm_vae, open_clip, sd1, sd2, sd3, sdxl, t5
from nodes.models.families.checkpoint import Network, TextEncoder
from nodes.models.patch import Patch, patched
from nodes.models.pool import Pool
from nodes.models.weights import DTYPES, TensorInfo, Weights
from nodes.models.wide import SCALE
from nodes.recipes import Clip, DiscreteSampling, FileRef, Model, Vae

MARKERS = ("v_pred", "ztsnr")
"""Tensors without content that say what a model predicts."""

PREDICTIONS = {"eps": "epsilon", "v_prediction": "v"}
"""What options call a prediction -> what the metadata standard calls it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A tensor to be written: its dtype and shape, and a function that makes it."""

    info: TensorInfo
    make: Callable[[], Tensor]


Content = dict[str, Saved]


def diffusion_model(pool: Pool, model: Model) -> Content:
    """Return the UNet of a recipe under its patches, in the dtype of its file."""
    weights, network = pool.weights(model.file), pool.network(model)
    patches = pool.patches(model, model.file, network)
    together: dict[str, list[str]] = {}
    for name in network.keys:
        together.setdefault(network.originals.get(name, name), []).append(name)
    found = {
        components.UNET_PREFIXES[0] + original: _joined(
            network, [_saved(weights, network, n, patches) for n in names], names
        )
        for original, names in together.items()
    }
    return found | {
        name: Saved(weights.infos[name], lambda name=name: weights.tensor(name))  # type: ignore[misc]
        for name in MARKERS
        if name in weights.infos
    }


def vae(pool: Pool, recipe: Vae, prefix: str) -> Content:
    """Return the autoencoder of a recipe, in the dtype of its file."""
    weights, network = pool.weights(recipe.file), pool.vae_network(recipe)
    found = {}
    for name in network.keys:
        original = network.originals[name]
        found[prefix + original] = _saved(weights, network, name, (), ones=2 * ldm_vae.is_pointwise(original))
    return found


def text(pool: Pool, clip: Clip) -> Content:
    """Return the text encoders of a recipe under their patches, as checkpoints of their family have them."""
    encoders = pool.encoders(clip)
    names = {encoder.name for _, encoder in encoders}
    found: Content = {}
    has_prefixes = (clip.family or pool.checkpoint(clip.file).family) in (sd3.NAME, flux.NAME)
    for file, encoder in encoders:
        content = encoder_content(pool, clip, file, encoder)
        if has_prefixes:
            found |= {_prefix(encoder) + name: saved for name, saved in alone(encoder, content).items()}
        elif encoder.name in ("g", "h"):
            prefix = sd2.TEXT_PREFIX if encoder.name == "h" else sdxl.G_PREFIXES[0 if "l" in names else 1]
            made = open_clip.original({name: saved.make() for name, saved in content.items()})
            found |= {prefix + name: ready(tensor) for name, tensor in made.items()}
        else:
            prefix = sdxl.L_PREFIX if "g" in names else sd1.TEXT_PREFIXES[0]
            found |= {prefix + name: saved for name, saved in content.items()}
    return found


def encoder_content(pool: Pool, clip: Clip, file: FileRef, encoder: TextEncoder) -> Content:
    """Return one text encoder of a recipe by transformers' names, in the dtype of its file."""
    weights, patches = pool.weights(file), pool.patches(clip, file, encoder)
    return {name: _saved(weights, encoder.network, name, patches) for name in encoder.network.keys}


def alone(encoder: TextEncoder, content: Content) -> Content:
    """Return a text encoder as files have it that hold nothing else, in transformers' layout."""
    if encoder.name == t5.NAME:
        return {encoder.network.originals[name]: saved for name, saved in content.items()}
    return {name if name == clip_text.PROJECTION else f"text_model.{name}": saved for name, saved in content.items()}


def _prefix(encoder: TextEncoder) -> str:
    """Return what stands before the names of an encoder in checkpoints of families after XL, and in LoRA files."""
    return t5.PREFIXES[0] if encoder.name == t5.NAME else components.saved_adapters(encoder.name)[1]


def named_for_lora(pool: Pool, model: Model | None, clip: Clip | None) -> Content:
    """Return the weights of a UNet and of text encoders by the names that LoRA files have for them."""
    found: Content = {}
    if model:
        content = diffusion_model(pool, model).items()
        found |= {name.removeprefix("model."): saved for name, saved in content if name not in MARKERS}
    if clip:
        for file, encoder in pool.encoders(clip):
            content = alone(encoder, encoder_content(pool, clip, file, encoder)).items()
            found |= {_prefix(encoder) + name: saved for name, saved in content}
    return found


def metadata(pool: Pool, file: FileRef, model: Model | None = None) -> dict[str, str]:
    """Return what the metadata of a file says of what is in it, and what an option says that a model predicts."""
    kept = {
        name: value
        for name, value in pool.weights(file).metadata.items()
        if name == "config" or name.startswith("modelspec.")
    }
    chosen = model.option(DiscreteSampling) if model else None
    if chosen and chosen.prediction in PREDICTIONS:
        kept["modelspec.prediction_type"] = PREDICTIONS[chosen.prediction]
    return kept


def serialized(content: Content, about: Mapping[str, str]) -> bytes:
    """Return a safetensors file. Its tensors are made one by one, so memory holds the file and one tensor."""
    entries: dict[str, object] = {"__metadata__": dict(about)} if about else {}
    position = 0
    for name, saved in content.items():
        size = saved.info.numbers * DTYPES[saved.info.dtype][1]
        entries[name] = {
            "dtype": saved.info.dtype,
            "shape": [*saved.info.shape],
            "data_offsets": [position, position + size],
        }
        position += size
    raw = json.dumps(entries).encode()
    raw += b" " * (-len(raw) % 8)
    file = BytesIO()
    file.write(struct.pack("<Q", len(raw)) + raw)
    for saved in content.values():
        tensor = saved.make().detach().cpu().contiguous().reshape(-1)
        file.write(tensor.view(torch.uint8).numpy().data)
    return file.getvalue()


def _saved(weights: Weights, network: Network, name: str, patches: Sequence[Patch], ones: int = 0) -> Saved:
    """Describe a tensor of a network under patches; its shape may get ones at its end."""
    dtype = weights.infos[network.keys[name]].dtype
    shape = network.shape(weights, name)
    shape = shape if len(shape) > 2 else (*shape, *(1,) * ones)
    touching = [patch for patch in patches if patch.touches(name)]

    def make() -> Tensor:
        tensor = network.tensor(weights, name)
        if touching:
            factor = network.tensor(weights, scale).float() if scale in network.keys else 1.0
            changed = patched(tensor.float() * factor, name, touching) / factor
            tensor = changed.to(getattr(torch, DTYPES[dtype][0]))
        return tensor.reshape(shape)

    scale = f"{name.removesuffix('weight')}{SCALE}"
    return Saved(TensorInfo(dtype, shape), make)


def _joined(network: Network, parts: Sequence[Saved], names: Sequence[str]) -> Saved:
    """Return a tensor of the original layout, which may be several of the module, or one that lies in another order."""
    cuts = [network.cuts.get(name) for name in names]
    if cuts[0] is None:
        return parts[0]  # one factor may belong to several matrices
    order = sorted(range(len(parts)), key=lambda place: cuts[place].part)  # type: ignore[union-attr]
    first, is_swapped = parts[0].info, cuts[0].is_swapped

    def make() -> Tensor:
        whole = torch.cat([parts[place].make() for place in order])
        return whole.roll(len(whole) // 2, 0) if is_swapped else whole

    rows = sum(part.info.shape[0] for part in parts)
    return Saved(TensorInfo(first.dtype, (rows, *first.shape[1:])), make)


def ready(tensor: Tensor) -> Saved:
    """Describe a tensor that is there."""
    dtype = next(key for key, (name, _) in DTYPES.items() if getattr(torch, name) == tensor.dtype)
    return Saved(TensorInfo(dtype, tuple(tensor.shape)), lambda: tensor)
