import pytest

from server.batch.controls import controlled
from tests.engine.words import Vocabulary, n

REGISTRY = Vocabulary().registry
PROMPT = {
    "1": n("Number", value=5),
    "2": n("Divide", a=("1", 0), b=98),
    "3": n("Far", seed=1),
    "4": n("Text", value="x"),
}


def at(number, mode, node="1", name="value", seed=0):
    return controlled(PROMPT, {node: {name: mode}}, REGISTRY, number, seed).get((node, name))


@pytest.mark.parametrize("mode", ["fixed", "increment", "decrement", "randomize"])
def test_the_first_row_has_the_value_of_the_file(mode):
    assert at(1, mode) is None


def test_steps_stay_within_the_bounds():
    assert [at(number, "increment") for number in (2, 3)] == [6, 7]
    assert [at(number, "decrement") for number in (2, 9)] == [4, 0]
    assert [at(number, "increment", "2", "b") for number in (2, 3, 9)] == [99, 100, 100]


def test_random_values_depend_on_seed_and_row_alone():
    drawn = [at(number, "randomize") for number in range(2, 50)]
    assert drawn == [at(number, "randomize") for number in range(2, 50)]
    assert len(set(drawn)) == 48 and at(2, "randomize", seed=1) == at(3, "randomize")
    assert all(1 <= at(number, "randomize", "2", "b") <= 100 for number in range(2, 50))


def test_what_is_no_number_of_a_known_type_is_left():
    assert at(2, "fixed") is None
    assert at(2, "randomize", "3", "seed") is None
    assert at(2, "randomize", "4") is None
    assert at(2, "randomize", "9") is None
