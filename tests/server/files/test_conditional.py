import os

import pytest

from server.files.conditional import entity_tag, is_fresh

DATE = "Wed, 25 Nov 2026 10:00:00 GMT"
THEN = 1795600800.5


def test_another_content_has_another_tag(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"one")
    before = entity_tag(file.stat())
    assert before == entity_tag(file.stat()) != entity_tag(file.stat(), "-320")
    os.utime(file, ns=(0, 1))
    assert entity_tag(file.stat()) != before


@pytest.mark.parametrize(("headers", "fresh"), [
    ({}, False),
    ({"if-none-match": '"a"'}, True),
    ({"if-none-match": '"b", W/"a"'}, True),
    ({"if-none-match": "*"}, True),
    ({"if-none-match": '"b"', "if-modified-since": DATE}, False),
    ({"if-modified-since": DATE}, True),
    ({"if-modified-since": "Wed, 25 Nov 2026 09:59:59 GMT"}, False),
    ({"if-modified-since": "yesterday"}, False),
    ({"if-modified-since": "Wed, 25 Nov 99999999 09:59:59 GMT"}, False),
])  # fmt: skip
def test_a_client_that_has_it_gets_it_not_again(headers, fresh):
    assert is_fresh(headers, '"a"', THEN) is fresh
