from datetime import datetime

import pytest

from engine.dates import format_date

EARLY = datetime(2026, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(("pattern", "text"), [
    ("yyyy-MM-dd", "2026-03-04"),
    ("yy/M/d", "26/3/4"),
    ("hh-mm-ss", "05-06-07"),
    ("h m s", "5 6 7"),
    ("YEAR", "YEAR"),
])  # fmt: skip
def test_a_date_is_written_as_the_editor_does(pattern: str, text: str):
    assert format_date(pattern, EARLY) == text
