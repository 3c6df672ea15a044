from pathlib import Path

import pytest

from engine import Engine, Settings
from engine.errors import SettingError
from server.batch.axes import Axis
from server.batch.names import Names
from server.batch.pictures import Uploaded
from server.batch.request import Request, compose
from server.batch.rows import Row
from tests.server.vocabulary import vocabulary
from tests.server.words import n

NAMES = Names(Path(), "{row}")


def test_rows_are_counted_before_they_are_made():
    with Engine(vocabulary(), settings=Settings(device="cpu")) as engine:
        loaded = engine.load({"1": n("Number", value=1)})
        for asked in (
            {"rows": [Row({})] * 1000, "count": 10**6},
            {"same": dict.fromkeys(map(str, range(30)), 1), "count": 10**6},
        ):
            with pytest.raises(SettingError, match=r"That is (1,000,000,000 rows|30,000,000 values)"):
                compose(engine, loaded, Request(NAMES, **asked), Uploaded(engine.folders))


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
