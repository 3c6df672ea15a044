"""A node whose code moved gets a new version, or a look: what is remembered under the old one may be wrong now."""

from nodes import vocabulary
from tests.nodes.reach import LOCK, current, reached, read


def test_a_node_that_changed_has_another_version() -> None:
    recorded, now = read(LOCK), current()
    changed = {name for name, digest in now.digests.items() if recorded.digests.get(name) != digest}
    moved = [spec.type for spec in vocabulary() if changed & {":".join(name) for name in reached(spec)}]
    assert not changed, (
        f"{', '.join(sorted(changed))} changed, which {', '.join(moved)} reach. "
        "Raise the version of those whose results can change, then run python -m tests.nodes.reach."
    )
    assert now == recorded, "Run python -m tests.nodes.reach."


def test_the_sampler_reaches_the_solvers() -> None:
    (spec,) = (spec for spec in vocabulary() if spec.type == "KSampler")
    assert {
        ("nodes.models.sample", "sample"),
        ("nodes.sampling.solvers", "SOLVERS"),
        ("nodes.sampling.solvers.euler", "euler"),
        ("nodes.sampling.noise", "starting_noise"),
        ("nodes.models.pool", "Pool"),
        ("nodes.models.families.sd1", "detect"),
    } <= reached(spec)
