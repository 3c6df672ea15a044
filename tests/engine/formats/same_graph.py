"""Whether two API graphs are the same up to the ids of nodes inside subgraphs."""

import json
from typing import Any

Prompt = dict[str, dict[str, Any]]


def differences(ours: Prompt, theirs: Prompt) -> list[str]:
    """Return what differs, in words; nothing where the graphs are the same. Titles and pack fields don't count."""
    renamed = _renamed(ours, theirs)
    ours = {renamed.get(node_id, node_id): _relinked(node, renamed) for node_id, node in ours.items()}
    theirs = {node_id: _relinked(node, {}) for node_id, node in theirs.items()}
    found = [f"{node_id}: only theirs ({theirs[node_id]['class_type']})" for node_id in theirs if node_id not in ours]
    for node_id, node in ours.items():
        other = theirs.get(node_id)
        if other is None:
            found.append(f"{node_id}: only ours ({node['class_type']})")
            continue
        if node["class_type"] != other["class_type"]:
            found.append(f"{node_id}: type {node['class_type']} / {other['class_type']}")
        for name in sorted({*node["inputs"], *other["inputs"]}):
            mine, its = node["inputs"].get(name, "(absent)"), other["inputs"].get(name, "(absent)")
            if _plain(mine) != _plain(its):
                found.append(
                    f"{node_id} {node['class_type']}.{name}: ours {_plain(mine)[:300]} theirs {_plain(its)[:300]}"
                )
    return found


def _renamed(ours: Prompt, theirs: Prompt) -> dict[str, str]:
    """Return a bijection from our subgraph ids to theirs, pairing nodes that look alike from all sides."""
    groups: dict[str, list[str]] = {}
    for node_id, color in _colors(theirs).items():
        groups.setdefault(color, []).append(node_id)
    pairs = {}
    for node_id, color in sorted(_colors(ours).items()):
        if ":" in node_id and groups.get(color):
            group = groups[color]
            pairs[node_id] = node_id if node_id in group else min(group)
            group.remove(pairs[node_id])
    return pairs


def _colors(prompt: Prompt) -> dict[str, str]:
    base = {
        node_id: _plain([node["class_type"], "" if ":" in node_id else node_id, _literals(node)])
        for node_id, node in prompt.items()
    }
    numbers = base
    for _ in range(12):
        around: dict[str, list[Any]] = {node_id: [] for node_id in prompt}
        for node_id, node in prompt.items():
            for name, (origin, slot) in _links(node).items():
                if origin in prompt:
                    around[node_id].append(["in", name, slot, numbers[origin]])
                    around[origin].append(["out", name, slot, numbers[node_id]])
        numbers = {
            node_id: str(hash((base[node_id], *sorted(_plain(item) for item in around[node_id])))) for node_id in prompt
        }
    return numbers


def _links(node: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: value for name, value in node["inputs"].items() if isinstance(value, list)}


def _literals(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node["inputs"].items() if not isinstance(value, list)}


def _relinked(node: dict[str, Any], renamed: dict[str, str]) -> dict[str, Any]:
    inputs = {
        name: [renamed.get(value[0], value[0]), value[1]] if isinstance(value, list) else value
        for name, value in node["inputs"].items()
    }
    return {"class_type": node["class_type"], "inputs": inputs}


def _plain(value: Any) -> str:
    """Return JSON text in which 8.0 is 8, as JavaScript writes it, and true is not 1."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return "[" + ",".join(_plain(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_plain(value[key])}" for key in sorted(value)) + "}"
    return json.dumps(value)
