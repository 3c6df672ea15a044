"""Commands on batches."""

from dataclasses import asdict

from server.batches.records import BatchRecord, BatchSubmission
from server.batches.service import Batches
from server.protocol import commands, results


async def submit(batches: Batches, command: commands.BatchSubmit) -> results.BatchData:
    """Submit a batch."""
    given = {name: getattr(command, name) for name in commands.BatchSubmit.model_fields}
    id = {"id": given.pop("batch")}
    fields = {name: value for name, value in given.items() if name not in ("id", "command")}
    return _message(await batches.submit(BatchSubmission(**fields, **id)))


def get(batches: Batches, command: commands.BatchGet) -> results.BatchData:
    """Return a batch as it stands."""
    return _message(batches.get(command.batch))


async def page(batches: Batches, command: commands.BatchList) -> results.BatchesData:
    """Return a page of batches."""
    found, total = await batches.page(command.limit, command.offset, command.start)
    return results.BatchesData(batches=tuple(map(_message, found)), total=total)


async def rows(batches: Batches, command: commands.BatchRows) -> results.RowsData:
    """Return what became of some rows."""
    total = batches.get(command.batch).total
    lines = await batches.lines(command.batch, command.limit, command.offset)
    return results.RowsData(rows=tuple(lines), total=total)


async def cancel(batches: Batches, command: commands.BatchCancel) -> results.BatchData:
    """Cancel a batch."""
    return _message(await batches.cancel(command.batch))


def _message(record: BatchRecord) -> results.BatchData:
    return results.BatchData.model_validate(asdict(record))
