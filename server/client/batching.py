"""``loomis batch`` with rows that a server runs: what is sent, and how it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

from engine.errors import Cancelled, InputError, SettingError
from engine.formats import read
from server.batch.asked import Asked
from server.batch.axes import parse_axis
from server.batch.rows import read_rows
from server.batch.telling import RowTeller
from server.client.client import Client
from server.client.errors import to_error
from server.client.opening import open_client
from server.protocol.results import BatchData
from server.settings import Options
from server.workflow import workflow_source


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the server says that a batch is."""

    total: int
    done: int
    failed: int
    skipped: int
    left: float | None = None


def send_batch(options: Options, asked: Asked, as_json: bool, quiet: bool) -> bool:
    """Submit a batch and watch it to its end: see `follow_batch`."""
    found = read(workflow_source(asked.file))
    with open_client(options) as client:
        batch = client.submit_batch(
            found.envelope,
            rows=_rows(asked.rows),
            grid=_axes(asked.grid),
            zip=_axes(asked.zipped),
            values=dict(asked.values),
            count=asked.count,
            seed=asked.seed,
            batch_seeds=asked.together,
            out=asked.out or f"{Path(asked.file).stem}-batch/{{row}}",
            targets=None if asked.targets is None else list(asked.targets),
            sheet=asked.sheet is not None,
        )
        typer.echo(batch.id, err=True)
        return follow_batch(client, batch, as_json, quiet)


def follow_batch(client: Client, batch: BatchData, as_json: bool, quiet: bool) -> bool:
    """Tell what becomes of each row of a batch until it has ended; return whether all rows were done.

    Files are told as where the server has them: its folders may be on another machine.

    Raises:
        LoomisError: what the server says is wrong; Cancelled where it was cancelled, or at Ctrl-C, which ends nothing.
    """
    below = f"{client.url}/api/v1/files/output/"
    with RowTeller(lambda name: below + quote(f"{batch.folder}/{name}"), as_json, quiet) as teller:
        try:
            for fact in client.watch_batch(batch.id):
                if fact.kind == "row":
                    line = {name: value for name, value in fact.body.items() if name not in Counts.__slots__}
                    teller(line, Counts(**{name: fact.body[name] for name in Counts.__slots__}))
        except KeyboardInterrupt:
            hint = f"To watch it again: loomis watch {batch.id}. To end it: loomis cancel {batch.id}"
            raise Cancelled("Watching has ended; the batch goes on.", hint=hint) from None
    now = client.batch(batch.id)
    sheet = below + quote(f"{now.folder}/{now.sheet}") if now.sheet else None
    teller.finish(Counts(now.total, now.done, now.failed, now.skipped), sheet)
    if now.error:
        raise to_error(now.error)
    if now.state == "cancelled":
        raise Cancelled("The batch was cancelled.", hint="The same command does what is left.")
    return not now.failed


def _rows(source: str | None) -> list[Mapping[str, Any] | str]:
    """Return rows as they are sent. One that can't be used becomes a text that says why."""
    if source is None:
        return []
    if Path(source).is_dir():
        raise InputError(
            "A server takes pictures from its own input folder.",
            got=source,
            expected="rows of values",
            hint="Upload the pictures, and name them with an axis: --grid image='folder/*.png'.",
        )
    rows = read_rows(source, None)
    return [f"{row.origin}: {row.fault.message}" if row.fault else row.values for row in rows]


def _axes(texts: Sequence[str]) -> dict[str, Any]:
    """Return axes as they are sent: as they are written, but for values that stand in a file here."""
    axes: dict[str, Any] = {}
    for text in texts:
        axis, (_, _, listed) = parse_axis(text), text.partition("=")
        if axis.name in axes:
            raise SettingError(f"{axis.name} has values twice.", got=text, hint="Drop one.")
        axes[axis.name] = list(axis.values) if listed.startswith("@") else listed
    return axes
