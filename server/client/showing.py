"""Jobs of a server at a terminal."""

import json
import sys
from collections.abc import Sequence

import typer

from engine.errors import Cancelled, LoomisError
from server.client.client import Client
from server.client.telling import to_event, to_result
from server.protocol.messages import Fact, Message
from server.protocol.results import JobData
from server.report import printable
from server.telling import Lines, OnTerminal, Story, Teller, show_result

QUIET = frozenset({"queued", "moved", "began", "requeued", "failed", "cancelled", "paused", "resumed"})
"""Facts that a run of one's own doesn't tell, or that end it with an error."""


class Many:
    """Lines of several jobs, each with the head of its id."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}

    def __call__(self, message: Message) -> None:
        event = to_event(message)
        line = self._stories.setdefault(event.job, Story({})).line(event) if event else None
        if isinstance(message, Fact) and message.kind in QUIET:
            line = " ".join([message.kind, str(message.body.get("reason", ""))]).strip()
        if line:
            job = message.job if isinstance(message, Fact) and message.job else "queue"
            typer.echo(f"{printable(job[:8]):<8}  {line.strip()}", err=True)


def watch_jobs(client: Client, jobs: Sequence[str], as_json: bool, since: int | None = None) -> None:
    """Tell what happens to jobs until they have ended, then what came of them; without jobs, of all, until Ctrl-C.

    Raises:
        LoomisError: the last one that failed; Cancelled where it was cancelled, or at Ctrl-C, which ends no job.
    """
    one: Teller | None = None
    if len(jobs) == 1:
        one = OnTerminal({}) if sys.stderr.isatty() else Lines({})
    many = Many()
    try:
        for message in client.watch(*jobs, since=0 if since is None and jobs else since):
            if as_json:
                typer.echo(json.dumps(message.model_dump(exclude={"data"}, exclude_none=True)))
            elif one is None:
                many(message)
            elif event := to_event(message):
                one(event)
    except KeyboardInterrupt:
        raise Cancelled(
            "Watching has ended; jobs go on.", hint=f"To end one: loomis cancel {jobs[0] if jobs else 'JOB'}"
        ) from None
    finally:
        if one:
            one.close()
    show_results(client, jobs, as_json)


def show_results(client: Client, jobs: Sequence[str], as_json: bool) -> None:
    """Print what came of jobs that have ended. Raises what ``watch_jobs`` raises."""
    failed: Exception | None = None
    for id in jobs:
        job = client.job(id)
        if as_json:
            typer.echo(json.dumps({"job": job.model_dump()}))
        try:
            result = to_result(job)
        except LoomisError as error:
            failed = error
        else:
            if not as_json:
                show_result(result)
    if failed:
        raise failed


def show_job(job: JobData, as_json: bool) -> None:
    """Print everything that is known of a job."""
    if as_json:
        typer.echo(json.dumps(job.model_dump()))
        return
    for name, value in job.model_dump(exclude={"outputs", "faults", "error"}).items():
        if value not in (None, (), "", 0):
            typer.echo(printable(f"{name:<9} {', '.join(value) if isinstance(value, tuple) else value}"))
    if job.state == "succeeded":
        show_result(to_result(job))
    elif job.error:
        typer.echo(printable(f"error     {job.error.message}"))
