"""The middleware before a small app of its own: what gets through, and what every answer carries."""

import gzip
import logging
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.security.access import Limits, read_access
from server.security.guard import guarded

TOKEN = "0123456789abcdef"


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def unavailable(request: Request) -> Response:
    return PlainTextResponse("not now", 503)


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


def client(host="127.0.0.1", limits=None, address="203.0.113.7", **options):
    access = replace(read_access(host, 8188, **options), limits=limits or Limits())
    app = Starlette(routes=[
        Route("/", echo, methods=["GET", "POST"]), Route("/health", echo), WebSocketRoute("/ws", socket),
        Route("/ready", unavailable), Route("/full", unavailable),
    ])  # fmt: skip
    return TestClient(
        guarded(app, access), base_url="http://127.0.0.1:8188", client=(address, 4000), follow_redirects=False
    )


def test_every_answer_has_the_headers_of_security():
    with client() as here:
        for answer in (here.get("/"), here.get("/nowhere"), here.get("/", headers={"host": "evil.example"})):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_refusal_says_what_to_do():
    with client() as here:
        answer = here.post("/", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "origin"
    assert "--allow-origin https://evil.example" in answer.json()["error"]["hint"]
    assert "access-control-allow-origin" not in answer.headers


def test_below_api_v2_a_refusal_has_the_code_that_its_clients_know():
    with client(token=TOKEN) as here:
        for path, code in (("/api/v2/jobs", "unauthorized"), ("/api/v1/jobs", "token")):
            assert here.get(path).json()["error"]["code"] == code
        assert here.get("/api/v2/health").status_code == 404  # there is none here, but no token is asked for
    with client() as here:
        answer = here.post("/api/v2/jobs", headers={"origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_refused_with_what_to_do(coding):
    body = gzip.compress(b'{"prompt": {}}')
    with client() as here:
        answer = here.post("/", content=body, headers={"content-encoding": coding})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
        assert coding in answer.json()["error"]["message"]
        assert answer.json()["error"]["hint"] == "Send the body as it is, without Content-Encoding."
        below = here.post("/api/v2/jobs", content=body, headers={"content-encoding": coding})
        assert below.json()["error"]["code"] == "unsupported_media_type"
        plain = here.post("/", content=b"a fox", headers={"content-encoding": "identity"})
        assert (plain.status_code, plain.text) == (200, "a fox")


def test_a_body_is_bounded_with_and_without_its_length():
    with client(limits=Limits(body=1000)) as here:
        assert here.post("/", content=b"x" * 1000).text == "x" * 1000
        assert here.post("/", content=b"x" * 1001).status_code == 413
        assert here.post("/", content=iter([b"x" * 600] * 2)).status_code == 413
        assert here.post("/", content=b"", headers={"content-length": "-1"}).status_code == 413


def test_a_socket_is_refused_before_it_opens():
    with client("0.0.0.0", token=TOKEN) as here:
        with here.websocket_connect(f"ws://127.0.0.1:8188/ws?token={TOKEN}") as open_socket:
            assert open_socket.receive_text() == "hello"
        for headers in ({}, {"origin": "http://evil.example"}):
            with pytest.raises(WebSocketDisconnect), here.websocket_connect("ws://127.0.0.1:8188/ws", headers=headers):
                pass


def test_a_person_gives_the_token_once():
    with client("0.0.0.0", token=TOKEN) as here:
        page = here.get("/", headers={"accept": "text/html"})
        assert page.status_code == 401
        assert 'action="login"' in page.text
        wrong = here.post("/login", data={"token": "wrong"})
        assert (wrong.status_code, wrong.cookies) == (401, {})
        right = here.post("/login", data={"token": TOKEN}, headers={"origin": "http://127.0.0.1:8188"})
        assert right.status_code == 303
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
        assert here.get("/").status_code == 200
        assert here.post("/login", content=b"token=" + b"x" * 5000).status_code == 413


def test_guesses_from_one_address_are_slowed_down():
    with client("0.0.0.0", token=TOKEN, limits=Limits(wrong_token_rate=0, wrong_token_burst=3)) as here:
        wrong = {"authorization": "Bearer wrong"}
        assert [here.get("/", headers=wrong).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert here.post("/login", data={"token": TOKEN}).status_code == 429
        assert here.get("/health").status_code == 200
    with client("0.0.0.0", token=TOKEN, address="127.0.0.1", limits=Limits(wrong_token_rate=0)) as here:
        assert {here.get("/", headers=wrong).status_code for _ in range(20)} == {401}


def test_a_friend_reads_the_answer_and_nobody_else():
    with client("0.0.0.0", token=TOKEN, origins=["https://friend.example"]) as here:
        headers = {"origin": "https://friend.example", "access-control-request-method": "POST"}
        assert here.options("/", headers=headers).headers["access-control-allow-origin"] == "https://friend.example"
        answer = here.get("/", headers={"origin": "https://friend.example"})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://friend.example"
        assert here.options("/", headers=headers | {"origin": "https://evil.example"}).status_code == 400


def test_that_a_server_is_not_ready_is_no_error_of_it(caplog):
    with client() as here, caplog.at_level(logging.DEBUG):
        assert [here.get(path).status_code for path in ("/ready", "/full")] == [503, 503]
    ours = [(record.path, record.levelname) for record in caplog.records if record.name == "loomis.http"]
    assert ours == [("/ready", "DEBUG"), ("/full", "ERROR")]


def test_no_token_is_logged(caplog):
    with client("0.0.0.0", token=TOKEN) as here, caplog.at_level(logging.DEBUG):
        here.get(f"/?token={TOKEN}", headers={"authorization": f"Bearer {TOKEN}"})
        here.post("/login", data={"token": TOKEN})
        here.get(f"/?token={TOKEN}")
    ours = [record for record in caplog.records if record.name.startswith("loomis")]
    assert [(record.method, record.path, record.status) for record in ours] == [
        ("GET", "/", 200), ("POST", "/login", 303), ("GET", "/", 200),
    ]  # fmt: skip
    assert not any(TOKEN in str(vars(record)) for record in ours)
