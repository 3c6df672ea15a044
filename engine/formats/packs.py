"""Nodes of well-known packs whose widgets are made by their own scripts, so no catalogue describes them."""

from collections.abc import Mapping
from typing import Any

from engine.formats.document import Node

POWER_LORA = "Power Lora Loader (rgthree)"
ORDERS: Mapping[str, tuple[str, ...]] = {
    "Seed (rgthree)": ("seed",),
    "Image Comparer (rgthree)": (),
    "Display Any (rgthree)": (),
}


def pack_values(node: Node) -> dict[str, Any] | None:
    """Return the values of such a node by name, or None where the catalogue's order applies."""
    if node.type == POWER_LORA:
        loras = [value for value in node.value_list if isinstance(value, dict) and isinstance(value.get("lora"), str)]
        return {f"lora_{index}": value for index, value in enumerate(loras, 1)}
    order = ORDERS.get(node.type)
    return None if order is None else dict(zip(order, node.value_list, strict=False))
