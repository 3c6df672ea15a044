"""What a connection hears of jobs, as messages."""

from collections.abc import Mapping
from typing import NamedTuple

from server.jobs.records import Job, JobEvent
from server.jobs.records import Preview as JobPreview
from server.jobs.records import Progress as JobProgress
from server.jobs.views import job_data, listed_data
from server.protocol.messages import Fact, Preview, Progress
from server.protocol.results import JobData
from server.socket.desk import Desk


class Place(NamedTuple):
    """The session that runs a job, the revision that it is of, and whether the graph still means the same."""

    session: str | None = None
    revision: int | None = None
    current: bool | None = None


def place_of(job: str | None, desks: Mapping[str, Desk]) -> Place:
    """Return where a job belongs. ``desks`` are sessions by the ids of the jobs that they run."""
    if job is None or job not in desks:
        return Place()
    desk = desks[job]
    return Place(desk.session.id, desk.runs[job].revision, desk.is_current(job))


def fact(event: JobEvent, place: Place) -> Fact:
    """Return a fact as it is sent."""
    return Fact(
        seq=event.seq,
        job=event.job,
        node=event.node,
        time=event.time,
        kind=event.kind,
        body=event.data,
        session=place.session,
        revision=place.revision,
        current=place.current,
    )


def progress(said: JobProgress, place: Place) -> Progress:
    """Return progress as it is sent."""
    return Progress(
        job=said.job, node=said.node, value=said.value, maximum=said.maximum, note=said.note,
        session=place.session, revision=place.revision,
    )  # fmt: skip


def preview(said: JobPreview, place: Place) -> Preview:
    """Return a preview as it is sent."""
    return Preview(job=said.job, node=said.node, session=place.session, revision=place.revision, data=said.image)


def job_message(job: Job) -> JobData:
    """Return a job as it is sent."""
    return JobData.model_validate(job_data(job))


def listed_message(job: Job) -> JobData:
    """Return a job as it is sent among others."""
    return JobData.model_validate(listed_data(job))
