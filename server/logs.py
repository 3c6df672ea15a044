"""What the server writes to stderr: one line an entry, for a person on a terminal, else as JSON.

Entries are made with the standard library, with ids as fields of their own::

    log = logging.getLogger("loomis.workers")
    log.warning("the worker died", extra={"worker": "cpu-0", "job": job.id})
"""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TextIO

Style = Literal["auto", "human", "json"]

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""Attributes that every record has; the others are the fields that ``extra`` gave."""

COLOURS = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31;1"}
HIDDEN = "***"


def configure(stream: TextIO, style: Style = "auto", level: str = "INFO", secrets: Sequence[str] = ()) -> None:
    """Send what the server logs to ``stream``. ``secrets`` never appear, wherever they come from."""
    terminal = stream.isatty()
    people = terminal if style == "auto" else style == "human"
    handler = logging.StreamHandler(stream)
    handler.setFormatter(People(secrets, colour=terminal) if people else JsonLines(secrets))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("loomis").setLevel(level)


class Lines(logging.Formatter):
    """Writes one line an entry, without secrets."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self.secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an entry; only a traceback for a person has more."""
        line = self.line(record)
        for secret in self.secrets:
            line = line.replace(secret, HIDDEN)
        return line

    def line(self, record: logging.LogRecord) -> str:
        """Return an entry as text."""
        raise NotImplementedError

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """Return what ``extra`` gave."""
        return {name: value for name, value in vars(record).items() if name not in STANDARD}


class JsonLines(Lines):
    """An entry as a JSON object: ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message`` and its fields."""

    def line(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class People(Lines):
    """An entry for a terminal: time of day, level where it matters, text, then fields."""

    def __init__(self, secrets: Sequence[str], *, colour: bool) -> None:
        super().__init__(secrets)
        self.colour = colour

    def line(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        fields = " ".join(f"{name}={value}" for name, value in self.fields(record).items())
        text = f"{clock} {level}{record.getMessage()}".replace("\n", "\\n").replace("\x1b", "\\x1b")
        colour = COLOURS.get(record.levelno) if self.colour else None
        line = f"\x1b[{colour}m{text}\x1b[0m" if colour else text
        line += f"  {fields!s}".replace("\n", "\\n").replace("\x1b", "\\x1b") if fields else ""
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
