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

FIRST, FIRST_LIGHT = "conv_in.weight", "body.0.in_conv.weight"
PREFIXES = ("", "adapter.")
DIFFUSERS = re.compile(r"body\.(\d+)\.resnets\.(\d+)\.")
TENSOR = re.compile(r"(conv_in|body\.\d+\.(in_conv|out_conv|resnets\.\d+\.block[12]))\.(weight|bias)")
"""The names that an adapter's tensors can have in diffusers' layout."""
ORIGINAL = re.compile(r"body\.(\d+)\.(block1|block2|in_conv)\.(weight|bias)")

FACTOR, XL_FACTOR = 8, 16
"""Pixels of a side that are laid into channels first; those of SDXL are told by how many channels that makes."""


def detect(weights: Weights) -> Network | None:
    """Return the network of an adapter, reading nothing but the header; None where the file is something else.

    Raises ModelError where it is an adapter of another build, or not whole.
    """
    for prefix in PREFIXES:
        names = [name[len(prefix) :] for name in weights.infos if name.startswith(prefix)]
        is_light = FIRST not in names and FIRST_LIGHT in names and "body.0.out_conv.weight" in names
        if is_light or (FIRST in names and any(name.startswith("body.") and ".block1." in name for name in names)):
            try:
                return _network(weights, prefix, names, is_light)
            except (KeyError, ValueError) as error:
                raise ModelError(
                    f"the tensors of {weights.path.name} do not make up a T2I-Adapter",
                    got=repr(error),
                    expected="the names and shapes of a whole adapter",
                ) from error
    return None


def _network(weights: Weights, prefix: str, names: list[str], is_light: bool) -> Network:
    if is_light or any(DIFFUSERS.match(name) for name in names):
        written = {name.replace(".body.", ".resnets.") if is_light else name: name for name in names}
        keys = {new: prefix + name for new, name in written.items() if TENSOR.fullmatch(new)}
    else:
        keys = _diffusers_names(weights, prefix, names)
    last = "out_conv" if is_light else "resnets.0.block1"
    widths = [
        weights.shape(keys[f"body.{level}.{last}.weight"])[0]
        for level in range(len({name.split(".")[1] for name in keys if name.startswith("body.")}))
    ]
    blocks = len({found[2] for name in keys if (found := DIFFUSERS.match(name)) and found[1] == "0"})
    laid = weights.shape(prefix + (FIRST_LIGHT if is_light else FIRST))[1]
    factor = XL_FACTOR if laid % XL_FACTOR**2 == 0 else FACTOR
    config = {
        "conditioning_channels": laid // factor**2,
        "channels": tuple(widths),
        "num_res_blocks": blocks,
        "downscale_factor": factor,
        "is_light": is_light,
    }
    if not config["conditioning_channels"] or (is_light and widths[-2:] != [widths[-1]] * 2):
        raise ModelError(
            f"{weights.path.name} is an adapter of a build that is not known",
            got=f"{laid} channels at its beginning, levels of {', '.join(map(str, widths))}",
            expected=f"a multiple of {FACTOR**2}, and in a light one two equal levels at its end",
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

    full = "full_adapter_xl" if config["downscale_factor"] == XL_FACTOR else "full_adapter"
    module: nn.Module = T2IAdapter(
        in_channels=config["conditioning_channels"],
        channels=[*config["channels"]][: -1 if config["is_light"] else None],
        num_res_blocks=config["num_res_blocks"],
        downscale_factor=config["downscale_factor"],
        adapter_type="light_adapter" if config["is_light"] else full,
    )
    return module
