"""The functions beside a foreign node's own: IS_CHANGED, VALIDATE_INPUTS and check_lazy_status."""

import asyncio
import inspect
import logging
from collections.abc import Mapping
from typing import Any

from engine.values import pack as pack_value
from nodes.packs import current
from nodes.packs.call import arguments
from nodes.packs.describe import takes_all
from nodes.packs.facts import NodeFacts
from nodes.packs.packs import Packs
from nodes.packs.spec import CONTEXT

log = logging.getLogger("loomis.packs")


def changed(facts: NodeFacts, pack: str, cls: Any, literals: Mapping[str, Any]) -> Any:
    """Return what ``IS_CHANGED`` gives for a node's literals. Where it fails, or nothing compares it: NaN."""
    with current.running(pack, facts.type):
        try:
            result = _awaited(cls.IS_CHANGED(**_known(cls.IS_CHANGED, literals)))
            pack_value(result)
        except Exception as error:
            log.warning("IS_CHANGED of %s failed, so it always runs: %s: %s", facts.type, type(error).__name__, error)
            return float("nan")
    return result


def wrong(
    facts: NodeFacts, pack: str, cls: Any, literals: Mapping[str, Any], types: Mapping[str, str]
) -> dict[str, str]:
    """Return what ``VALIDATE_INPUTS`` says is wrong, by input."""
    given = _known(cls.VALIDATE_INPUTS, literals)
    if facts.checks_types:
        given["input_types"] = dict(types)
    with current.running(pack, facts.type):
        try:
            said = _awaited(cls.VALIDATE_INPUTS(**given))
        except Exception as error:
            said = f"its check failed: {type(error).__name__}: {error}"
    if said is True:
        return {}
    message = said if isinstance(said, str) and said else "the node does not take it."
    seen = [name for name in given if name in literals and (facts.checked is None or name in facts.checked)]
    return dict.fromkeys(seen or list(types) or [each.name for each in facts.inputs][:1], message)


def needed(facts: NodeFacts, pack: str, packs: Packs, given: Mapping[str, Any]) -> list[str]:
    """Return the lazy inputs that ``check_lazy_status`` asks for."""
    with current.running(pack, facts.type, given[CONTEXT]):
        node = packs.node_object(pack, facts.type, given[CONTEXT].node)
        asked = _awaited(node.check_lazy_status(**_known(node.check_lazy_status, arguments(facts, given))))
    return [str(name) for name in asked or ()]


def _known(function: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a function takes: those that are known, and None for others that it must have."""
    given = dict(values) if takes_all(function) else {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if name in values:
            given[name] = values[name]
        elif parameter.default is parameter.empty:
            given[name] = None
    return given


def _awaited(result: Any) -> Any:
    return asyncio.run(_wait(result)) if inspect.isawaitable(result) else result


async def _wait(result: Any) -> Any:
    return await result
