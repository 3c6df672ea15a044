from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from server.security.access import read_access
from server.security.credentials import cookie_name, cookie_value
from server.security.login import login

TOKEN = "0123456789abcdef"
ACCESS = read_access("0.0.0.0", 8188, token=TOKEN)


async def endpoint(request: Request):
    return await login(request, ACCESS)


def client(scheme: str = "http") -> TestClient:
    app = Starlette(routes=[Route("/below/login", endpoint, methods=["POST"])])
    return TestClient(app, base_url=f"{scheme}://127.0.0.1:8188", follow_redirects=False)


def test_the_right_token_gives_a_cookie_and_the_way_to_the_page():
    with client() as here:
        answer = here.post("/below/login", data={"token": f" {TOKEN}\n"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert answer.cookies[cookie_name(ACCESS)] == cookie_value(TOKEN)
    assert "Secure" not in answer.headers["set-cookie"]


def test_over_tls_the_cookie_stays_there():
    with client("https") as here:
        assert "Secure" in here.post("/below/login", data={"token": TOKEN}).headers["set-cookie"]


def test_anything_else_gives_the_form_again():
    with client() as here:
        for form in (b"", b"token=", b"token=wrong", b"\xff\xfe", b"a" * 4000):
            answer = here.post("/below/login", content=form)
            assert (answer.status_code, answer.cookies) == (401, {})
            assert 'role="alert"' in answer.text
        assert here.post("/below/login", content=b"token=" + b"a" * 5000).status_code == 413
