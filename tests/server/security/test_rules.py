import pytest
from starlette.datastructures import Headers

from server.security.access import read_access
from server.security.rules import Asked, refusal

TOKEN = "0123456789abcdef"
LOCAL = read_access("127.0.0.1", 8188)
PUBLIC = read_access("0.0.0.0", 8188, token=TOKEN, hosts=["Example.org"], origins=["https://Friend.example"])


def answer(access, method="GET", path="/api/v1/jobs", query=b"", socket=False, **headers):
    named = {"host": "127.0.0.1:8188"} | {name.replace("_", "-"): value for name, value in headers.items()}
    asked = Asked(method, path, query, Headers({name: value for name, value in named.items() if value}), socket)
    refused = refusal(asked, access)
    return (refused.status, refused.code) if refused else None


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:8188", "[::1]:8188", "LOCALHOST.:8188"])
def test_loopback_names_are_answered(host):
    assert answer(LOCAL, host=host) is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5", "0.0.0.0:8188"])
def test_other_names_are_not(host):
    assert answer(LOCAL, host=host) == (403, "host")


@pytest.mark.parametrize("host", ["", "a b", "localhost:x"])
def test_no_valid_host_is_a_bad_request(host):
    assert answer(LOCAL, host=host) == (400, "host")


def test_elsewhere_any_address_and_configured_names_are_answered():
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert answer(PUBLIC, host="192.168.1.5:8188", **bearer) is None
    assert answer(PUBLIC, host="example.org", **bearer) is None
    assert answer(PUBLIC, host="evil.example", **bearer) == (403, "host")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("socket", [False, True])
def test_an_origin_equal_to_the_host_passes_and_another_does_not(method, socket):
    assert answer(LOCAL, method, socket=socket, origin="http://127.0.0.1:8188") is None
    for origin in ("http://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:8188"):
        assert answer(LOCAL, method, socket=socket, origin=origin) == (403, "origin")


def test_clients_that_are_no_browsers_send_anything():
    assert answer(LOCAL, "POST") is None
    assert answer(LOCAL, "POST", content_type="text/plain") is None


def test_a_browser_says_where_a_request_comes_from():
    assert answer(LOCAL, "POST", sec_fetch_site="same-origin") is None
    assert answer(LOCAL, sec_fetch_site="none", sec_fetch_mode="navigate") is None
    assert answer(LOCAL, "POST", sec_fetch_site="cross-site") == (403, "origin")
    assert answer(LOCAL, "POST", sec_fetch_site="same-site") == (403, "origin")
    assert answer(LOCAL, sec_fetch_site="cross-site", sec_fetch_mode="no-cors", sec_fetch_dest="image") == (
        403,
        "origin",
    )
    assert answer(LOCAL, socket=True, sec_fetch_site="same-site") == (403, "origin")


def test_a_link_from_another_site_may_open_a_page_and_not_a_frame_or_form():
    there = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert answer(LOCAL, path="/", **there, sec_fetch_dest="document") is None
    assert answer(LOCAL, path="/", **there, sec_fetch_dest="iframe") == (403, "origin")
    assert answer(LOCAL, "POST", path="/", **there, sec_fetch_dest="document") == (403, "origin")


def test_a_friend_may_call():
    bearer = {"authorization": f"Bearer {TOKEN}", "origin": "https://friend.example", "sec_fetch_site": "cross-site"}
    assert answer(PUBLIC, "POST", **bearer) is None


def test_a_proxy_needs_a_token():
    for name in ("x_forwarded_for", "forwarded"):
        assert answer(LOCAL, **{name: "203.0.113.7"}) == (403, "forwarded")
        assert answer(PUBLIC, authorization=f"Bearer {TOKEN}", **{name: "203.0.113.7"}) is None


def test_where_the_token_may_be():
    assert answer(PUBLIC) == (401, "token")
    assert answer(PUBLIC, authorization=f"bearer {TOKEN}") is None
    assert answer(PUBLIC, authorization=f"Bearer {TOKEN}x") == (401, "token")
    assert answer(PUBLIC, authorization=TOKEN) == (401, "token")
    assert answer(PUBLIC, query=f"token={TOKEN}".encode()) == (401, "token")
    assert answer(PUBLIC, query=f"a=1&token={TOKEN}".encode(), socket=True) is None
    assert answer(PUBLIC, query=b"token=%ff", socket=True) == (401, "token")
    assert answer(PUBLIC, cookie=f"loomis-8188={TOKEN}") == (401, "token")


@pytest.mark.parametrize("path", ["/health", "/ready", "/api/v2/health"])
def test_health_needs_no_token(path):
    assert answer(PUBLIC, path=path) is None
