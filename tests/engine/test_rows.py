from hypothesis import given
from hypothesis import strategies as st

from engine.rows import Row, row_from_bytes, row_to_bytes

digests = st.binary(min_size=32, max_size=32)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
rows = st.builds(
    Row,
    outputs=st.lists(st.lists(digests, max_size=3).map(tuple), max_size=3).map(tuple),
    files=st.lists(st.tuples(digests, st.text(), st.none())).map(tuple),
    asks=st.none() | st.lists(st.text()).map(tuple),
    cost=st.floats(0, 1e6),
    note=st.dictionaries(st.text(), plain),
)


@given(st.binary(min_size=32, max_size=32), rows)
def test_a_row_comes_back_from_its_bytes(key, row):
    assert row_from_bytes(key, row_to_bytes(key, row)) == row


@given(rows, st.data())
def test_a_changed_bit_or_another_key_gives_no_row(row, data):
    body = bytearray(row_to_bytes(b"key", row))
    assert row_from_bytes(b"other", bytes(body)) is None
    place = data.draw(st.integers(0, len(body) * 8 - 1))
    body[place // 8] ^= 1 << place % 8
    assert row_from_bytes(b"key", bytes(body)) is None
    assert row_from_bytes(b"key", bytes(body[: place // 8])) is None
