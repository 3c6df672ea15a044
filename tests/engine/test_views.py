"""Values as JSON and as pictures, without torch."""

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.schema import Block
from engine.values import pack
from engine.views import pictures, to_picture, to_plain

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_data_is_itself(value: object) -> None:
    assert to_plain(pack(value)) == value


def test_other_things_are_described() -> None:
    value = {"a": (1, b"xyz"), "b": Block("no"), "c": np.zeros((2, 3), np.float16), "d": {1: 2}}

    assert to_plain(pack(value)) == {
        "a": [1, {"$bytes": 3}],
        "b": {"$type": "Block", "message": "no"},
        "c": {"$tensor": {"dtype": "float16", "shape": [2, 3]}},
        "d": {"$items": [(1, 2)]},
    }


@pytest.mark.parametrize(("shape", "count"), [
    ((2, 8, 9, 3), 2), ((1, 8, 9, 4), 1), ((3, 8, 9), 3), ((1, 4, 8, 8), 0), ((8, 9), 0), ((1, 0, 9, 3), 0),
])  # fmt: skip
def test_pictures_are_known_by_their_shape(shape: tuple[int, ...], count: int) -> None:
    assert pictures(pack(np.zeros(shape, np.float32))) == count
    assert pictures(pack([np.zeros(shape, np.float32)])) == 0
    assert pictures(pack(np.zeros(shape, np.float64))) == 0


def test_other_values_are_no_pictures() -> None:
    assert pictures(pack(7)) == pictures(pack({"samples": np.zeros((1, 8, 9, 3), np.float32)})) == 0


def test_a_png_has_the_pixels() -> None:
    image = np.zeros((2, 4, 6, 3), np.float32)
    image[1] = [0.5, 2.0, np.nan]

    picture = Image.open(BytesIO(to_picture(pack(image), 1, "png")))

    assert (picture.format, picture.size, picture.getpixel((0, 0))) == ("PNG", (6, 4), (128, 255, 0))


def test_a_picture_can_be_made_smaller() -> None:
    mask = pack(np.ones((1, 40, 80), np.float32))

    picture = Image.open(BytesIO(to_picture(mask, 0, "webp", size=20)))

    assert (picture.format, picture.size) == ("WEBP", (20, 10))


def test_the_picture_of_a_tensor_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from engine.values import BUFFER, BufferSpec, Packed, _packb\n"
        "from engine.views import to_picture\n"
        "tree = _packb([BUFFER, 'torch.Tensor', 'float32', [1, 2, 2, 3], 0])\n"
        "packed = Packed(tree, (memoryview(bytes(48)),), (BufferSpec('float32', (1, 2, 2, 3)),))\n"
        "assert to_picture(packed, 0, 'png')[:4] == b'\\x89PNG'\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
