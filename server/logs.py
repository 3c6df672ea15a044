"""What the server writes to stderr: one line an entry, for a person on a terminal, else as JSON.

Entries are made with the standard library, with ids as fields of their own::

    log = logging.getLogger("loomis.workers")
    log.warning("the worker died", extra={"worker": "cpu-0", "job": job.id})
"""

import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TextIO, TypeAlias

Style = Literal["auto", "human", "json"]

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""Attributes that every record has; the others are the fields that ``extra`` gave."""

COLOURS = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31;1"}
HIDDEN = "***"


Line: TypeAlias = Callable[[logging.LogRecord], str]
"""Makes the text of an entry. It is one line, but for a traceback that a person gets."""


def configure(stream: TextIO, style: Style = "auto", level: str = "INFO", secrets: Sequence[str] = ()) -> None:
    """Send what the server logs to ``stream``. ``secrets`` never appear, wherever they come from."""
    terminal = stream.isatty()
    people = terminal if style == "auto" else style == "human"
    handler = logging.StreamHandler(stream)
    handler.setFormatter(WithoutSecrets(partial(line_for_people, colour=terminal) if people else json_line, secrets))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("loomis").setLevel(level)


class WithoutSecrets(logging.Formatter):
    """Has entries made by ``line`` and takes the secrets out."""

    def __init__(self, line: Line, secrets: Sequence[str]) -> None:
        super().__init__()
        self._line = line
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of an entry."""
        line = self._line(record)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def json_line(record: logging.LogRecord) -> str:
    """Return an entry as a JSON object: ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message`` and its fields."""
    entry: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **_fields(record),
    }
    if record.exc_info:
        entry["traceback"] = logging.Formatter().formatException(record.exc_info)
    return json.dumps(entry, default=str)


def line_for_people(record: logging.LogRecord, colour: bool) -> str:
    """Return an entry for a terminal: time of day, level where it matters, text, then fields."""
    clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
    level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
    line = _on_one_line(f"{clock} {level}{record.getMessage()}")
    if colour and (code := COLOURS.get(record.levelno)):
        line = f"\x1b[{code}m{line}\x1b[0m"
    if fields := " ".join(f"{name}={value}" for name, value in _fields(record).items()):
        line += _on_one_line(f"  {fields}")
    return f"{line}\n{logging.Formatter().formatException(record.exc_info)}" if record.exc_info else line


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what ``extra`` gave."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def _on_one_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\x1b", "\\x1b")
