import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.disk import Disk
from engine.memory import KEPT_RUNS, OPAQUE_BYTES, Cached
from engine.store import MISSING, Row, Store
from engine.upkeep import Costs
from engine.values import Opaque, opaque_identity, pack


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(tmp_path, clock):
    opened = []

    def open_it(folder=tmp_path / "store", *, memory=2**28, disk=2**30, warn=pytest.fail):
        opened.append(Store(folder, memory_bytes=memory, disk_bytes=disk, clock=clock, warn=warn))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


def put(store, key, *values, cost=1.0, **more):
    packed = [pack(value) for value in values]
    row = Row(tuple((each.digest,) for each in packed), cost=cost)
    store.put(key, row, {each.digest: Cached(value, each) for value, each in zip(values, packed, strict=True)}, **more)
    return row


def digest(value):
    return pack(value).digest


def same(found, value):
    return found is not MISSING and pack(found).digest == pack(value).digest


def sizes(folder):
    """Yield the size of each file, while another thread may remove some."""
    for file in folder.glob("*/*"):
        with suppress(FileNotFoundError):
            yield file.stat().st_size


LARGE = np.arange(10_000.0)


def test_a_result_is_there_at_once(open_store):
    store = open_store()
    row = put(store, b"key", LARGE, "text")
    assert store.row(b"key") is row
    assert store.get(digest(LARGE)) is LARGE and store.get(digest("text")) == "text"
    assert store.has(digest(LARGE)) and not store.has(digest("other"))
    assert store.row(b"other") is None and store.get(digest("other")) is MISSING


@pytest.mark.parametrize("memory", [0, 2**28])
def test_it_outlives_the_process(open_store, memory):
    first = open_store(memory=memory)
    row = put(first, b"key", LARGE, "text")
    first.close()
    second = open_store(memory=memory)
    assert second.row(b"key") == row == second.rows([b"key", b"other"])[b"key"]
    assert second.has(digest(LARGE)) and same(second.get(digest(LARGE)), LARGE)
    assert second.packed(digest("text")).digest == digest("text")


def test_a_group_is_on_disk_without_asking(open_store):
    first, second = open_store(), open_store()
    put(first, b"key", "text", cost=0.0)
    while second.row(b"key") is None:
        pass
    assert second.get(digest("text")) == "text"


def test_without_a_folder_it_remembers_in_memory(open_store):
    store = open_store(None)
    row = put(store, b"key", LARGE, type="T")
    store.flush()
    assert store.row(b"key") is row and store.get(digest(LARGE)) is LARGE
    assert store.recent.costs("T") == Costs(1.0, 1.0, 1.0)
    assert store.names.reserve(b"key", 0, "/out", str) == ("0", None) == store.names.reserved(b"key", 0, "/out")
    assert store.lease(b"key", "one", 10) and not store.lease(b"key", "other", 10)
    assert store.verify().clean and store.stats().rows == 1


def test_an_opaque_value_stays_in_memory(open_store):
    first = open_store()
    foreign = Opaque(object(), opaque_identity(b"key", 0, 0, pure=True))
    first.put(b"key", Row(((foreign.identity,),)), {foreign.identity: Cached(foreign, None)})
    assert first.get(foreign.identity) is foreign and first.packed(foreign.identity) is None
    first.close()
    second = open_store()
    assert second.row(b"key").outputs == ((foreign.identity,),)
    assert not second.has(foreign.identity) and second.get(foreign.identity) is MISSING


def test_an_opaque_value_is_gone_when_memory_is_full(open_store):
    store = open_store(memory=3 * OPAQUE_BYTES)
    identities = [opaque_identity(b"key", slot, 0, pure=True) for slot in range(10)]
    for identity in identities:
        store.put(identity, Row(((identity,),)), {identity: Cached(Opaque(object(), identity), None)})
    store.flush()
    assert [store.has(identity) for identity in identities] == [False] * 7 + [True] * 3


@pytest.mark.parametrize("on_disk", [True, False])
def test_memory_keeps_what_the_last_runs_used_and_the_disk_the_rest(open_store, tmp_path, on_disk):
    store = open_store(tmp_path / "store" if on_disk else None)
    put(store, b"key", "text")
    for _ in range(KEPT_RUNS + 1):
        store.begin_run()
    assert store.stats().memory_values == (0 if on_disk else 1)
    store.flush()
    assert store.get(digest("text")) == "text" and store.stats().memory_values == 1


def test_rows_carry_files_asks_and_notes(open_store):
    first = open_store()
    row = Row((), ((b"d" * 32, "portrait", ".png", None),), ("image",), 0.5, {"text": ["a"], "size": {"w": 1}})
    first.put(b"key", row, {})
    first.close()
    assert open_store().row(b"key") == row


def test_costs_are_those_of_the_type(open_store):
    first = open_store()
    for number in range(11):
        put(first, bytes([number]), number, cost=float(number), type="KSampler")
    assert first.recent.costs("KSampler") == Costs(1.0, 5.0, 9.0) and first.recent.costs("VAEDecode") is None
    first.close()
    assert open_store().recent.costs("KSampler") == Costs(1.0, 5.0, 9.0)


def test_uses_are_noted_so_that_what_is_used_stays(open_store, clock):
    store = open_store(memory=0, disk=2**20)
    used, unused = np.full(200_000, 1, np.uint8), np.full(200_000, 2, np.uint8)
    put(store, b"used", used)
    put(store, b"unused", unused)
    store.flush()
    for _ in range(10):
        clock.now += 86400
        assert store.row(b"used")
    put(store, b"tick", "tick")
    store.flush()
    put(store, b"new", np.full(600_000, 3, np.uint8))
    store.flush()
    assert store.has(digest(used)) and not store.has(digest(unused))


def test_stats_and_clear(open_store):
    store = open_store()
    put(store, b"a", LARGE, type="A")
    put(store, b"b", "text", type="B")
    store.flush()
    found = store.stats()
    assert (found.rows, found.values, found.memory_values) == (2, 2, 2) and list(found.types) == ["A", "B"]
    assert store.clear(type="A") > LARGE.nbytes
    assert store.row(b"a") is None and store.get(digest(LARGE)) is MISSING and store.get(digest("text")) == "text"
    store.clear()
    assert store.row(b"b") is None and store.stats().nbytes == 0


# --- laws ---


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=3),
        st.lists(st.text() | st.integers(0, 20_000).map(lambda size: np.full(size, 7, np.uint8)), max_size=3),
    )
)
def test_whatever_was_put_is_there_after_closing(results):
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder), memory_bytes=0, disk_bytes=2**30, warn=pytest.fail) as store:
            rows = {key: put(store, key, *values) for key, values in results.items()}
        with Store(Path(folder), memory_bytes=0, disk_bytes=2**30, warn=pytest.fail) as store:
            assert store.rows(rows) == rows
            assert all(same(store.get(digest(value)), value) for values in results.values() for value in values)
            assert store.verify().clean


class StoreMachine(RuleBasedStateMachine):
    """A store under small limits: it may forget, but what it says is right and its size is bounded."""

    LIMIT = 2**19
    keys = st.integers(0, 30)

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.rows = {}
        self.values = {}
        self.open()

    def open(self):
        self.store = Store(self.folder, memory_bytes=60_000, disk_bytes=self.LIMIT, clock=self.clock, warn=pytest.fail)

    @rule(key=keys, size=st.integers(0, 150_000), cost=st.floats(0, 100))
    def put(self, key, size, cost):
        value = np.full(size, key, np.uint8)
        self.rows[key] = put(self.store, bytes([key]), value, key, cost=cost)
        self.values |= {digest(value): value, digest(key): key}
        assert self.store.row(bytes([key])) is self.rows[key]

    @rule(key=keys)
    def row(self, key):
        found = self.store.row(bytes([key]))
        assert found is None or found == self.rows[key]

    @rule()
    def all_rows(self):
        found = self.store.rows([bytes([key]) for key in range(31)])
        assert all(row == self.rows[key[0]] for key, row in found.items())

    @rule(which=st.integers(0, 1000))
    def get(self, which):
        if self.values:
            name = list(self.values)[which % len(self.values)]
            found = self.store.get(name)
            assert found is MISSING or same(found, self.values[name])
            assert found is not MISSING or not self.store.has(name)

    @rule()
    def flush(self):
        self.store.flush()

    @rule()
    def reopen(self):
        self.store.close()
        self.open()

    @rule(seconds=st.floats(0, 1e6))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule(which=st.integers(0, 1000), place=st.integers(0, 100_000), cut=st.booleans())
    def damage(self, which, place, cut):
        self.store.flush()
        files = sorted((self.folder / "objects").glob("*/*"))
        if files:
            file = files[which % len(files)]
            content = bytearray(file.read_bytes())
            del content[place if cut else len(content) :]
            content[place % (len(content) or 1) : place % (len(content) or 1) + 1] = b"\x10"
            file.write_bytes(content)

    @rule()
    def clear(self):
        self.store.clear()
        assert self.store.stats().nbytes == 0
        self.rows = {}

    @rule()
    def verify(self):
        self.store.verify()
        assert self.store.verify().clean

    @invariant()
    def it_is_bounded(self):
        held = self.store.stats()
        assert held.nbytes <= self.LIMIT and held.memory_nbytes <= 60_000
        assert sum(sizes(self.folder / "objects")) <= self.LIMIT

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.folder)


StoreMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
test_store_machine = StoreMachine.TestCase


# --- damage and full disks ---


def fill(store, count=50):
    for number in range(count):
        put(store, bytes([number]), np.full(5000, number, np.uint8), number)
    store.flush()


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_in_the_index_are_misses(open_store, tmp_path, seed):
    first = open_store()
    fill(first)
    first.close()
    path = tmp_path / "store" / "index.db"
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    random = np.random.default_rng(seed)
    content[random.integers(0, len(content), 200)] ^= 0x21
    path.write_bytes(content[: random.integers(100, len(content))] if seed % 2 else content)
    second = open_store(memory=0, warn=lambda text: None)
    for number in range(50):
        row = second.row(bytes([number]))
        assert row is None or row.outputs[1] == (digest(number),)
        found = second.get(digest(number))
        assert found is MISSING or found == number
    put(second, b"new", "new")
    second.flush()
    second.verify()
    assert second.row(b"new").outputs == ((digest("new"),),)


def test_a_store_that_can_not_be_opened_remembers_in_memory(open_store, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    warnings = []
    store = open_store(tmp_path / "file" / "store", warn=warnings.append)
    put(store, b"key", LARGE)
    store.flush()
    assert store.row(b"key") and store.get(digest(LARGE)) is LARGE
    assert len(warnings) == 1 and "not remembered" in warnings[0]


def test_a_full_index_costs_remembering_and_nothing_else(open_store, clock):
    warnings = []
    store = open_store(warn=warnings.append)
    fill(store, 5)
    with store._index.transaction() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    store._index._writer.execute(f"PRAGMA max_page_count = {pages}")
    values = [f"{number}" * 1000 for number in range(60)]
    for value in values:
        put(store, value.encode()[:8], value)
        store.flush()
    assert all(store.get(digest(value)) == value for value in values)
    assert store.names.reserve(b"key", 0, "/out" * 2000, str).path == "0"
    assert len(warnings) == 1 and "full" in warnings[0]
    store._index._writer.execute("PRAGMA max_page_count = 1000000")
    clock.now += 100
    put(store, b"again", "again")
    store.flush()
    assert open_store().row(b"again")


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from engine.memory import Cached
    from engine.store import Row, Store
    from engine.values import pack
    warnings = []
    store = Store(Path(sys.argv[1]), memory_bytes=2**30, disk_bytes=2**30, warn=warnings.append)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    values = [np.full(size, 1, np.uint8) for size in (100_000, 500_000, 200_000)]
    for number, value in enumerate(values):
        packed = pack(value)
        store.put(bytes([number]), Row(((packed.digest,),), cost=9.0), {packed.digest: Cached(value, packed)})
        store.flush()
    assert all(store.get(pack(value).digest) is value for value in values)
    store.close()
    assert len(warnings) == 1, warnings
"""


def run(script, *arguments):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script), *arguments], check=True)


def test_a_file_that_can_not_be_written_costs_remembering_and_nothing_else(open_store, tmp_path):
    run(FULL_DISK, str(tmp_path / "store"))
    store = open_store()
    assert store.has(digest(np.full(100_000, 1, np.uint8))) and store.row(b"\0")
    assert store.row(b"\1") is None
    assert store.verify().clean


def test_an_error_of_the_index_while_reading_is_a_miss(open_store, monkeypatch):
    warnings = []
    store = open_store(memory=0, warn=warnings.append)
    put(store, b"key", "text")
    store.flush()
    store._index._reader.execute("ATTACH ':memory:' AS other")
    store._index._reader.close()
    assert store.get(digest("text")) is MISSING and store.has(digest("text")) is False
    assert len(warnings) == 1
    store._index._reader = sqlite3.connect(":memory:")


# --- several processes ---

WORKER = """
    import sys
    from pathlib import Path
    import numpy as np
    from engine.memory import Cached
    from engine.store import Row, Store
    from engine.values import pack

    folder, count, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with Store(folder, memory_bytes=0, disk_bytes=limit, warn=sys.exit) as store:
        for number in range(count):
            key = number.to_bytes(4)
            row = store.row(key)
            if row is None or not store.has(row.outputs[0][0]):
                value = np.random.default_rng(number).bytes(65_536)
                packed = pack(value)
                row = Row(((packed.digest,),), cost=0.1)
                store.names.reserve(key, 0, "/out", lambda attempt: f"{attempt}.png")
                store.put(key, row, {packed.digest: Cached(value, packed)}, type="T")
            print(number, flush=True)
            assert store.stats().nbytes <= limit
"""


def start(folder, count=200, limit=2**30):
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(folder), str(count), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process):
    output, _ = process.communicate()
    assert process.returncode == 0
    return output


def check_results(store, count):
    for number in range(count):
        row = store.row(number.to_bytes(4))
        assert store.get(row.outputs[0][0]) == np.random.default_rng(number).bytes(65_536)


def test_two_processes_fill_one_store(open_store, tmp_path):
    workers = [start(tmp_path / "store") for _ in range(3)]
    for worker in workers:
        finish(worker)
    store = open_store()
    check_results(store, 200)
    report = store.verify()
    assert report.clean and report.checked == 200
    names = {store.names.reserved(number.to_bytes(4), 0, "/out") for number in range(200)}
    assert len(names) == 200


def test_processes_that_find_a_damaged_index_at_once_agree_on_a_new_one(open_store, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "index.db").write_bytes(b"garbage" * 3000)
    for worker in [start(tmp_path / "store", count=20) for _ in range(4)]:
        finish(worker)
    store = open_store()
    check_results(store, 20)
    assert store.verify().clean


def test_processes_that_evict_each_other_stay_within_the_limit(open_store, tmp_path):
    workers = [start(tmp_path / "store", limit=2**21) for _ in range(2)]
    for worker in workers:
        finish(worker)
    store = open_store(disk=2**21)
    store.verify()
    assert store.verify().clean
    assert store.stats().rows == 200 and 10 < store.stats().values < 32


def kill_at(folder, open_store, number):
    """Kill a worker with -9 right after a node, then look at what it left."""
    worker = start(folder)
    for line in worker.stdout:
        if int(line) == number:
            break
    worker.kill()
    worker.wait()
    worker.stdout.close()
    store = open_store(folder, memory=0)
    files = {file.name for file in (folder / "objects").glob("*/*")}
    rows = store.rows([each.to_bytes(4) for each in range(200)])
    assert files == {row.outputs[0][0].hex() for row in rows.values()}
    assert store.verify().clean
    assert all(store.has(row.outputs[0][0]) for row in rows.values())
    store.close()
    finish(start(folder))
    store = open_store(folder, memory=0)
    check_results(store, 200)
    assert len({store.names.reserved(each.to_bytes(4), 0, "/out") for each in range(200)}) == 200
    assert store.verify().clean
    store.close()
    return len(rows)


@pytest.mark.parametrize("number", [3, 60, 150])
def test_after_a_kill_the_store_is_clean_and_the_rest_is_done(open_store, tmp_path, number):
    kill_at(tmp_path / "store", open_store, number)


@pytest.mark.slow
def test_after_50_kills_spread_over_a_run(open_store, tmp_path):
    done = [kill_at(tmp_path / str(number), open_store, number) for number in range(0, 200, 4)]
    assert done[-1] > done[0]


# --- leases and names ---


def test_leases_are_kept_while_the_store_lives(open_store):
    first, second, third = open_store(), open_store(), open_store()
    assert first.lease([b"key", b"more"], "first", 10)
    assert not second.lease([b"more"], "second", 10)
    first.close()
    assert second.lease([b"key"], "second", 10) and not third.lease([b"key"], "third", 10)
    second.release([b"key"])
    second.flush()
    assert third.lease([b"key"], "third", 10)


def test_a_lease_is_given_back_behind_the_row_without_a_wait(open_store, monkeypatch):
    first, second = open_store(), open_store()
    begun, go = threading.Event(), threading.Event()
    commit = Disk.commit

    def slow(disk, entries, touched):
        begun.set()
        go.wait(10)
        commit(disk, entries, touched)

    monkeypatch.setattr(Disk, "commit", slow)
    assert first.lease([b"key"], "first", 10)
    put(first, b"key", 5, cost=1.0)
    begun.wait(10)
    first.release([b"key"])
    assert second.row(b"key") is None and not second.lease([b"key"], "second", 10)
    go.set()
    first.flush()
    assert second.row(b"key") is not None and second.lease([b"key"], "second", 10)


def test_an_exception_that_nobody_expects_costs_remembering_alone(open_store, monkeypatch):
    said = []
    store = open_store(warn=said.append)
    with monkeypatch.context() as broken:
        broken.setattr(Disk, "commit", lambda *_: {}["unexpected"])
        put(store, b"one", 1)
        store.flush()
    assert store.row(b"one") is not None and len(said) == 1 and "unexpected" in said[0]
    store._paused_until = 0.0
    put(store, b"two", 2)
    store.flush()
    other = open_store()
    assert other.row(b"one") is None and other.row(b"two") is not None


def test_a_row_that_can_not_be_written_stays_in_memory(open_store):
    said = []
    store = open_store(warn=said.append)
    row = Row(outputs=(), note={"notes": {"text": [object()]}})
    store.put(b"key", row, {}, type="T")
    store.flush()
    assert store.row(b"key") is row and open_store().row(b"key") is None and "T" in said[0]


def test_the_writer_renews_leases(open_store, tmp_path):
    with Store(tmp_path / "store", memory_bytes=0, disk_bytes=2**20) as real:
        assert real.lease([b"key"], "real", 0.3)
        other = open_store()
        expires = "SELECT expires FROM leases"
        first = other._index.read(expires)
        while other._index.read(expires) == first:
            pass


def test_the_same_name_for_every_process(open_store):
    first, second = open_store(), open_store()
    assert first.names.reserve(b"key", 0, "/out", str) == ("0", None) == second.names.reserved(b"key", 0, "/out")
    assert (
        second.names.reserve(b"other", 0, "/out", str) == ("1", None) == second.names.reserve(b"other", 0, "/out", str)
    )
