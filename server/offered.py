"""What can be set in a workflow: ``loomis params`` and ``POST /api/v1/parameters``."""

from dataclasses import dataclass
from typing import Any

from engine.folders import Folders
from engine.formats import Loaded
from engine.graph import read_graph
from engine.node import Registry
from engine.parameter_schema import parameter_schema
from engine.parameters import Parameter, list_declared, list_parameters
from server.schema import input_data


@dataclass(frozen=True, slots=True)
class Offered:
    """The parameters that a workflow declares, and every input that can be set."""

    declared: list[Parameter]
    inputs: list[Parameter]

    def data(self, folders: Folders) -> dict[str, Any]:
        """Return both as plain data, and a JSON Schema: of the declared ones, or else of the inputs."""
        return {
            "parameters": [_data(each, folders) for each in self.declared],
            "inputs": [_data(each, folders) for each in self.inputs],
            "schema": parameter_schema(self.declared or self.inputs, folders),
        }


def offered(loaded: Loaded, registry: Registry) -> Offered:
    """Return what a workflow offers.

    Raises:
        WorkflowError: it is no graph, or a declared parameter names no input.
    """
    graph = read_graph(loaded.prompt)
    return Offered(list_declared(graph, loaded.declarations, registry), list_parameters(graph, registry))


def _data(parameter: Parameter, folders: Folders) -> dict[str, Any]:
    """Return a parameter as plain data: where it is, its value, and what is declared of it."""
    where = {
        "name": parameter.name,
        "node": parameter.node,
        "title": parameter.title,
        "class_type": parameter.class_type,
        "input": parameter.input,
        "value": parameter.value,
    }
    return where | ({"declared": input_data(parameter.port, folders)} if parameter.port else {})
