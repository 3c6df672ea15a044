"""T2I-Adapters (Mou et al. 2023, arXiv 2302.08453) in the original layout and in diffusers'.

A picture becomes one set of features per level of the UNet, whatever the noise. Not compared with the reference.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from nodes.models.families.checkpoint import Network
from nodes.models.weights import Weights

if TYPE_CHECKING:
    from torch import nn

FIRST = "conv_in.weight"
PREFIXES = ("", "adapter.")
DIFFUSERS = re.compile(r"body\.(\d+)\.resnets\.(\d+)\.")
ORIGINAL = re.compile(r"body\.(\d+)\.(block1|block2|in_conv)\.(weight|bias)")

FACTOR, XL_FACTOR = 8, 16
"""Pixels of a side that are laid into channels first; those of SDXL are told by how many channels that makes."""


def detect(weights: Weights) -> Network | None:
    """Return the network of an adapter, reading nothing but the header; None where the file is something else.

    Raises ModelError where it is an adapter of another build.
    """
    for prefix in PREFIXES:
        names = [name[len(prefix) :] for name in weights.infos if name.startswith(prefix)]
        if FIRST in names and any(name.startswith("body.") and ".block1." in name for name in names):
            return _network(weights, prefix, names)
    return None


def _network(weights: Weights, prefix: str, names: list[str]) -> Network:
    if any(DIFFUSERS.match(name) for name in names):
        keys = {name: prefix + name for name in names if name.startswith(("conv_in.", "body."))}
    else:
        keys = _diffusers_names(weights, prefix, names)
    widths = [
        weights.shape(keys[f"body.{level}.resnets.0.block1.weight"])[0]
        for level in range(len({name.split(".")[1] for name in keys if name.startswith("body.")}))
    ]
    blocks = len({found[2] for name in keys if (found := DIFFUSERS.match(name)) and found[1] == "0"})
    laid = weights.shape(prefix + FIRST)[1]
    factor = XL_FACTOR if laid % XL_FACTOR**2 == 0 else FACTOR
    config = {
        "conditioning_channels": laid // factor**2,
        "channels": tuple(widths),
        "num_res_blocks": blocks,
        "downscale_factor": factor,
    }
    if not config["conditioning_channels"]:
        raise ModelError(
            f"{weights.path.name} is an adapter of a build that is not known",
            got=f"{laid} channels at its beginning",
            expected=f"a multiple of {FACTOR**2}",
        )
    return Network(config, build, {f"adapter.{name}": key for name, key in keys.items()}, prefix, ())


def _diffusers_names(weights: Weights, prefix: str, names: list[str]) -> dict[str, str]:
    """Return diffusers' name -> name in the file. In the original layout blocks are numbered through all levels.

    A level begins where the width changes, or after as many blocks as the level before has.
    """
    found = {name: prefix + name for name in names if name.startswith("conv_in.")}
    count = 1 + max(int(match[1]) for name in names if (match := ORIGINAL.match(name)))
    starts = [0, *(n for n in range(1, count) if f"body.{n}.in_conv.weight" in names)]
    per_level = starts[1] if len(starts) > 1 else count
    for name in names:
        if match := ORIGINAL.fullmatch(name):
            level, place = divmod(int(match[1]), per_level)
            part = "in_conv" if match[2] == "in_conv" else f"resnets.{place}.{match[2]}"
            found[f"body.{level}.{part}.{match[3]}"] = prefix + name
    return found


def build(config: Mapping[str, Any]) -> "nn.Module":
    """Make the adapter. diffusers is imported here, because that takes seconds."""
    from diffusers.models.adapter import T2IAdapter

    module: nn.Module = T2IAdapter(
        in_channels=config["conditioning_channels"],
        channels=list(config["channels"]),
        num_res_blocks=config["num_res_blocks"],
        downscale_factor=config["downscale_factor"],
        adapter_type="full_adapter_xl" if config["downscale_factor"] == XL_FACTOR else "full_adapter",
    )
    return module
