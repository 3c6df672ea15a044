"""Commands on jobs and their queue."""

import asyncio

from engine.errors import WorkflowError
from engine.formats.read import read
from server.jobs.records import Submission
from server.jobs.service import Jobs
from server.jobs.store import Wanted
from server.protocol import commands, results
from server.socket.facts import job_message, listed_message


async def submit(jobs: Jobs, command: commands.JobSubmit) -> results.JobData:
    """Submit a job. Raises WorkflowError where it has no workflow, or two."""
    if (command.workflow is None) == (command.data is None):
        raise WorkflowError(
            "The command has to have one workflow.", expected="workflow or data", hint="Send JSON or a file."
        )
    found = None if command.data is None else await asyncio.to_thread(read, command.data)
    job = await jobs.submit(
        Submission(
            found.envelope if found else command.workflow or {},
            command.job,
            command.parameters,
            None if command.targets is None else tuple(command.targets),
            command.partial,
            priority=command.priority,
            front=command.front,
            timeout=command.timeout,
            labels=tuple(command.labels),
            owner=command.owner,
            client=command.client,
            extra=command.extra,
        )
    )
    return job_message(job)


async def page(jobs: Jobs, command: commands.JobList) -> results.JobsData:
    """Return a page of jobs."""
    seq = jobs.seq
    found = await jobs.page(
        Wanted(
            tuple(command.states),
            owner=command.owner,
            labels=() if command.label is None else (command.label,),
            start=command.start,
            rows=command.rows,
            limit=command.limit,
            offset=command.offset,
        )
    )
    return results.JobsData(jobs=tuple(map(listed_message, found.jobs)), total=found.total, seq=seq)


def queue(jobs: Jobs) -> results.QueueData:
    """Return what waits and runs."""
    counts = jobs.counts()
    order = tuple(job.id for job in jobs.queue())
    return results.QueueData(queued=counts.queued, running=counts.running, paused=counts.paused, order=order)


async def pause(jobs: Jobs, paused: bool) -> results.QueueData:
    """Pause the queue or let it go on."""
    await (jobs.pause() if paused else jobs.resume())
    return queue(jobs)


async def reorder(jobs: Jobs, command: commands.QueueReorder) -> results.QueueData:
    """Give jobs that wait another order."""
    await jobs.reorder(command.jobs)
    return queue(jobs)
