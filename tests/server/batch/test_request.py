from pathlib import Path

import pytest

from server.batch.axes import Axis
from server.batch.names import Names
from server.batch.request import Request
from server.batch.rows import Row

NAMES = Names(Path(), "{row}")


@pytest.mark.parametrize(
    ("request_", "columns"),
    [
        (Request(NAMES), None),
        (Request(NAMES, grid=[Axis("a", [1, 2])]), None),
        (Request(NAMES, grid=[Axis("a", [1, 2]), Axis("b", [1, 2, 3])]), 3),
        (Request(NAMES, zipped=[Axis("z", [1])], grid=[Axis("a", [1, 2])]), 2),
        (Request(NAMES, [Row({}), Row({})], grid=[Axis("a", [1, 2])]), 2),
        (Request(NAMES, [Row({}), Row({})]), None),
        (Request(NAMES, count=2, grid=[Axis("a", [1, 2])]), 2),
    ],
)
def test_the_last_axis_spans_the_columns_of_a_sheet(request_, columns):
    assert request_.columns == columns
