"""The description of the HTTP API (OpenAPI 3.1), made from its routes and the models that check what comes in.

``python -m server.app.openapi`` writes it to ``docs/openapi.json``; a test compares the two.
"""

import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.routing import BaseRoute, Route

from server.app import batches, bodies, health, jobs, metrics, nodes, parameters, results, system
from server.files import routes as files
from server.protocol.results import RowsData

Model = type[BaseModel]
REFERENCE = "#/components/schemas/{model}"
BINARY: dict[str, Any] = {"application/octet-stream": {}}


class Shape(NamedTuple):
    """What a route takes and gives. Without a result it answers with a file, or with nothing if ``status`` is 204."""

    result: Model | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    query: Model | None = None
    body: Model | None = None
    takes_file: bool = False
    fails: tuple[int, ...] = ()


SHAPES: dict[Any, Shape] = {
    jobs.submit: Shape(results.JobAnswer, 201, body=bodies.SubmitBody, takes_file=True, fails=(409, 413, 422, 503)),
    jobs.list_jobs: Shape(results.JobsAnswer, query=bodies.JobsQuery, fails=(422,)),
    jobs.cancel_many: Shape(results.CancelledAnswer, body=bodies.CancelBody, fails=(404, 413, 422)),
    jobs.one_job: Shape(results.JobNow, fails=(404,)),
    jobs.move: Shape(results.JobAnswer, body=bodies.MoveBody, fails=(404, 409, 413, 422)),
    jobs.forget: Shape(status=204, fails=(404, 409)),
    jobs.workflow: Shape(results.SentAnswer, fails=(404,)),
    jobs.job_events: Shape(results.EventsAnswer, query=bodies.EventsQuery, fails=(404, 422)),
    jobs.cancel: Shape(results.JobAnswer, fails=(404,)),
    jobs.queue: Shape(results.QueueAnswer),
    jobs.set_queue: Shape(results.PausedAnswer, body=bodies.QueueBody, fails=(413, 422)),
    jobs.reorder: Shape(results.QueueAnswer, body=bodies.OrderBody, fails=(404, 409, 413, 422)),
    jobs.events: Shape(results.AllEventsAnswer, query=bodies.EventsQuery, fails=(422,)),
    batches.submit_batch: Shape(results.BatchAnswer, 201, body=bodies.BatchBody, fails=(409, 413, 422, 503)),
    batches.list_batches: Shape(results.BatchesAnswer, query=bodies.BatchesQuery, fails=(422,)),
    batches.one_batch: Shape(results.BatchAnswer, fails=(404,)),
    batches.forget_batch: Shape(status=204, fails=(404, 409)),
    batches.batch_rows: Shape(RowsData, query=bodies.PageQuery, fails=(404, 422)),
    batches.cancel_batch: Shape(results.BatchAnswer, fails=(404,)),
    parameters.parameters: Shape(results.ParametersAnswer, body=bodies.WorkflowBody, takes_file=True, fails=(413, 422)),
    nodes.all_nodes: Shape(results.NodeTypesAnswer, query=bodies.NodesQuery, fails=(422,)),
    nodes.one_node: Shape(results.NodeTypeAnswer, fails=(404,)),
    files.list_files: Shape(results.FilesAnswer, query=files.FilesQuery, fails=(404, 422)),
    files.read: Shape(query=files.FileQuery, also=(206, 304), fails=(400, 404, 413, 416, 422)),
    files.write: Shape(
        results.StoredAnswer, 201, (200,), files.UploadQuery, takes_file=True, fails=(404, 408, 409, 413, 422, 507)
    ),
    system.workers: Shape(results.WorkersAnswer),
    system.free: Shape(status=204, body=bodies.FreeBody, fails=(422,)),
    system.system: Shape(results.SystemAnswer),
    metrics.metrics: Shape(fails=(404,)),
    health.health: Shape(results.HealthAnswer, also=(503,)),
    health.ready: Shape(results.ReadyAnswer, also=(503,)),
}


def described(routes: Iterable[BaseRoute]) -> list[Route]:
    """Return the routes that the description covers: all but the page, the socket and the description."""
    return [route for route in routes if isinstance(route, Route) and route.endpoint in SHAPES]


def openapi(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the description of some routes."""
    shapes = [SHAPES[route.endpoint] for route in described(routes)]
    asked: set[Model] = {model for shape in shapes for model in (shape.query, shape.body) if model}
    told: set[Model] = {results.Failure, *(shape.result for shape in shapes if shape.result)}
    pairs: list[tuple[Model, JsonSchemaMode]] = [(model, "validation") for model in asked]
    pairs += [(model, "serialization") for model in told]
    refs, schema = models_json_schema(sorted(pairs, key=lambda pair: pair[0].__name__), ref_template=REFERENCE)
    found: dict[Any, Any] = {model: ref for (model, _), ref in refs.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in described(routes):
        path, parameters = _path(route.path)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            operation = _operation(route, SHAPES[route.endpoint], parameters, found, schema["$defs"])
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Loomis",
            "version": version("loomis"),
            "description": "Jobs, files and node types. What happens is told over the socket: see protocol.md. "
            "Any request may be refused with 400, 401, 403, 413 or 429 before it comes to its route: see SECURITY.md.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schema["$defs"].items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _path(path: str) -> tuple[str, list[dict[str, Any]]]:
    """Return a path without converters, and its parameters."""
    names = re.findall(r"\{(\w+)(?::\w+)?\}", path)
    string = {"type": "string", "minLength": 1}
    parameters = [{"name": name, "in": "path", "required": True, "schema": string} for name in names]
    return re.sub(r":\w+\}", "}", path), parameters


def _operation(
    route: Route, shape: Shape, parameters: list[dict[str, Any]], refs: dict[Any, Any], models: dict[str, Any]
) -> dict[str, Any]:
    query = models[shape.query.__name__] if shape.query else {"properties": {}}
    more = [
        {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema}
        for name, schema in query["properties"].items()
    ]
    operation: dict[str, Any] = {
        "operationId": route.endpoint.__name__,
        "summary": (route.endpoint.__doc__ or "").strip().splitlines()[0],
        "parameters": [*parameters, *more],
        "responses": {},
    }
    content = (BINARY if shape.takes_file else {}) | (_json(refs[shape.body]) if shape.body else {})
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    told = _json(refs[shape.result]) if shape.result else {} if shape.status == 204 else {"*/*": {}}
    for status in (shape.status, *shape.also):
        content = {} if status in (204, 304) else {"content": told}
        operation["responses"][str(status)] = {"description": route.endpoint.__doc__ or ""} | content
    for status in shape.fails:
        operation["responses"][str(status)] = {
            "description": results.Failure.__doc__,
            "content": _json(refs[results.Failure]),
        }
    return operation


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def openapi_text() -> str:
    """Return the description as the file that is committed."""
    from server.app.application import ROUTES

    return json.dumps(openapi(ROUTES), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parents[2] / "docs" / "openapi.json").write_text(openapi_text())
