"""Give a registry the nodes of packs. A pack is imported only where nothing is known of its sources yet."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from blake3 import blake3
from pydantic import ValidationError

from engine.folders import Folders
from engine.node import Registry
from engine.outputs import write
from nodes.lazy import lazy
from nodes.packs import current
from nodes.packs.facts import FORM, PACK, PackFacts
from nodes.packs.find import Pack, find_packs
from nodes.packs.guard import stay_offline
from nodes.packs.held import HELD, held_spec
from nodes.packs.packs import Packs
from nodes.packs.spec import ADAPTER, Hooks, HooksHere, node_spec, versioned
from nodes.packs.watch import state, unchanged

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
    stay_offline()
    shelf = Shelf(find_packs(folders), places, data, describe)
    registry = Registry()
    registry.specs.update(ours.specs)
    registry.specs[HELD] = held_spec()
    executed = Packs(shelf.packs)
    asked = asked or HooksHere(executed)

    def refresh() -> None:
        for each in shelf.look():
            version = versioned(each.digest, ours)
            for node in each.nodes:
                before = registry.specs.get(node.type)
                if before and before.foreign == each.name:
                    registry.specs[node.type] = node_spec(node, each.name, version, executed, asked)

    current.begin(places, registry, executed.loaded, refresh)
    facts = shelf.look()
    found = {each.name for each in facts}
    problems = [
        f"The node pack {pack.name} is skipped: it could not be looked at."
        for pack in shelf.packs
        if pack.name not in found
    ]
    for each in facts:
        problems += each.problems
        if taken := [node.type for node in each.nodes if node.type in registry]:
            names = ", ".join(taken)
            problems.append(f"Nodes of {each.name} are skipped, for there are others of their names: {names}.")
        version = versioned(each.digest, ours)
        for node in each.nodes:
            if node.type not in taken:
                registry.add(node_spec(node, each.name, version, executed, asked))
    return Opened(registry, tuple(facts), tuple(problems))


class Shelf:
    """What is known of packs, kept in a folder."""

    def __init__(self, packs: Sequence[Pack], places: Folders, data: Path, describe: Callable[[], None] | None) -> None:
        self.packs = packs
        self._places = places
        self._data = data
        self._describe = describe
        self._known: dict[str, PackFacts] = {}
        self._lock = threading.Lock()

    def look(self) -> list[PackFacts]:
        """Return what is known of packs, where that is not what the last look gave. Describes those that changed."""
        with self._lock:
            stale = [pack for pack in self.packs if not self._is_fresh(pack)]
            strange = [pack for pack in stale if known(pack, self._places, self._data) is None]
            if strange and self._describe:
                self._describe()
            elif strange:
                describe_here(strange, self._places, self._data)
            for pack in strange:
                if pack.name in self._known:  # until it is known anew, it stays as it is
                    self._known[pack.name] = seen_now(self._known[pack.name])
                else:
                    pack.look_again()
            found = [facts for pack in stale if (facts := known(pack, self._places, self._data))]
            self._known |= {facts.name: facts for facts in found}
            return found

    def _is_fresh(self, pack: Pack) -> bool:
        facts = self._known.get(pack.name)
        return facts is not None and unchanged(facts.watched)


def seen_now(facts: PackFacts) -> PackFacts:
    """Return facts that are fresh until a folder changes again: the files of their pack are others now."""
    return replace(facts, watched={folder: state(folder) for folder in facts.watched})


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
    told = json.dumps([str(pack.path), repr(places), _version(), ADAPTER, FORM])
    return data / f"{pack.name}-{blake3(told.encode()).hexdigest(8)}.json"


@cache
def _version() -> str:
    return metadata.version("loomis")
