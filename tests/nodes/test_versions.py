"""A node whose code moved gets a new version, or a look: what is remembered under the old one may be wrong now."""

from nodes import vocabulary
from tests.nodes.reach import LOCK, PACKS, current, reached, reached_by_packs, read


def test_a_node_that_changed_has_another_version() -> None:
    recorded, now = read(LOCK), current()
    changed = {name for name, digest in now.digests.items() if recorded.digests.get(name) != digest}
    reaches = {spec.type: reached(spec) for spec in vocabulary()} | {PACKS: reached_by_packs()}
    moved = [type for type, names in reaches.items() if changed & {":".join(name) for name in names}]
    assert not changed, (
        f"{', '.join(sorted(changed))} changed, which {', '.join(moved)} reach. "
        "Raise the version of those whose results can change, then run python -m tests.nodes.reach. "
        "That of nodes of packs is ADAPTER in nodes/packs/spec.py, and all of ours."
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


def test_nodes_of_packs_reach_what_they_are_given_and_what_is_below() -> None:
    assert {
        ("nodes.packs.call", "arguments"),
        ("nodes.packs.objects.ksampler", "KSampler"),
        ("nodes.packs.names.comfy.sd", "load_lora_for_models"),
        ("nodes.sampling.solvers.euler", "euler"),
    } <= reached_by_packs()
