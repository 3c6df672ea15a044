"""Single flight: keys are taken all or none, and who waits is told."""

from engine.flights import Flights


def test_keys_are_taken_all_or_none():
    flights = Flights()
    landed: list[str] = []
    assert flights.take([b"a", b"b"], lambda: landed.append("first"))
    assert not flights.take([b"c", b"b"], lambda: landed.append("second"))
    assert flights.take([b"c"], lambda: landed.append("third"))
    assert not flights.take([b"a"], lambda: landed.append("fourth"))
    flights.land([b"a", b"b"])
    assert sorted(landed) == ["fourth", "second"]
    assert flights.take([b"a", b"b"], lambda: None)


def test_landing_a_key_that_is_not_in_the_air_is_nothing():
    flights = Flights()
    flights.land([b"a"])
    assert flights.take([b"a"], lambda: None)
