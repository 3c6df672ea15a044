from dataclasses import fields
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from server.workers import contract
from server.workers.contract import Order, Report, decode, decoder, encode

VALUES = {
    str: st.text(),
    bytes: st.binary(),
    int: st.integers(0, 2**40),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
}
SPECIAL = {
    "node": st.none() | st.text(),
    "jobs": st.lists(st.text()).map(tuple),
    "kind": st.just("saved"),
    "outcome": st.just("failed"),
}


def messages(kinds: Any) -> st.SearchStrategy[Any]:
    def value(name: str, type: Any) -> st.SearchStrategy[Any]:
        return SPECIAL[name] if name in SPECIAL else VALUES[type]

    return st.one_of(
        st.builds(kind, **{each.name: value(each.name, each.type) for each in fields(kind)}) for kind in get_args(kinds)
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(messages(Order) | messages(Report)), max_size=5), st.integers(1, 50))
def test_messages_come_back_whatever_the_pieces(batches: list[list[Any]], size: int):
    data = b"".join(encode(batch) for batch in batches)
    unpacker = decoder()
    found = []
    for start in range(0, len(data), size):
        unpacker.feed(data[start : start + size])
        found += [decode(batch) for batch in unpacker]
    assert found == batches


def test_every_message_has_a_name():
    assert set(contract.MESSAGES.values()) == {*get_args(Order), *get_args(Report)}
