"""What nodes say and ask of the run: the module ``comfy_execution.graph``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodes.packs.names.placeholders import members_of

__getattr__ = members_of(__name__)


@dataclass(frozen=True, slots=True)
class ExecutionBlocker:
    """Stands for an output whose consumers must not run. A message is shown once as an error."""

    message: str | None = None


class NodeNotFoundError(Exception):
    """There is no node with the id."""


class DynamicPrompt:
    """The graph that runs, in API format: what was asked for, and what nodes answered with since."""

    def __init__(self, original_prompt: Mapping[str, Any]) -> None:
        self.original_prompt = original_prompt
        self.ephemeral_prompt: dict[str, Any] = {}
        self.ephemeral_parents: dict[str, str] = {}
        self.ephemeral_display: dict[str, str] = {}

    def get_node(self, node_id: str) -> Any:
        """Return a node. Raises NodeNotFoundError where there is none."""
        found = self.ephemeral_prompt.get(node_id) or self.original_prompt.get(node_id)
        if found is None:
            raise NodeNotFoundError(f"There is no node {node_id}.")
        return found

    def has_node(self, node_id: str) -> bool:
        return node_id in self.original_prompt or node_id in self.ephemeral_prompt

    def add_ephemeral_node(self, node_id: str, node_info: Any, parent_id: str, display_id: str) -> None:
        """Note a node of an answer of ``parent_id``, which ``display_id`` shows."""
        self.ephemeral_prompt[node_id] = node_info
        self.ephemeral_parents[node_id] = parent_id
        self.ephemeral_display[node_id] = display_id

    def get_real_node_id(self, node_id: str) -> str:
        """Return the node of the workflow that a node comes from."""
        while node_id in self.ephemeral_parents:
            node_id = self.ephemeral_parents[node_id]
        return node_id

    def get_parent_node_id(self, node_id: str) -> str | None:
        return self.ephemeral_parents.get(node_id)

    def get_display_node_id(self, node_id: str) -> str:
        """Return the node of the workflow that shows what a node does."""
        while node_id in self.ephemeral_display:
            node_id = self.ephemeral_display[node_id]
        return node_id

    def all_node_ids(self) -> set[str]:
        return {*self.original_prompt, *self.ephemeral_prompt}

    def get_original_prompt(self) -> Mapping[str, Any]:
        return self.original_prompt
