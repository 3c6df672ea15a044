"""Routes that say how the server is: ``/health``, ``/ready``, ``/api/v1/workers``."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app.answers import answer
from server.app.services import services


async def health(request: Request) -> Response:
    """Whether jobs are accepted: the loop answers and the disk takes a write."""
    jobs = services(request).jobs
    await jobs.store.flush()
    counts = jobs.counts()
    return answer({"queued": counts.queued, "running": counts.running, "paused": counts.paused, "seq": jobs.seq})


async def ready(request: Request) -> Response:
    """Whether a job that is sent now begins: 200 when a worker takes orders, else 503."""
    workers = services(request).dispatcher.workers
    count = sum(worker.ready for worker in workers)
    return answer({"ready": count > 0, "workers": count}, 200 if count else 503)


async def workers(request: Request) -> Response:
    """The workers and what each does."""
    return answer(
        {
            "workers": [
                {
                    "name": worker.name,
                    "device": worker.carrier.device,
                    "pid": worker.pid,
                    "job": worker.running,
                    "starts": worker.starts,
                    "last_death": worker.death,
                }
                for worker in services(request).dispatcher.workers
            ]
        }
    )


ROUTES = [Route("/health", health), Route("/ready", ready), Route("/api/v1/workers", workers)]
