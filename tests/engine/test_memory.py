from collections import OrderedDict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.memory import KEPT_RUNS, OPAQUE_BYTES, Cached, Memory
from engine.values import pack


def held(nbytes):
    return Cached(nbytes, pack(np.zeros(nbytes, np.uint8)))


@given(st.integers(0, 2000), st.lists(st.tuples(st.sampled_from("agd"), st.integers(0, 9), st.integers(0, 600))))
def test_it_holds_what_was_used_last_within_its_budget(budget, steps):
    memory, model = Memory(budget), OrderedDict()
    for step, name, nbytes in steps:
        digest, value = bytes([name]), held(nbytes)
        if step == "a":
            memory.add(digest, value)
            model.pop(digest, None)
            if value.nbytes <= budget:
                model[digest] = value
            while sum(each.nbytes for each in model.values()) > budget:
                model.popitem(last=False)
        elif step == "g":
            assert memory.get(digest) is model.get(digest)
            if digest in model:
                model.move_to_end(digest)
        else:
            memory.drop(digest)
            model.pop(digest, None)
        assert memory.nbytes == sum(each.nbytes for each in model.values()) <= budget
        assert len(memory) == len(model) and all(each in memory for each in model)


def test_a_value_without_byte_form_counts_something():
    memory = Memory(OPAQUE_BYTES * 2)
    for name in b"abc":
        memory.add(bytes([name]), Cached(object(), None))
    assert len(memory) == 2 and memory.get(b"a") is None


def test_what_the_last_runs_did_not_use_is_forgotten():
    memory = Memory(2**20)
    for name in (b"early", b"again"):
        memory.add(name, held(10))
    memory.add(b"opaque", Cached(object(), None))
    for _ in range(KEPT_RUNS):
        memory.begin_run()
        assert len(memory) == 3 and memory.get(b"again")
    memory.begin_run()
    assert b"early" not in memory and b"again" in memory and b"opaque" in memory
    assert memory.nbytes == held(10).nbytes + OPAQUE_BYTES
