"""``/metrics`` for Prometheus. It needs the extra ``metrics``: ``pip install loomis[metrics]``."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import accumulate
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app.services import Services, services
from server.app.system import rss
from server.app.tally import BOUNDS

if TYPE_CHECKING:
    from prometheus_client import Metric


async def metrics(request: Request) -> Response:
    """The numbers of this server, in the text form of Prometheus."""
    try:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    except ImportError:
        raise HTTPException(404, "Install the extra: pip install 'loomis[metrics]'.") from None
    registry = CollectorRegistry()
    registry.register(Numbers(services(request)))
    text = await asyncio.to_thread(generate_latest, registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class Numbers:
    """Reads the numbers at the moment they are asked for."""

    def __init__(self, found: Services) -> None:
        self.found = found

    def collect(self) -> "Iterator[Metric]":
        """Give every metric."""
        yield from self._jobs()
        yield from self._nodes()
        yield from self._machine()

    def _jobs(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counts, tally = self.found.jobs.counts(), self.found.tally
        here = GaugeMetricFamily("loomis_jobs", "Jobs that wait and run.", labels=["state"])
        here.add_metric(["queued"], counts.queued)
        here.add_metric(["running"], counts.running)
        yield here
        yield GaugeMetricFamily("loomis_queue_paused", "1 while the queue is paused.", counts.paused)
        ended = CounterMetricFamily("loomis_jobs_ended", "Jobs that ended since the start.", labels=["state"])
        for state in ("succeeded", "failed", "cancelled"):
            ended.add_metric([state], tally.jobs[state])
        yield ended
        yield CounterMetricFamily("loomis_jobs_requeued", "Jobs that went back to the queue.", tally.requeued)

    def _nodes(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        tally = self.found.tally
        ran = HistogramMetricFamily("loomis_node_seconds", "Seconds that nodes ran.", labels=["type"])
        for type, runs in list(tally.runs.items()):
            sums = accumulate(runs.classes)
            buckets = [(bound, total) for bound, total in zip([*map(str, BOUNDS), "+Inf"], sums, strict=True)]
            ran.add_metric([type], buckets, runs.seconds)
        yield ran
        remembered = CounterMetricFamily("loomis_nodes_remembered", "Nodes that did not have to run.", labels=["type"])
        for type, count in list(tally.remembered.items()):
            remembered.add_metric([type], count)
        yield remembered

    def _machine(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        workers, store = self.found.dispatcher.workers, self.found.engine.store
        resident = GaugeMetricFamily("loomis_resident_bytes", "Memory of each process.", labels=["process"])
        resident.add_metric(["server"], rss(os.getpid()))
        starts = CounterMetricFamily("loomis_worker_starts", "How often a worker was started.", labels=["worker"])
        card = GaugeMetricFamily("loomis_gpu_memory_bytes", "Memory of each worker's GPU.", labels=["worker", "kind"])
        for worker in workers:
            starts.add_metric([worker.name], worker.starts)
            for kind, nbytes in (asdict(worker.uses) if worker.uses.total else {}).items():
                card.add_metric([worker.name, kind], nbytes)
            if worker.pid:
                resident.add_metric([worker.name], rss(worker.pid))
        yield from (resident, starts, card)
        ready = sum(worker.ready for worker in workers)
        yield GaugeMetricFamily("loomis_workers_ready", "Workers that take jobs.", ready)
        yield GaugeMetricFamily("loomis_store_bytes", "Remembered results on disk.", store.totals()[2])
        yield GaugeMetricFamily("loomis_store_limit_bytes", "The most of them.", store.limit)


ROUTES = [Route("/metrics", metrics)]
