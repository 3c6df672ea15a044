"""What an array keeps alive besides its elements."""

import numpy as np
import pytest

from engine.arrays import beside, encode
from engine.values import pack


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros(100), 0),
        (np.zeros(100)[10:20], 720),
        (np.zeros((10, 10))[:, 0], 800),
        (np.zeros((10, 10)).T, 800),
        (np.frombuffer(bytearray(800), np.uint8)[:8], 792),
        (np.zeros(0), 0),
    ],
)
def test_what_is_kept_besides(array: np.ndarray, expected: int):
    _, _, elements = encode(array)
    assert beside(array, elements) == expected == pack(array).beside == pack([array]).beside
    assert pack(array).copied().beside == 0 and pack(array).copied().digest == pack(array).digest
