"""Jobs of a server at a terminal."""

import json
import sys
from collections.abc import Iterator, Sequence

import typer

from engine.errors import Cancelled, LoomisError
from server.client.client import Client
from server.client.telling import to_event, to_result
from server.protocol.messages import Fact, Message
from server.protocol.results import JobData
from server.report import printable
from server.telling import Lines, OnTerminal, Story, Teller, show_result
from server.text import moment_text, seconds_text

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


def job_lines(job: JobData) -> Iterator[tuple[str, str]]:
    """Yield what a person wants to know of a job, each with its name; not what came of it."""
    moments = {"submitted": job.created, "began": job.began, "ended": job.ended, "deadline": job.deadline}
    yield from (("id", job.id), ("state", job.state))
    yield from ((name, moment_text(moment)) for name, moment in moments.items() if moment)
    texts = {
        "took": seconds_text(job.ended - job.began) if job.began and job.ended else "",
        "priority": str(job.priority or ""),
        "attempts": str(job.attempts) if job.attempts > 1 else "",
        "deaths": f"{job.deaths} of its workers died" if job.deaths else "",
        "labels": ", ".join(job.labels),
        "owner": job.owner,
        "client": job.client,
        "worker": job.worker,
        "targets": ", ".join(job.targets),
        "models": ", ".join(job.models),
    }
    yield from ((name, text) for name, text in texts.items() if text)


def show_job(job: JobData, as_json: bool) -> None:
    """Print everything that is known of a job."""
    if as_json:
        typer.echo(json.dumps(job.model_dump()))
        return
    for name, text in job_lines(job):
        typer.echo(printable(f"{name:<9} {text}"))
    if job.state == "succeeded":
        show_result(to_result(job))
    elif job.error:
        typer.echo(printable(f"error     {job.error.message}"))
