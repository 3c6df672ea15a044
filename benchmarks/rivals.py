"""The plain loops that an engine is compared with: sort the graph, call the functions, remember nothing."""

from collections.abc import Iterable
from graphlib import TopologicalSorter
from typing import Any

import networkx

from benchmarks.graphs import FUNCTIONS, Prompt


def networkx_loop(prompt: Prompt) -> dict[str, Any]:
    """Run a graph in the order of ``networkx.topological_sort``."""
    graph: Any = networkx.DiGraph()
    for id, node in prompt.items():
        graph.add_node(id)
        graph.add_edges_from((link[0], id) for link in node["inputs"].values() if isinstance(link, list))
    return _call(prompt, networkx.topological_sort(graph))


def graphlib_loop(prompt: Prompt) -> dict[str, Any]:
    """Run a graph in the order of ``graphlib.TopologicalSorter``."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for id, node in prompt.items():
        sorter.add(id, *(link[0] for link in node["inputs"].values() if isinstance(link, list)))
    return _call(prompt, sorter.static_order())


def bare_calls(prompt: Prompt) -> dict[str, Any]:
    """Run a graph whose nodes are in order already: what the functions themselves take."""
    return _call(prompt, prompt)


def _call(prompt: Prompt, order: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for id in order:
        node = prompt[id]
        given = {name: values[at[0]] if isinstance(at, list) else at for name, at in node["inputs"].items()}
        values[id] = FUNCTIONS[node["class_type"]](**given)
    return values


RIVALS = {"networkx": networkx_loop, "graphlib": graphlib_loop}
