"""The description of the API is true: it is what is committed, it covers every route, and the routes keep it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Route

from server.app.application import ROUTES
from server.app.openapi import SHAPES, openapi, openapi_text
from server.jobs.records import Submission
from tests.server.online import Online, online
from tests.server.words import ran, shown

DOCS = Path(__file__).parents[3] / "docs"
NOT_DESCRIBED = {"/", "/editor", "/api/v1/openapi.json", "/api/v1/protocol.json"}


def test_the_committed_description_is_that_of_the_routes() -> None:
    assert (DOCS / "openapi.json").read_text() == openapi_text(), "run: python -m server.app.openapi"


def test_every_route_is_described() -> None:
    routes = [route for route in ROUTES if isinstance(route, Route)]
    assert {route.path for route in routes if route.endpoint not in SHAPES} <= NOT_DESCRIBED
    assert {route.endpoint for route in routes} >= set(SHAPES)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """A server with a job that has ended, one that waits, and a file."""
    folder = tmp_path_factory.mktemp("server")
    with online(folder) as server:
        jobs = server.services.jobs
        server.do(ran(jobs, shown(1), id="ended"))
        server.do(jobs.pause())
        server.do(jobs.submit(Submission(shown(2), id="waits")))
        root = server.services.engine.folders.input
        root.mkdir()
        (root / "a.txt").write_text("a text")
        yield server


@pytest.fixture(scope="module")
def description(server: Online) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json")


@pytest.fixture(scope="module")
def http(server: Online) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=20) as client:
        yield client


PATHS = openapi(ROUTES)["paths"]
OPERATIONS = [(path, method) for path, methods in PATHS.items() for method in methods]


def takes_something(path: str, method: str) -> bool:
    """Whether an operation can be given what its description does not allow: any text is a name in a path."""
    operation = PATHS[path][method]
    return "requestBody" in operation or any(each["in"] == "query" for each in operation["parameters"])


FUZZED = pytest.mark.parametrize(
    ("path", "method", "mode"),
    [(*each, GenerationMode.POSITIVE) for each in OPERATIONS]
    + [(*each, GenerationMode.NEGATIVE) for each in OPERATIONS if takes_something(*each)],
)
KEPT = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def fuzz(description: Any, path: str, method: str, mode: GenerationMode, examples: int) -> None:
    """Call an operation with what its description allows, or with what it doesn't, and check what comes back."""
    operation = description[path][method]
    checks = KEPT[1:] if path == "/ready" else KEPT  # it is not, while the queue is paused, and says so

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(mode))
    def check(case: Any) -> None:
        answer = case.call(timeout=20)
        case.validate_response(answer, checks=checks)

    check()


@FUZZED
def test_the_routes_keep_to_the_description(description: Any, path: str, method: str, mode: GenerationMode) -> None:
    fuzz(description, path, method, mode, 8)


@pytest.mark.slow
@FUZZED
def test_they_keep_to_it_for_long(description: Any, path: str, method: str, mode: GenerationMode) -> None:
    """Minutes: thousands of requests."""
    fuzz(description, path, method, mode, 300)


def test_the_server_is_well_after_all_that(server: Online) -> None:
    jobs = server.services.jobs
    server.do(jobs.resume())
    assert server.do(ran(jobs, shown(3))).state == "succeeded"


KEYS = st.sampled_from(
    ["1", "2", "nodes", "links", "inputs", "class_type", "_meta", "title", "value", "definitions", "subgraphs",
     "version", "type", "id", "widgets_values", "extra", "groups"]
)  # fmt: skip
VALUES = st.sampled_from(["Number", "Show", "1", ["1", 0], ["2", -1], 0, 5, 2**70, -1.5, None, True, "", "\0"])
JSON = st.recursive(VALUES, lambda parts: st.lists(parts, max_size=4) | st.dictionaries(KEYS, parts, max_size=5))
SAVED = st.fixed_dictionaries({"nodes": JSON}, optional={"links": JSON, "version": VALUES, "definitions": JSON})
NODES = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from(["Number", "Add", "Show", "Save"]) | VALUES,
        "inputs": st.dictionaries(KEYS, VALUES),
    },
    optional={"_meta": JSON},
)
WORKFLOWS = SAVED | st.dictionaries(st.sampled_from("123"), NODES, max_size=3) | st.dictionaries(KEYS, JSON, max_size=6)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(WORKFLOWS, st.just({}) | st.dictionaries(KEYS, JSON, max_size=2))
@example({"nodes": 0}, {})
@example({"nodes": None}, {"1": [[[]]]})
@example({"nodes": {"a": 1}, "links": 5}, {})
@example({"nodes": [None, 5, {"id": []}], "definitions": {"subgraphs": [1]}}, {})
def test_any_workflow_is_taken_or_refused(
    http: httpx2.Client, workflow: dict[str, Any], parameters: dict[str, Any]
) -> None:
    body = json.dumps({"workflow": workflow, "parameters": parameters}).encode()
    answer = http.post("/api/v1/jobs", content=body)
    assert answer.status_code in (201, 422), answer.text
    assert answer.status_code == 201 or answer.json()["error"]["message"]


@pytest.mark.parametrize("depth", [100, 10_000, 1_000_000])
def test_json_that_is_nested_deep_is_refused(http: httpx2.Client, depth: int) -> None:
    body = b'{"workflow": {"1": ' + b"[" * depth + b"]" * depth + b"}}"
    answer = http.post("/api/v1/jobs", content=body)
    assert answer.status_code == 422
