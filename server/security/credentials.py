"""The token: where a request may carry it."""

import hashlib
import hmac
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from server.security.access import Access

COOKIE_SECONDS = 30 * 24 * 3600


def cookie_name(access: Access) -> str:
    """Return the name of the cookie: browsers share cookies between the ports of a host, so it has the port."""
    return f"loomis-{access.port}"


def cookie_value(token: str) -> str:
    """Return what the cookie holds: a proof of the token that is not the token."""
    return hmac.new(token.encode(), b"loomis cookie", hashlib.sha256).hexdigest()


def is_token(access: Access, given: str) -> bool:
    """Compare in a time that does not depend on where the difference is."""
    return access.token is not None and _same(given, access.token.get_secret_value())


def has_token(access: Access, headers: Headers, query: bytes, *, socket: bool) -> bool:
    """Return whether a request shows the token: bearer header, cookie, or for a socket ``?token=``."""
    if access.token is None:
        return True
    token = access.token.get_secret_value()
    if any(_same(given, token) for given in _bearers(headers)):
        return True
    if socket and any(_same(given, token) for given in tokens_of_query(query)):
        return True
    given = _cookie(headers, cookie_name(access))
    return given is not None and _same(given, cookie_value(token))


def tokens_of_query(query: bytes) -> list[str]:
    """Return the values of ``token`` in a query."""
    return parse_qs(query.decode("latin-1")).get("token", []) if b"token" in query else []


def _bearers(headers: Headers) -> Iterator[str]:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield given.strip()


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[name].value if name in cookies else None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
