import pytest

from engine.index import Index
from engine.names import Names


@pytest.fixture
def names(tmp_path):
    index = Index(tmp_path / "index.db")
    yield Names(index)
    index.close()


def numbered(attempt):
    return f"portrait_{attempt:05}.png"


def test_a_name_stays_with_its_key(names):
    assert names.reserved(b"key", 0, "/out") is None
    assert names.reserve(b"key", 0, "/out", numbered) == "portrait_00000.png"
    assert names.reserve(b"key", 0, "/out", lambda attempt: pytest.fail("asked again")) == "portrait_00000.png"
    assert names.reserved(b"key", 0, "/out") == "portrait_00000.png"


def test_each_key_slot_and_folder_gets_its_own(names):
    assert names.reserve(b"key", 0, "/out", numbered) == "portrait_00000.png"
    assert names.reserve(b"key", 1, "/out", numbered) == "portrait_00001.png"
    assert names.reserve(b"other", 0, "/out", numbered) == "portrait_00002.png"
    assert names.reserve(b"key", 0, "/elsewhere", numbered) == "portrait_00000.png"


def test_a_maker_that_fails_reserves_nothing(names):
    with pytest.raises(ZeroDivisionError):
        names.reserve(b"key", 0, "/out", lambda attempt: 1 // 0)
    assert names.reserved(b"key", 0, "/out") is None
