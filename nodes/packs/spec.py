"""A foreign node's facts as a node type of the engine."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Protocol, get_args

from blake3 import blake3

from engine.graph import is_link
from engine.node import Registry
from engine.schema import LITERALS, NO_DEFAULT, Files, FilesBelow, Hidden, InputFile, NodeSpec, Port, Slot, Token
from nodes.lazy import lazy
from nodes.packs.facts import InputFacts, NodeFacts
from nodes.packs.packs import Packs

calling = lazy("nodes.packs.call")
hooks = lazy("nodes.packs.hooks")

ADAPTER = 2
"""Goes up when a foreign node gives another result because of what it is given here."""

SOCKETS = frozenset({
    "MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CONTROL_NET", "CLIP_VISION", "STYLE_MODEL",
    "CLIP_VISION_OUTPUT", "UPSCALE_MODEL", "GLIGEN", "NOISE", "SAMPLER", "SIGMAS", "GUIDER",
})  # fmt: skip
"""Sockets that no editor has a widget for. Other types of packs may have one, and then values."""

WHOLE = frozenset({"PROMPT", "EXTRA_PNGINFO", "DYNPROMPT"})
"""Hidden inputs that tell of the whole workflow. A node that saves puts them into its file; for any other they are
inputs like no others, so it always runs."""

OURS = "loomis."
"""How the parameters begin that are no inputs."""

CONTEXT = "loomis.context"
"""The parameter that gets the context."""

ID = "loomis.node"
"""The hidden input of a node whose result is told apart by its id, and that does not take it."""


class Hooks(Protocol):
    """Who asks the code of packs: it itself where it is, or a worker that has it."""

    def changed(self, facts: NodeFacts, pack: str, literals: Mapping[str, Any]) -> Any:
        """Return what a node's result depends on besides its inputs."""

    def wrong(
        self, facts: NodeFacts, pack: str, literals: Mapping[str, Any], types: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Return what is wrong with a node's inputs, by input."""


class HooksHere:
    """Asks the packs of this process."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs

    def changed(self, facts: NodeFacts, pack: str, literals: Mapping[str, Any]) -> Any:
        """Return what ``IS_CHANGED`` gives for a node's literals. Where it fails, or nothing compares it: NaN."""
        return hooks.changed(facts, pack, self._packs.node_class(pack, facts.type), literals)

    def wrong(
        self, facts: NodeFacts, pack: str, literals: Mapping[str, Any], types: Mapping[str, str]
    ) -> dict[str, str]:
        """Return what ``VALIDATE_INPUTS`` says is wrong, by input."""
        found: dict[str, str] = hooks.wrong(facts, pack, self._packs.node_class(pack, facts.type), literals, types)
        return found


def versioned(digest: str, ours: Registry) -> str:
    """Return the version of the nodes of a pack with sources of a digest.

    They may call any of our nodes, and what is below these.
    """
    told = [version("loomis"), ADAPTER, sorted((spec.type, str(spec.version)) for spec in ours)]
    return f"{digest}+{blake3(json.dumps(told).encode()).hexdigest(4)}"


def node_spec(facts: NodeFacts, pack: str, version: str, packs: Packs, asked: Hooks) -> NodeSpec:
    """Return the node type. Nothing of the pack is imported before it is called, or asked."""
    inputs = tuple(_port(each, facts) for each in facts.inputs)
    tokens = {name: token for name, token in facts.hidden.items() if token in get_args(Token)}
    sees_workflow = not facts.output_node and not WHOLE.isdisjoint(tokens.values())
    spec = NodeSpec(
        type=facts.type,
        function=_function(facts, pack, packs),
        version=version,
        category=facts.category,
        display_name=facts.title,
        description=facts.description,
        inputs=inputs,
        outputs=tuple(Slot(each.name, each.type, each.is_list) for each in facts.outputs),
        hidden=_hidden(tokens, facts.is_unlike),
        context=CONTEXT,
        output_node=facts.output_node,
        pure=not sees_workflow and not any(port.raw for port in inputs),
        resource="gpu",
        is_async=facts.is_async,
        input_is_list=facts.input_is_list,
        numeric=True,
        lazy=(lambda **given: hooks.needed(facts, pack, packs, given)) if facts.lazy else None,
        fingerprint=(lambda **literals: asked.changed(facts, pack, literals)) if facts.changes else None,
        validate={},
        flags=facts.flags,
        foreign=pack,
        check=(lambda literals, types: asked.wrong(facts, pack, literals, types)) if facts.checks else None,
        ports={port.name: port for port in inputs},
        files={port.name: port.files for port in inputs if port.files is not None},
    )
    return replace(spec, shape=_shape(spec, facts.more)) if facts.more else spec


def _function(facts: NodeFacts, pack: str, packs: Packs) -> Callable[..., Any]:
    """Return what calls the node's function."""

    def call(**given: Any) -> Any:
        return calling.call(facts, pack, packs, given)

    async def call_async(**given: Any) -> Any:
        return await calling.call_async(facts, pack, packs, given)

    function = call_async if facts.is_async else call
    function.__module__ = f"custom_nodes.{pack}"
    return function


def _hidden(tokens: Mapping[str, Any], is_unlike: bool) -> dict[str, Hidden]:
    hidden = {name: Hidden(token, in_key=token == "UNIQUE_ID") for name, token in tokens.items()}
    return hidden | {ID: Hidden("UNIQUE_ID", in_key=True)} if is_unlike else hidden


def _port(each: InputFacts, facts: NodeFacts) -> Port:
    """Return an input. What the node checks itself is not checked here."""
    options = dict(each.options)
    checked = facts.checks and (facts.checked is None or each.name in facts.checked)
    choices: Any = each.choices
    if each.folder:
        choices = Files(each.folder)
    elif options.get("image_upload") or options.get("animated_image_upload"):
        choices = InputFile()
    if checked and isinstance(choices, tuple):
        options["options"], choices = list(choices), None
    bounds = (None, None) if checked else (_number(options.pop("min", None)), _number(options.pop("max", None)))
    kinds = LITERALS.union("*").intersection(each.type.split(","))
    return Port(
        name=each.name,
        type=each.type,
        default=options.pop("default", NO_DEFAULT) if each.required else None,
        required=each.required,
        minimum=bounds[0] if kinds & {"INT", "FLOAT"} else None,
        maximum=bounds[1] if kinds & {"INT", "FLOAT"} else None,
        choices=choices,
        mentions=FilesBelow(each.below) if each.below else None,
        lazy=bool(options.pop("lazy", False)),
        options=options,
        any_value=facts.checks_types or (not kinds and each.type not in SOCKETS),
        any_link=facts.checks_types,
        raw=bool(options.get("rawLink", False)),
        hidden=each.hidden,
    )


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _shape(spec: NodeSpec, more: str) -> Callable[[Mapping[str, Any]], NodeSpec]:
    """Return what adds the inputs that a workflow gives the node besides those it declares: links, or all."""

    def shape(inputs: Mapping[str, Any]) -> NodeSpec:
        names = [name for name, value in inputs.items() if name not in spec.ports and (more == "all" or is_link(value))]
        if not names:
            return spec
        added = [Port(name, "*", None, False, any_value=True, any_link=True) for name in names]
        return replace(spec, inputs=(*spec.inputs, *added), ports={**spec.ports, **{each.name: each for each in added}})

    return shape
