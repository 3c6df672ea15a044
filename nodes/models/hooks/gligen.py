"""GLIGEN (Li et al. 2023, arXiv 2301.07093): prompts for boxes, by attention that is put between the blocks of a UNet.

Not compared with the reference.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.errors import ModelError
from nodes.models.families import ldm_unet
from nodes.models.hooks import Call
from nodes.models.weights import Weights
from nodes.recipes import GligenBox

FUSER = re.compile(r"(.*\.transformer_blocks\.\d+)\.fuser\.(.+)")
POSITION = "position_net."
MOST_BOXES = 30
"""How many boxes the network was trained with; fewer are filled up with what stands for none."""

FREQUENCIES = 8
HEADS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Grounding:
    """The networks of a GLIGEN file: one for the boxes, and one for each transformer block by diffusers' name."""

    position: Any
    fusers: Mapping[str, nn.Module]

    @property
    def modules(self) -> list[nn.Module]:
        return [self.position, *self.fusers.values()]


def text_width(weights: Weights) -> int:
    """Return the width of the texts that a file takes. Raises ModelError where it is no GLIGEN for boxes with texts."""
    null, first = POSITION + "null_positive_feature", POSITION + "linears.0.weight"
    if null not in weights.infos or first not in weights.infos or not any(map(FUSER.match, weights.infos)):
        raise ModelError(
            f"{weights.path.name} is not a GLIGEN model that is known",
            got=", ".join([*weights.infos][:3]) or "no tensors",
            expected="one for boxes with texts, in the original layout",
        )
    return weights.shape(null)[-1]


def grounding(weights: Weights, device: torch.device, dtype: torch.dtype) -> Grounding:
    """Build a GLIGEN model. Raises ModelError where the file is something else."""
    from diffusers.models.attention import GatedSelfAttentionDense
    from diffusers.models.embeddings import GLIGENTextBoundingboxProjection

    def filled(module: nn.Module, names: Mapping[str, str]) -> nn.Module:
        module.load_state_dict({new: weights.tensor(old) for new, old in names.items()})
        return module.to(device, dtype).eval().requires_grad_(False)

    width = text_width(weights)
    prefix = next(match[1] for name in weights.infos if (match := re.match(r"(.*?)input_blocks\.", name)))
    blocks: dict[str, dict[str, str]] = {}
    originals = [name for name in weights.infos if name.startswith(prefix) and FUSER.match(name)]
    for name in originals:
        if found := FUSER.fullmatch(_diffusers_name(name[len(prefix) :])):
            blocks.setdefault(found[1], {})[found[2]] = name
    try:
        out = weights.shape(POSITION + "linears.4.weight")[0]
        position = GLIGENTextBoundingboxProjection(positive_len=width, out_dim=out, fourier_freqs=FREQUENCIES)
        own = {name[len(POSITION) :]: name for name in weights.infos if name.startswith(POSITION)}
        fusers = {}
        for block, names in blocks.items():
            inner, context = weights.shape(names["linear.weight"])
            heads = HEADS if inner % HEADS == 0 else 1
            fusers[block] = filled(GatedSelfAttentionDense(inner, context, heads, inner // heads), names)
        return Grounding(filled(position, own), fusers)
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"the tensors of {weights.path.name} do not make up a GLIGEN model", got=str(error).split("\n")[-1].strip()
        ) from error


def _diffusers_name(original: str) -> str:
    """Return diffusers' name of a tensor of a UNet of Stable Diffusion 1, which has two residual blocks per level."""
    return ldm_unet.diffusers_name(original, 2) or ""


def grounded(made: Grounding, boxes: Sequence[GligenBox]) -> Any:
    """Return the hook: after self-attention each block attends to the boxes with their texts."""

    @cache  # they come from the host, and to bring them waits until all work on the device is done
    def objects_of(call: Call) -> Tensor:
        found: Tensor = made.position(**_objects(made, boxes, call))
        return found

    def put(module: Any, call: Call) -> Iterator[RemovableHandle]:
        objects = objects_of(call)
        for name, block in module.named_modules():
            if name in made.fusers:
                seen: list[Tensor] = []
                yield block.register_forward_pre_hook(_noting(seen))
                yield block.attn1.register_forward_hook(_fusing(made.fusers[name], objects, seen))

    return put


def _objects(made: Grounding, boxes: Sequence[GligenBox], call: Call) -> dict[str, Tensor]:
    """Return boxes as parts of the picture, texts, and which of the places are taken."""
    like = made.position.null_positive_feature
    places, masks = torch.zeros(1, MOST_BOXES, 4), torch.zeros(1, MOST_BOXES)
    texts = torch.zeros(1, MOST_BOXES, like.shape[-1])
    for number, box in enumerate(boxes[:MOST_BOXES]):
        sides = box.x / call.width, box.y / call.height
        ends = (box.x + box.width) / call.width, (box.y + box.height) / call.height
        places[0, number] = torch.tensor([*sides, *ends])
        masks[0, number] = 1
        texts[0, number] = box.text[0]
    return {"boxes": places.to(like), "masks": masks.to(like), "positive_embeddings": texts.to(like)}


def _noting(seen: list[Tensor]) -> Any:
    def note(_: Any, inputs: tuple[Tensor, ...]) -> None:
        seen[:] = inputs[:1]

    return note


def _fusing(fuser: nn.Module, objects: Tensor, seen: list[Tensor]) -> Any:
    """Add to what a self-attention gives what the fuser makes of it and of what went into the block."""

    def fuse(_: Any, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        h = out + seen[0]
        fused: Tensor = fuser(h, objects.to(h).expand(len(h), -1, -1))
        return fused - seen[0]

    return fuse
