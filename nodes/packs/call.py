"""Call the function of a foreign node: what the engine gives in the forms that the pack expects, and back."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from engine.context import Context
from engine.errors import Cancelled
from engine.graph import Node
from nodes.packs import current
from nodes.packs.facts import NodeFacts
from nodes.packs.held import Held
from nodes.packs.names.comfy_execution.graph import DynamicPrompt
from nodes.packs.names.progress import check
from nodes.packs.objects import to_foreign
from nodes.packs.packs import Packs
from nodes.packs.results import returned
from nodes.packs.spec import CONTEXT, OURS


def call(facts: NodeFacts, pack: str, packs: Packs, given: Mapping[str, Any]) -> Any:
    """Call a foreign node's function; its pack is imported at the first call.

    Raises:
        Cancelled: the run was cancelled, or the function asked that it ends.
    """
    with current.running(pack, facts.type, given[CONTEXT], given[CONTEXT].places):
        result = _call(facts, pack, packs, given)
        check(given[CONTEXT])
        return returned(facts, result, given[CONTEXT].use(Held))


async def call_async(facts: NodeFacts, pack: str, packs: Packs, given: Mapping[str, Any]) -> Any:
    """Call a foreign node's function that is to be awaited."""
    with current.running(pack, facts.type, given[CONTEXT], given[CONTEXT].places):
        result = await _call(facts, pack, packs, given)
        check(given[CONTEXT])
        return returned(facts, result, given[CONTEXT].use(Held))


def _call(facts: NodeFacts, pack: str, packs: Packs, given: Mapping[str, Any]) -> Any:
    context: Context = given[CONTEXT]
    node = packs.node_object(pack, facts.type, context.node)
    if packs.changed(pack):
        context.warn(
            f"The files of the node pack {pack} changed, so nothing is remembered of it until Loomis starts again."
        )
        context.approximate()
    try:
        return getattr(node, node.FUNCTION)(**arguments(facts, given))
    except Exception as error:
        if type(error).__name__ == "InterruptProcessingException":
            raise Cancelled("The run was cancelled.", node=context.node) from error
        raise


def arguments(facts: NodeFacts, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a foreign function gets, by name: inputs in foreign form, and hidden inputs."""
    types = {each.name: each.type for each in facts.inputs}
    inputs = {
        name: _foreign(types.get(name, "*"), value, facts.input_is_list)
        for name, value in given.items()
        if not name.startswith(OURS) and name not in facts.hidden
    }
    for name, token in facts.hidden.items():
        if token in HIDDEN or token in NOT_HERE:
            value = HIDDEN[token](given[name]) if token in HIDDEN else None
            inputs[name] = [value] if facts.input_is_list else value
    return inputs


def _foreign(type: str, value: Any, is_list: bool) -> Any:
    if is_list:
        return [own(to_foreign(type, each)) for each in value]
    return own(to_foreign(type, value))


def own(value: Any) -> Any:
    """Return a value whose lists and dicts are the node's own: what it does to them, nobody else sees."""
    if type(value) is list:
        return [own(each) for each in value]
    if type(value) is dict:
        return {name: own(each) for name, each in value.items()}
    return value


def node_data(node: Node) -> dict[str, Any]:
    """Return a node as workflow files have it."""
    return {"class_type": node.class_type, "inputs": deepcopy(dict(node.inputs))}


HIDDEN: Mapping[str, Callable[[Any], Any]] = {
    "UNIQUE_ID": str,
    "PROMPT": deepcopy,
    "EXTRA_PNGINFO": deepcopy,
    "DYNPROMPT": lambda raw: DynamicPrompt({id: node_data(node) for id, node in dict(raw).items()}),
}
"""The hidden inputs that there are."""

NOT_HERE = frozenset({"AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG", "COMFY_USAGE_SOURCE", "EXECUTION_LIST"})
"""Hidden inputs that are None. What a node declares as hidden besides (its version, say) is not given to it."""
