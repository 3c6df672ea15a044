"""The API format, made regular."""

from collections.abc import Mapping
from typing import Any

from engine.formats.catalogue import Catalogue
from engine.formats.diagnostics import Report
from engine.formats.packs import pack_hint

NODE_FIELDS = {"class_type", "inputs"}
META_FIELDS = ("title", "cnr_id", "aux_id", "ver")


def regular_prompt(raw: Mapping[str, Any], catalogue: Catalogue, report: Report) -> dict[str, dict[str, Any]]:
    """Return an API graph with ``class_type``, ``inputs`` and ``_meta`` only; entries that are no nodes are left out.

    Values are left as they are. An entry that was meant as a node is an error, a note or the like a warning.
    """
    prompt: dict[str, dict[str, Any]] = {}
    for node_id, item in raw.items():
        class_type = item.get("class_type") if isinstance(item, dict) else None
        inputs = item.get("inputs", {}) if isinstance(item, dict) else None
        if not isinstance(class_type, str) or not isinstance(inputs, dict):
            report.add(
                "bad_node",
                f"The entry {node_id} is not a node.",
                node=node_id,
                got=class_type if class_type is not None else item,
                expected="an object with class_type and inputs",
                hint="Export it again with the node's pack installed."
                if isinstance(inputs, dict)
                else "Take the entry out, or export the workflow again.",
                level="error" if isinstance(item, dict) and ("class_type" in item or "inputs" in item) else "warning",
            )
            continue
        meta = item.get("_meta")
        kept = {name: meta[name] for name in META_FIELDS if name in meta} if isinstance(meta, dict) else {}
        prompt[node_id] = item if item.keys() == NODE_FIELDS else _regular(class_type, inputs, kept)
        if catalogue.get(class_type) is None:
            _report_unknown(node_id, class_type, kept, report)
    return prompt


def _regular(class_type: str, inputs: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, **({"_meta": meta} if meta else {})}


def _report_unknown(node_id: str, class_type: str, meta: Mapping[str, Any], report: Report) -> None:
    report.add(
        "unknown_node",
        f"The node type {class_type} is not known here.",
        node=node_id,
        class_type=class_type,
        got=class_type,
        hint=pack_hint(meta),
        level="error",
    )
