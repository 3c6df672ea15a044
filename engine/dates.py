"""Dates in file names."""

import re
from datetime import datetime

DATE_PART = re.compile(r"dd?|MM?|yyyy|yy|hh?|mm?|ss?")


def format_date(pattern: str, now: datetime) -> str:
    """Return a date in the editor's form: d, dd, M, MM, yy, yyyy, h, hh (24 hours), m, mm, s, ss."""
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(match: re.Match[str]) -> str:
        name = match[0]
        if name[0] == "y":
            return f"{now.year:04}"[-len(name) :]
        return f"{parts[name[0]]:0{len(name)}}"

    return DATE_PART.sub(part, pattern)
