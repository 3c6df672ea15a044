import copy
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from engine.errors import DefinitionError, StoreError
from engine.values import (
    MAX_DEPTH,
    MalformedValue,
    NoByteForm,
    Opaque,
    Packed,
    from_bytes,
    opaque_identity,
    pack,
    to_bytes,
    unpack,
    wire,
)


@wire("test.Pair")
@dataclass(frozen=True, slots=True)
class Pair:
    left: Any
    right: Any = None


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary() | st.text(st.characters())
)
keys = st.recursive(scalars, lambda inner: st.tuples(inner, inner), max_leaves=3)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=5)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=12,
)


def typed(value):
    """Return the value with its types beside it, so that equality tells 1 from True and 0.0 from -0.0."""
    if isinstance(value, list | tuple):
        return type(value), [typed(item) for item in value]
    if isinstance(value, dict):
        return dict, {repr(typed(key)): typed(item) for key, item in value.items()}
    if isinstance(value, Pair):
        return Pair, typed(value.left), typed(value.right)
    return type(value), repr(value)


@given(values)
def test_a_value_comes_back_from_its_bytes_with_its_types(value):
    packed = pack(value)
    back = from_bytes(to_bytes(packed))
    assert typed(unpack(back)) == typed(value)
    assert back.digest == packed.digest == pack(unpack(back)).digest


@given(values, values)
def test_digests_are_equal_exactly_when_values_and_types_are(one, other):
    assert (pack(one).digest == pack(other).digest) == (typed(one) == typed(other))


@given(st.dictionaries(keys, values, max_size=6), st.randoms())
def test_insertion_order_of_a_dict_does_not_count(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert pack(dict(items)).digest == pack(value).digest


@given(values, st.binary(max_size=40), st.integers(min_value=0))
def test_damaged_bytes_are_an_error_or_another_value(value, junk, place):
    data = to_bytes(pack([value, np.arange(3)]))
    cut = place % len(data)
    for damaged in (data[:cut], data[:cut] + junk, data[:cut] + junk + data[cut + len(junk) :], junk):
        try:
            unpack(from_bytes(damaged))
        except MalformedValue as error:
            assert isinstance(error, StoreError) and isinstance(error, ValueError)


def test_types_are_told_apart():
    digests = [pack(value).digest for value in (True, 1, 1.0, "1", b"1", None, [1], (1,), {1: 1}, Pair(1), 0.0, -0.0)]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 32 for digest in digests)


def test_nan_has_one_pattern():
    other = np.frombuffer(b"\x01\0\0\0\0\0\xf8\xff", "<f8")[0].item()
    assert other != other
    assert pack(other).digest == pack(float("nan")).digest


def test_digests_stay_the_same_from_release_to_release():
    value = {"b": [1, 2.5, None], "a": (True, b"x", 2**70), 3: Pair("left", np.arange(2, dtype=np.int16))}
    assert pack(value).tree.hex() == GOLDEN_TREE
    assert pack(value).digest == blake3(bytes.fromhex(GOLDEN_TREE) + b"\0\0\1\0").digest()


GOLDEN_TREE = (
    "9702039603a9746573742e50616972a46c656674a46c656674a572696768749504ad6e756d70792e6e646172726179a5696e"
    "743136910200a1619401c3c401789205c409000000000000000040a162940001cb4004000000000000c0"
)


@pytest.mark.parametrize("dtype", [*"?bBhHiIlLqQefdgFDG", ">f4", ">i8", ">c16"], ids=lambda dtype: np.dtype(dtype).str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_arrays_of_every_number(dtype, shape):
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 5).astype(dtype)
    for each in (array, array.T, array[..., ::2] if shape else array):
        back = unpack(from_bytes(to_bytes(pack(each))))
        assert back.dtype == each.dtype.newbyteorder("=") and back.shape == each.shape
        assert np.array_equal(back, each)


def test_elements_keep_their_bits():
    bits = np.array([0x7FC00001, 0xFFC00000, 0x80000000], np.uint32)
    assert unpack(pack(bits.view(np.float32))).view(np.uint32).tolist() == bits.tolist()


def test_arrays_share_memory_that_may_be_written():
    data = to_bytes(pack(np.arange(4, dtype=np.float32)))
    shared = unpack(from_bytes(writable := bytearray(data)))
    shared[0] = 7
    assert unpack(from_bytes(writable))[0] == 7
    copied = unpack(from_bytes(data))
    copied[0] = 7
    assert unpack(from_bytes(data))[0] == 0


def test_tensors_are_a_safetensors_file_whose_digest_needs_no_decoding():
    arrays = [np.arange(3, dtype=np.uint8), np.ones((2, 2), np.float32), np.array(5j, np.complex64)]
    packed = pack(arrays)
    data = to_bytes(packed)
    read = load(data)
    assert [read[name].shape for name in ("0", "1", "2")] == [(3,), (2, 2), (8,)]
    assert np.array_equal(read["1"], arrays[1])
    elements = b"".join(array.tobytes() for array in arrays)
    assert data.endswith(elements)
    assert packed.digest == blake3(packed.tree + elements).digest()
    assert packed.nbytes == len(packed.tree) + len(elements)


@pytest.mark.parametrize("damage", [b"", b"LMV", b"\xff" * 20, b"\2\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0[]"])
def test_bytes_that_are_no_value(damage):
    with pytest.raises(MalformedValue):
        from_bytes(damage)


@pytest.mark.parametrize("tree", [[3, "os.system", "command", "true"], [9], [], ["x"], [4, "os.path", "f", [1], 0]])
def test_only_registered_names_are_made(tree):
    import msgpack

    with pytest.raises(MalformedValue):
        unpack(Packed(msgpack.packb(tree)))


def test_a_class_that_got_another_field_does_not_take_old_bytes():
    tree = pack(Pair(1, 2)).tree.replace(b"right", b"wrong")
    with pytest.raises(MalformedValue, match="other fields"):
        unpack(Packed(tree))


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def test_depth_is_bounded():
    assert unpack(pack(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    endless: list[Any] = []
    endless.append(endless)
    for value in (nested(MAX_DEPTH + 1), endless):
        with pytest.raises(NoByteForm, match="deeper"):
            pack(value)
    with pytest.raises(MalformedValue, match="deeper"):
        unpack(Packed(b"\x92\0" * 400 + b"\0"))
    with pytest.raises(MalformedValue):
        unpack(Packed(b"\x92\0" * 100_000 + b"\0"))


class Foreign:
    pass


@pytest.mark.parametrize(
    "value",
    [Foreign(), {1, 2}, [Foreign()], {"a": Foreign()}, Pair(Foreign()), np.array([object()]), np.array(["text"]),
     Opaque(1, b"")],
)  # fmt: skip
def test_foreign_objects_have_no_byte_form(value):
    with pytest.raises(NoByteForm):
        pack(value)


def test_a_subclass_is_not_taken_for_its_base():
    with pytest.raises(NoByteForm):
        pack(type("Text", (str,), {})("a"))


def test_identity_of_an_opaque_value():
    key = b"k" * 32
    assert opaque_identity(key, 0, 0, pure=True) == opaque_identity(key, 0, 0, pure=True)
    assert opaque_identity(key, 0, 0, pure=True) != opaque_identity(key, 1, 0, pure=True)
    assert opaque_identity(key, 0, 0, pure=True) != opaque_identity(key, 0, 1, pure=True)
    assert opaque_identity(key, 0, 0, pure=False) != opaque_identity(key, 0, 0, pure=False)


def test_a_wire_name_belongs_to_one_class():
    with pytest.raises(DefinitionError, match=r"test\.Pair"):
        wire("test.Pair")(copy.copy(dataclass(frozen=True)(type("Other", (), {}))))


def test_a_wire_class_is_a_frozen_dataclass():
    with pytest.raises(DefinitionError, match="frozen"):
        wire("test.Loose")(dataclass(Foreign))
    with pytest.raises(DefinitionError, match="frozen"):
        wire("test.Plain")(int)


def test_parts_of_a_large_value_are_not_copied():
    from engine.values import parts

    array = np.zeros(1000)
    assert parts(pack(array))[-1].obj.base is array or np.shares_memory(np.asarray(parts(pack(array))[-1]), array)


def test_order_of_the_buffers_is_the_order_in_the_tree():
    packed = pack({"b": np.full(2, 2, np.uint8), "a": np.full(2, 1, np.uint8), "c": np.full(2, 3, np.uint8)})
    firsts = [buffer[0] for buffer in packed.buffers]
    assert all(one < other for one, other in pairwise(firsts))


def test_the_engine_imports_neither_torch_nor_numpy():
    code = "import sys, engine.values; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
