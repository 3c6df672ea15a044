"""Jobs of a server at a terminal."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from engine.errors import Cancelled, LoomisError
from server.client.client import Client
from server.client.telling import to_event, to_result
from server.protocol.messages import Fact, Message
from server.protocol.results import BatchData, JobData
from server.report import printable
from server.telling import Lines, OnTerminal, Story, Teller, show_result
from server.text import moment_text, seconds_text, show_table

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


def list_jobs(client: Client, states: Sequence[str], label: str | None, rows: bool, limit: int, as_json: bool) -> None:
    """Print jobs and batches, newest first. Without ``rows`` the jobs of a batch are not among them."""
    page = client.jobs(states, label=label, rows=rows, limit=limit)
    batches = [
        batch
        for batch in (() if rows else client.batches(limit=1000).batches)
        if (not states or batch.state in states) and (label is None or label in batch.labels)
    ]
    both: list[JobData | BatchData] = [*page.jobs, *batches]
    newest = sorted(both, key=lambda each: each.created, reverse=True)[:limit]
    if as_json:
        told: dict[str, list[Any]] = {"jobs": [], "batches": []}
        for each in newest:
            told["jobs" if isinstance(each, JobData) else "batches"].append(each.model_dump())
        typer.echo(json.dumps({**told, "total": page.total}))
        return
    if newest:
        show_table(("job", "state", "submitted", "took", "labels"), [_row(each) for each in newest])
    queue = client.queue()
    paused = ", paused" if queue.paused else ""
    shown = sum(isinstance(each, JobData) for each in newest)
    also = f" and {len(newest) - shown} batches" if len(newest) > shown else ""
    typer.echo(f"{shown} of {page.total} jobs{also}; {queue.running} running, {queue.queued} queued{paused}")


def _row(each: JobData | BatchData) -> tuple[str, ...]:
    """Return a job or a batch as a line of a table."""
    began = each.began if isinstance(each, JobData) else each.created
    took = seconds_text(each.ended - began) if each.ended and began else ""
    about = [] if isinstance(each, JobData) else [f"batch, {_rows_text(each)}"]
    return each.id, each.state, moment_text(each.created), took, ", ".join([*about, *each.labels])


def _rows_text(batch: BatchData) -> str:
    failed = f", {batch.failed} failed" if batch.failed else ""
    return f"{batch.done + batch.skipped} of {batch.total} rows done{failed}"


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


def batch_lines(batch: BatchData) -> Iterator[tuple[str, str]]:
    """Yield what a person wants to know of a batch, each with its name."""
    yield from (("id", batch.id), ("state", batch.state), ("rows", _rows_text(batch)))
    moments = {"submitted": batch.created, "ended": batch.ended}
    yield from ((name, moment_text(moment)) for name, moment in moments.items() if moment)
    texts = {
        "left": "" if batch.left is None or batch.ended else seconds_text(batch.left),
        "folder": f"{batch.folder}, below the output folder of the server",
        "labels": ", ".join(batch.labels),
        "owner": batch.owner,
    }
    yield from ((name, text) for name, text in texts.items() if text)


def show_job(job: JobData | BatchData, as_json: bool) -> None:
    """Print everything that is known of a job or a batch."""
    if as_json:
        typer.echo(json.dumps(job.model_dump()))
        return
    for name, text in job_lines(job) if isinstance(job, JobData) else batch_lines(job):
        typer.echo(printable(f"{name:<9} {text}"))
    if isinstance(job, JobData) and job.state == "succeeded":
        show_result(to_result(job))
    elif job.error:
        typer.echo(printable(f"error     {job.error.message}"))
