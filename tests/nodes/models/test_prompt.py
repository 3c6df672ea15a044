import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from nodes.models.prompt import LIMIT, Fragment, Token, chunks, embedding_names, groups, parse

PLAIN = st.text(alphabet="ab ,.[]", min_size=1, max_size=10)


def parsed(prompt: str) -> list[tuple[str, float]]:
    return [(fragment.text, round(fragment.weight, 6)) for fragment in parse(prompt)]


@pytest.mark.parametrize(
    ("prompt", "fragments"),
    [
        ("", []),
        ("a red fox", [("a red fox", 1)]),
        ("a (red) fox", [("a ", 1), ("red", 1.1), (" fox", 1)]),
        ("((moon))", [("moon", 1.21)]),
        ("(red:1.4)", [("red", 1.4)]),
        ("(red: 1.4 )", [("red", 1.4)]),
        ("(red:-1e-1)", [("red", -0.1)]),
        ("(a (b:1.3) c:0.7)", [("a ", 0.7), ("b", 1.3), (" c", 0.7)]),
        ("(a (b) c:0.5)", [("a ", 0.5), ("b", 0.55), (" c", 0.5)]),
        ("(12:30:1.2)", [("12:30", 1.2)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(:1.3)", [(":1.3", 1.1)]),
        ("(a:nan)(b:inf)", [("a:nan", 1.1), ("b:inf", 1.1)]),
        ("()", []),
        ("[a]", [("[a]", 1)]),
        (r"\(a\) (b\):1.2)", [("(a) ", 1), ("b)", 1.2)]),
        ("a, (half", [("a, ", 1), ("(half", 1)]),
        ("(a (b) c", [("(a (b) c", 1)]),
        ("a) b", [("a) b", 1)]),
    ],
)
def test_weights(prompt: str, fragments: list[tuple[str, float]]) -> None:
    assert parsed(prompt) == fragments


@given(PLAIN)
def test_text_without_parentheses_is_one_fragment(text: str) -> None:
    assert parse(text) == [Fragment(text, 1.0)]


@given(PLAIN, st.integers(1, 30))
def test_every_pair_of_parentheses_multiplies_by_one_tenth_more(text: str, depth: int) -> None:
    (fragment,) = parse("(" * depth + text + ")" * depth)
    assert fragment.text == text
    assert fragment.weight == pytest.approx(1.1**depth)


@given(PLAIN, st.floats(-10, 10, allow_nan=False), st.integers(0, 5))
def test_a_number_replaces_the_weight_around_it(text: str, weight: float, depth: int) -> None:
    assert parse("(" * depth + f"({text}:{weight})" + ")" * depth) == [Fragment(text, weight)]


@given(st.text(alphabet="a ", max_size=30).map(lambda text: text.replace("a", "()")))
def test_escaped_parentheses_are_text(text: str) -> None:
    escaped = text.replace("(", "\\(").replace(")", "\\)")
    assert "".join(fragment.text for fragment in parse(escaped)) == text


@given(st.text(alphabet="()ab", max_size=60))
def test_letters_are_neither_lost_nor_moved(prompt: str) -> None:
    kept = "".join(fragment.text for fragment in parse(prompt))
    assert [char for char in kept if char in "ab"] == [char for char in prompt if char in "ab"]


@pytest.mark.parametrize("prompt", ["(" * 16_000 + "a" + ")" * 16_000, "(a:1" * 8_000, "(" * LIMIT, ")" * LIMIT])
def test_deep_nesting_neither_recurses_nor_hangs(prompt: str) -> None:
    assert len(parse(prompt)) == 1


def test_a_prompt_of_100_000_characters_is_refused() -> None:
    with pytest.raises(InputError, match="prompt is too long") as raised:
        parse("a" * 100_000)
    assert raised.value.got == "100,000 characters"


def body(chunk: tuple[Token, ...]) -> list[int]:
    ids = [token.id for token in chunk]
    return ids[1 : ids.index(99)]


def laid(*sizes: int) -> list[list[int]]:
    made, start = [], 0
    for size in sizes:
        made.append([Token(1000 + start + i) for i in range(size)])
        start += size
    return [body(chunk) for chunk in chunks(made, begin=98, end=99, pad=99)]


def test_an_empty_prompt_is_one_empty_chunk() -> None:
    assert chunks([], begin=98, end=99, pad=7, length=20) == [(Token(98), Token(99), *[Token(7)] * 18)]


def test_a_long_group_is_cut_at_the_border() -> None:
    assert [len(part) for part in laid(200)] == [75, 75, 50]
    assert [len(part) for part in laid(75)] == [75]
    assert [len(part) for part in laid(70, 8)] == [75, 3]


def test_a_short_group_starts_the_next_chunk() -> None:
    assert [len(part) for part in laid(70, 7)] == [70, 7]
    assert [len(part) for part in laid(70, 5, 3)] == [75, 3]


@given(st.lists(st.integers(0, 100), max_size=20))
def test_chunks_keep_every_token_in_order_and_have_one_length(sizes: list[int]) -> None:
    made = [[Token(1000 + 100 * i + j) for j in range(size)] for i, size in enumerate(sizes)]
    laid_out = chunks(made, begin=98, end=99, pad=97)
    assert all(len(chunk) == 77 and chunk[0].id == 98 for chunk in laid_out)
    assert [id for chunk in laid_out for id in body(chunk)] == [token.id for group in made for token in group]


def grouped(prompt: str, names: dict[str, int]) -> list[list[tuple[int, str | None]]]:
    def rows(written: str) -> tuple[str, int]:
        name = written if written in names else written.rstrip(",")
        return name, names[name]

    made = groups(parse(prompt), lambda text: [len(text)], rows)
    return [[(token.id, token.embedding) for token in group] for group in made]


def test_embeddings_are_groups_of_their_own() -> None:
    assert grouped("a embedding:cat b", {"cat": 2}) == [[(1, None)], [(0, "cat"), (0, "cat")], [(1, None)]]
    assert grouped("embedding:cat", {"cat": 1}) == [[(0, "cat")]]
    assert grouped("embedding:cat, b", {"cat": 1}) == [[(0, "cat")], [(3, None)]]
    assert grouped("a\nembedding:x embedding:y", {"x": 1, "y": 1}) == [[(1, None)], [(0, "x")], [(0, "y")]]
    assert grouped("myembedding:cat", {}) == [[(15, None)]]


def test_the_weight_of_an_embedding_is_that_of_its_fragment() -> None:
    made = groups(parse("(embedding:cat:1.5)"), lambda text: [], lambda name: (name, 3))
    assert [(token.weight, token.row) for group in made for token in group] == [(1.5, 0), (1.5, 1), (1.5, 2)]


def test_names_of_embeddings_as_written() -> None:
    assert embedding_names("a (embedding:x:1.2), embedding:y/z, b") == ["x", "y/z,"]
