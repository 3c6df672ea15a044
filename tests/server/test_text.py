import pytest

from server.text import bytes_text, path_text, range_text, seconds_text, show_table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0304, "30 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text


def test_ranges():
    assert range_text((1.0, 3.0)) == "1.0 s to 3.0 s"
    assert range_text((2.01, 2.02)) == "2.0 s"
    assert range_text((0.0, 0.0)) == ""


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (2**30, "1.0 GiB"), (5 * 2**50, "5120.0 TiB")]
)
def test_bytes(size, text):
    assert bytes_text(size) == text


def test_paths_are_told_from_here(here):
    assert path_text(here / "output" / "a.png") == "output/a.png"
    assert path_text(here.parent / "a.png") == str(here.parent / "a.png")


def test_a_table_without_a_terminal_is_plain_columns(capsys):
    show_table(("a", "bb"), [("1", ""), ("long", "x\x1b[31m")])
    assert capsys.readouterr().out == "a     bb\n1\nlong  x\\x1b[31m\n"
