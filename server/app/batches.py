"""Routes of batches: ``/api/v1/batches``."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app.answers import answer
from server.app.bodies import BatchBody, BatchesQuery, PageQuery, read_body, read_query
from server.app.services import services


async def submit_batch(request: Request) -> Response:
    """Accept a batch, whose rows become jobs. It is on disk when the answer comes."""
    body = await read_body(request, BatchBody)
    return answer(asdict(await services(request).batches.submit(body.submission())), 201)


async def list_batches(request: Request) -> Response:
    """Batches, newest first, page by page."""
    query = read_query(request, BatchesQuery)
    found, total = await services(request).batches.page(query.limit, query.offset, query.start)
    return answer({"batches": [asdict(each) for each in found], "total": total})


async def one_batch(request: Request) -> Response:
    """A batch as it stands: how many rows are done, and the time that is left."""
    return answer(asdict(services(request).batches.get(request.path_params["id"])))


async def batch_rows(request: Request) -> Response:
    """What became of the rows of a batch, by their numbers, page by page."""
    query = read_query(request, PageQuery)
    batches = services(request).batches
    record = batches.get(request.path_params["id"])
    return answer({"rows": await batches.lines(record.id, query.limit, query.offset), "total": record.total})


async def cancel_batch(request: Request) -> Response:
    """Cancel a batch: no more rows begin. What is done stays, and one that has ended stays as it is."""
    return answer(asdict(await services(request).batches.cancel(request.path_params["id"])))


async def forget_batch(request: Request) -> Response:
    """Remove a batch that has ended from the list. Its files stay."""
    await services(request).batches.forget(request.path_params["id"])
    return Response(status_code=204)


ROUTES = [
    Route("/api/v1/batches", submit_batch, methods=["POST"]),
    Route("/api/v1/batches", list_batches),
    Route("/api/v1/batches/{id}", one_batch),
    Route("/api/v1/batches/{id}", forget_batch, methods=["DELETE"]),
    Route("/api/v1/batches/{id}/rows", batch_rows),
    Route("/api/v1/batches/{id}/cancel", cancel_batch, methods=["POST"]),
]
