"""Give a registry the nodes of packs. A pack is imported only where nothing is known of its sources yet."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from blake3 import blake3
from pydantic import ValidationError

from engine.folders import Folders
from engine.node import Registry
from engine.outputs import write
from nodes.lazy import lazy
from nodes.packs import current
from nodes.packs.facts import PACK, PackFacts
from nodes.packs.find import Pack, find_packs
from nodes.packs.held import HELD, held_spec
from nodes.packs.packs import Packs
from nodes.packs.spec import ADAPTER, Hooks, HooksHere, node_spec
from nodes.packs.watch import unchanged

describing = lazy("nodes.packs.describe")


@dataclass(frozen=True, slots=True)
class Opened:
    """All node types, ours and those of packs; what is known of the packs; what can't be used, one line each."""

    registry: Registry
    packs: tuple[PackFacts, ...]
    problems: tuple[str, ...]


def open_packs(
    folders: Iterable[Path],
    ours: Registry,
    places: Folders,
    data: Path,
    describe: Callable[[], None] | None = None,
    asked: Hooks | None = None,
) -> Opened:
    """Return node types with those of the packs in some folders.

    What is known of packs is kept in ``data``. ``describe`` has another process find out what is not, and put it there;
    without it, the packs are imported here. ``asked`` is who asks their code, if not this process.

    Raises:
        SettingError: a folder is not there.
    """
    packs = find_packs(folders)
    registry = Registry()
    registry.specs.update(ours.specs)
    registry.specs[HELD] = held_spec()
    executed = Packs(packs)
    current.begin(places, registry, executed.loaded)
    found = {pack.name: known(pack, places, data) for pack in packs}
    if strange := [pack for pack in packs if found[pack.name] is None]:
        if describe:
            describe()
        else:
            describe_here(strange, places, data)
        found |= {pack.name: known(pack, places, data) for pack in strange}
    facts = [each for each in found.values() if each is not None]
    problems = [f"The node pack {name} is skipped: it could not be looked at." for name in found if not found[name]]
    asked = asked or HooksHere(executed)
    for each in facts:
        problems += each.problems
        if taken := [node.type for node in each.nodes if node.type in registry]:
            problems.append(
                f"Nodes of {each.name} are skipped, for there are others of their names: {', '.join(taken)}."
            )
        for node in each.nodes:
            if node.type not in taken:
                registry.add(node_spec(node, each.name, each.digest, executed, asked))
    return Opened(registry, tuple(facts), tuple(problems))


def describe_here(packs: Sequence[Pack], places: Folders, data: Path) -> None:
    """Import packs, and put what they have into ``data``."""
    for pack in packs:
        write(_file(pack, places, data), PACK.dump_json(describing.describe_pack(pack, places)))


def known(pack: Pack, places: Folders, data: Path) -> PackFacts | None:
    """Return what is known of a pack with these sources, unless the folders that it lists changed."""
    try:
        facts = PACK.validate_json(_file(pack, places, data).read_bytes())
    except (OSError, ValidationError):
        return None
    if facts.digest != pack.digest or not unchanged(facts.watched):
        return None
    return None if facts.missing and find_spec(facts.missing) else facts


def _file(pack: Pack, places: Folders, data: Path) -> Path:
    """Return where a pack's facts are kept: apart for each place, set of folders, and version of Loomis."""
    told = json.dumps([str(pack.path), repr(places), _version(), ADAPTER])
    return data / f"{pack.name}-{blake3(told.encode()).hexdigest(8)}.json"


@cache
def _version() -> str:
    return version("loomis")
