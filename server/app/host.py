"""One server process: a socket, a data folder, the jobs, the workers and the application over them."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from engine import Engine
from engine.errors import SettingError
from nodes.machine import all_devices, torch_version
from server.app.application import application
from server.app.services import Services
from server.app.tally import Tally, observe
from server.batches.service import Batches
from server.comfy.frontend import find_frontend
from server.jobs.lock import FolderLock
from server.jobs.service import Jobs
from server.jobs.store import Retention
from server.opening import open_engine
from server.packs import AskedOfWorkers, server_packs
from server.security.access import Access
from server.security.connections import bounded
from server.security.guard import guarded
from server.settings import GB, Options
from server.socket.transport import LARGEST_FRAME, SocketProtocol
from server.workers.contract import Carrier
from server.workers.dispatcher import Dispatcher
from server.workers.heartbeat import Limits
from server.workers.opening import find_vocabulary
from server.workers.process import ProcessCarrier

if TYPE_CHECKING:
    from nodes.packs.facts import PackFacts

log = logging.getLogger("loomis.server")

VOCABULARY = "nodes:vocabulary"
AHEAD = ("torch", "nodes.models.service", "nodes.models.sample", "nodes.models.vae", "nodes.models.text")
"""What most jobs need and what takes seconds to import."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

CONTROL_GB = 0.0625
"""GiB of remembered values in the server's own memory: it looks at results and computes none."""


class Uvicorn(uvicorn.Server):
    """uvicorn without its own handling of signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to who started it."""
        yield


@asynccontextmanager
async def serving(
    options: Options,
    carriers: list[Carrier],
    engine: Engine,
    packs: tuple["PackFacts", ...] = (),
    asked: AskedOfWorkers | None = None,
) -> AsyncIterator[Services]:
    """Have jobs and workers while the context lasts. At its end what runs is parked and queued again."""
    frontend = find_frontend(options.frontend) if options.frontend else None
    retention = Retention(options.history_jobs, int(options.history_gb * GB))
    jobs = Jobs(engine, options.data.absolute() / "jobs" / "jobs.sqlite", retention)
    limits = Limits(options.frozen_seconds, options.silent_seconds)
    dispatcher = Dispatcher(jobs, carriers, options.grace_seconds, limits)
    if asked:
        asked.asking = dispatcher.asking
    dispatcher.start()
    tally = Tally()
    observing = asyncio.create_task(observe(jobs, tally))
    batches = Batches(jobs, len(carriers))
    try:
        await batches.start()
        folder = options.data.absolute()
        yield Services(engine, jobs, batches, dispatcher, tally, folder, frontend, packs, asked)
    finally:
        observing.cancel()
        await batches.close()
        await dispatcher.park(options.park_seconds)
        await dispatcher.close()
        await jobs.close()


async def serve(
    options: Options, access: Access, vocabulary: str = VOCABULARY, announce: Callable[[str], None] = print
) -> None:
    """Serve until SIGINT or SIGTERM. A second one ends at once.

    Raises:
        SettingError: the address can't be had.
        StoreError: another server has the data folder, or it can't be written.
    """
    folder = options.data.absolute()
    try:
        listening = bind(options.host, options.port)
    except SettingError:
        FolderLock(folder, "nowhere").close()  # a server of this folder has the address most often: that is told first
        raise
    address = "http://{}:{}".format(*listening.getsockname()[:2])
    ahead = AHEAD if vocabulary == VOCABULARY else ()
    carriers: list[Carrier] = [ProcessCarrier(options, device, vocabulary, ahead) for device in devices(options)]
    small = options.model_copy(update={"memory_gb": CONTROL_GB})
    with ExitStack() as stack:
        stack.enter_context(FolderLock(folder, address))
        asked = AskedOfWorkers()
        registry, packs = server_packs(options, find_vocabulary(vocabulary), asked)
        engine = stack.enter_context(open_engine(small, registry))
        async with serving(options, carriers, engine, packs, asked) as services:
            server = Uvicorn(configured(services, replace(access, port=listening.getsockname()[1])))
            end_by_signal(server, services.jobs, options.park_seconds)
            listening.listen(BACKLOG)
            announce(address)
            await server.serve(sockets=[listening])


def configured(services: Services, access: Access) -> uvicorn.Config:
    """Return how uvicorn serves the application behind its guard."""
    return uvicorn.Config(
        guarded(application(services), access),
        http=bounded(AutoHTTPProtocol, access.limits),
        ws=SocketProtocol,
        ws_max_size=LARGEST_FRAME,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not listen yet. Port 0 takes any that is free.

    Raises:
        SettingError: the address isn't here, or is taken.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, proto)
        with ExitStack() as on_failure:
            on_failure.callback(listening.close)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            on_failure.pop_all()
    except OSError as error:
        raise SettingError(
            f"The server can't have {host}:{port}: {error.strerror or error}.",
            got=f"{host}:{port}",
            expected="an address of this machine that is free",
            hint="Choose another with --host or --port.",
        ) from None
    return listening


def devices(options: Options) -> list[str]:
    """Return the device of each worker: those that were named, or as many as were asked for, or one each."""
    there = all_devices(torch_version()) if options.device == "auto" else [options.device]
    if options.workers == "auto":
        return there
    if options.workers.isdigit():
        return [there[index % len(there)] for index in range(int(options.workers))]
    return options.workers.split(",")


def farewell(running: Sequence[str], seconds: float) -> str:
    """Return what a server says that was asked to end while these jobs run."""
    if not running:
        return "The server ends."
    jobs = f"job {running[0]}" if len(running) == 1 else f"{len(running)} jobs"
    return (
        f"The server ends. It waits up to {seconds:g} s for {jobs} to come to the end of a node. "
        "Press Ctrl-C again to end now: nothing is lost either way, and what runs goes on at the next start."
    )


def end_by_signal(server: Uvicorn, jobs: Jobs, park_seconds: float) -> None:
    """Let the first SIGINT or SIGTERM end the server in order, and the second at once."""

    def end(number: int) -> None:
        if server.should_exit:
            os._exit(128 + number)
        running = [job.id for job in jobs.queue() if job.state == "running"]
        log.info(farewell(running, park_seconds))
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
