from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from server.security.access import read_access
from server.security.credentials import cookie_name, cookie_value, has_token, is_token

TOKEN = "0123456789abcdef"
ACCESS = read_access("0.0.0.0", 8188, token=TOKEN)


def test_a_cookie_proves_the_token_without_being_it():
    value = cookie_value(TOKEN)
    assert TOKEN not in value
    assert has_token(ACCESS, Headers({"cookie": f"other=1; {cookie_name(ACCESS)}={value}"}), b"", socket=False)
    assert not is_token(ACCESS, value)


@given(st.text(), st.binary())
def test_anything_else_is_no_token(text, query):
    headers = Headers(raw=[(name, text.encode("utf-8", "replace")) for name in (b"authorization", b"cookie")])
    assert not has_token(ACCESS, headers, query, socket=True)
    assert not is_token(ACCESS, text)
