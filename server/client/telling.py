"""What a server tells of a job, in the words in which a run here is told."""

from collections.abc import Callable, Mapping

from engine import events
from engine.api import Output, Result
from engine.errors import Cancelled, Fault, LoomisError
from server.client.errors import to_error
from server.protocol.messages import Fact, FactKind, Message, Progress
from server.protocol.results import JobData

KINDS: Mapping[FactKind, Callable[..., events.Event]] = {
    "planned": events.Planned,
    "node_started": events.NodeStarted,
    "remembered": events.Remembered,
    "node_finished": events.NodeFinished,
    "saved": events.Saved,
    "warned": events.Warned,
    "succeeded": events.Finished,
    "failed": events.Failed,
    "cancelled": events.WasCancelled,
}
NODES = frozenset({"node_started", "remembered", "node_finished", "saved", "warned"})


def to_event(message: Message) -> events.Event | None:
    """Return what a run would have told, if it tells that."""
    match message:
        case Progress():
            return events.Progress(0, message.job, message.node, message.value, message.maximum, note=message.note)
        case Fact() if message.kind in KINDS:
            node = {"node": message.node} if message.kind in NODES else {}
            return KINDS[message.kind](seq=message.seq, job=message.job, **node, **message.body)
    return None


def to_result(job: JobData) -> Result:
    """Return what came of a job.

    Raises:
        LoomisError: it failed; Cancelled where it was cancelled.
    """
    if job.state == "cancelled":
        raise Cancelled("The job was cancelled.")
    if job.state == "failed":
        raise to_error(job.error) if job.error else LoomisError("The job failed.")
    outputs = {id: Output(tuple(shown["files"]), shown["notes"]) for id, shown in job.outputs.items()}
    faults = tuple(Fault(**fault.model_dump()) for fault in job.faults)
    return Result(job.id, outputs, {}, (job.ended or 0.0) - (job.began or 0.0), faults)
