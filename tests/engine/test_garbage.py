"""Collection is held back while anybody holds it, and as it was afterwards."""

import gc

import pytest

from engine.garbage import SELDOM, collected_later, seldom_collected


def test_collection_waits_for_the_outermost_holder():
    with collected_later:
        with collected_later:
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_turns_it_on_again():
    with pytest.raises(KeyError), collected_later:
        raise KeyError

    assert gc.isenabled()


def test_a_process_that_turned_it_off_keeps_it_off():
    gc.disable()
    try:
        with collected_later:
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_only_full_collections_become_seldom():
    young, middle, old = gc.get_threshold()
    with seldom_collected, seldom_collected:
        assert gc.isenabled() and gc.get_threshold() == (young, middle, old * SELDOM)
    assert gc.get_threshold() == (young, middle, old)


def test_a_holder_can_let_go_for_a_while():
    with collected_later:
        with collected_later.lifted():
            assert gc.isenabled()
        assert not gc.isenabled()
        with pytest.raises(KeyError), collected_later.lifted():
            raise KeyError
        assert not gc.isenabled()
    assert gc.isenabled()
