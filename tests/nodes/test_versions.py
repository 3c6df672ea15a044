"""A node whose code moved gets a new version, or a look: what is remembered under the old one may be wrong now."""

import json

from tests.nodes.reach import LOCK, current, uses


def test_a_node_that_changed_has_another_version() -> None:
    recorded = json.loads(LOCK.read_text())
    now = current()
    moved = [type for type, (version, digest) in now.items() if recorded.get(type, [0, ""])[1] != digest]
    assert moved == [], (
        f"The code of {', '.join(moved)} moved. Raise the version of those whose results can change, "
        "then run python -m tests.nodes.reach."
    )
    assert now.keys() == recorded.keys()
    assert all(now[type][0] >= recorded[type][0] for type in now)


def test_the_sampler_reaches_the_solvers() -> None:
    todo = [("nodes.sampler", "ksampler")]
    seen = set(todo)
    while todo:
        for name in uses(todo.pop()) - seen:
            seen.add(name)
            todo.append(name)
    assert {
        ("nodes.models.sample", "sample"),
        ("nodes.sampling.solvers", "SOLVERS"),
        ("nodes.sampling.solvers.euler", "euler"),
        ("nodes.sampling.noise", "starting_noise"),
        ("nodes.models.pool", "Pool"),
        ("nodes.models.families.sd1", "detect"),
    } <= seen
