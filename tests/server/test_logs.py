import io
import json
import logging

import pytest

from server.logs import configure


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def restored():
    root, ours = logging.getLogger(), logging.getLogger("loomis")
    before = root.handlers[:], root.level, ours.level
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    yield
    root.handlers[:], level, ours_level = before
    root.setLevel(level)
    ours.setLevel(ours_level)


def told(stream, style="auto", **options):
    configure(stream, style, **options)
    log = logging.getLogger("loomis.jobs")
    log.info("job %s began", "a", extra={"job": "a", "node": "3"})
    log.debug("detail")
    logging.getLogger("elsewhere").info("not ours")
    return stream.getvalue()


def test_a_machine_reads_json_with_ids_as_fields():
    entry = json.loads(told(io.StringIO()))
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info", "logger": "loomis.jobs", "message": "job a began", "job": "a", "node": "3",
    }  # fmt: skip


def test_a_person_reads_lines():
    line = told(Terminal())
    assert line[8:] == " job a began  job=a node=3\n"
    assert told(io.StringIO(), "human")[8:] == line[8:]


def test_the_level_is_chosen():
    assert told(io.StringIO(), level="WARNING") == ""
    assert "detail" in told(io.StringIO(), level="DEBUG")


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_secret_never_appears(style):
    stream = io.StringIO()
    configure(stream, style, secrets=["s3cret-token"])
    try:
        raise ValueError("s3cret-token is wrong")
    except ValueError:
        logging.getLogger("loomis.http").exception("s3cret-token", extra={"path": "/?token=s3cret-token"})
    assert "s3cret" not in stream.getvalue()
    assert "ValueError: *** is wrong" in stream.getvalue()


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_client_writes_no_line_of_its_own(style):
    stream = io.StringIO()
    configure(stream, style)
    logging.getLogger("loomis.http").warning("a\n12:00:00 \x1b[2Jfake", extra={"path": "/\nfake"})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_what_matters_is_coloured_on_a_terminal():
    stream = Terminal()
    configure(stream)
    logging.getLogger("loomis.workers").error("it died")
    assert "\x1b[31m" in stream.getvalue() and "error: it died" in stream.getvalue()
