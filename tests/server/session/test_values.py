"""Values of a store as files and as JSON."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load

from engine.errors import WorkflowError
from engine.memory import Cached
from engine.rows import Row
from engine.store import Store
from engine.values import Packed, pack
from server.session.errors import NotRemembered
from server.session.values import show


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(None, memory_bytes=2**24, disk_bytes=0) as made:
        yield made


def put(store: Store, value: Any) -> bytes:
    packed: Packed = pack(value)
    store.put(b"key", Row(((packed.digest,),)), {packed.digest: Cached(value, packed)})
    return packed.digest


def test_auto_is_a_picture_for_pictures_and_json_for_the_rest(store: Store) -> None:
    picture = put(store, np.ones((2, 8, 16, 3), np.float32))
    shown = show(store, picture)
    assert (shown.format, shown.items, shown.value) == ("webp", 2, None)
    assert Image.open(BytesIO(shown.data or b"")).size == (16, 8)

    assert show(store, put(store, {"a": [1, "x"]})).value == {"a": [1, "x"]}


def test_tensors_come_as_safetensors(store: Store) -> None:
    shown = show(store, put(store, {"samples": np.arange(6, dtype=np.float32)}), "safetensors")

    assert list(load(shown.data or b"")["0"]) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("value", "format", "item", "expected"), [
    (7, "png", 0, "json"), (7, "safetensors", 0, "json"), (np.zeros(3, np.float32), "webp", 0, "safetensors"),
    (np.zeros((2, 8, 8, 3), np.float32), "png", 2, "0 to 1"),
])  # fmt: skip
def test_a_form_that_a_value_does_not_have_says_which_it_has(
    store: Store, value: Any, format: Any, item: int, expected: str
) -> None:
    with pytest.raises(WorkflowError) as caught:
        show(store, put(store, value), format, item=item)

    assert caught.value.expected == expected


def test_a_value_that_is_gone_is_told(store: Store) -> None:
    with pytest.raises(NotRemembered):
        show(store, bytes(32))
