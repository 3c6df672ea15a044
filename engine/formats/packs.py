"""Node packs: which one has a node type, and nodes whose widgets are made by scripts, so no catalogue has them."""

from collections.abc import Mapping
from typing import Any

from engine.formats.document import Node

CORE = "comfy-core"
POWER_LORA = "Power Lora Loader (rgthree)"
ORDERS: Mapping[str, tuple[str, ...]] = {
    "Seed (rgthree)": ("seed",),
    "Image Comparer (rgthree)": (),
    "Display Any (rgthree)": (),
}


def pack_hint(facts: Mapping[str, Any]) -> str | None:
    """Say which pack has a node type, from a node's ``properties`` or ``_meta``; None where the file does not know."""
    pack = facts.get("cnr_id") or facts.get("aux_id")
    if not isinstance(pack, str):
        return None
    if pack == CORE:
        return "It belongs to ComfyUI itself; Loomis does not have it yet."
    version = facts.get("ver")
    numbered = f"{pack}, version {version}" if isinstance(version, str) else pack
    return f"It is in the pack {numbered}. Name the folder of the pack with --custom-nodes."


def pack_values(node: Node) -> dict[str, Any] | None:
    """Return the values of such a node by name, or None where the catalogue's order applies."""
    if node.type == POWER_LORA:
        loras = [value for value in node.value_list if isinstance(value, dict) and isinstance(value.get("lora"), str)]
        return {f"lora_{index}": value for index, value in enumerate(loras, 1)}
    order = ORDERS.get(node.type)
    return None if order is None else dict(zip(order, node.value_list, strict=False))
