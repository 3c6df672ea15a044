"""Validators and conditions of HTTP (RFC 9110, sections 8.8 and 13)."""

import os
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def entity_tag(stat: os.stat_result, variant: str = "") -> str:
    """Return a tag that another content of the file does not have."""
    return f'"{stat.st_mtime_ns:x}-{stat.st_ino:x}-{stat.st_size:x}{variant}"'


def is_fresh(headers: Mapping[str, str], tag: str, modified: float) -> bool:
    """Return whether the client has this content already."""
    if (given := headers.get("if-none-match")) is not None:
        return given.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in given.split(",")]
    try:
        since = parsedate_to_datetime(headers.get("if-modified-since", ""))
        return int(modified) <= since.timestamp()
    except (ValueError, TypeError, OverflowError):
        return False
