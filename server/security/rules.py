"""Whether a request is let in. Pure functions: each returns why not, or None."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from server.security.access import Access
from server.security.credentials import has_token, tokens_of_query
from server.security.hosts import is_address, is_loopback, same_place, split_host

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
OPEN = frozenset({"/health", "/ready", "/login", "/api/v2/health"})
"""Paths that need no token. They say nothing that is not for everybody."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in, and what to do."""

    status: int
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the rules look at. ``method`` of a socket is ``GET``."""

    method: str
    path: str
    query: bytes
    headers: Headers
    socket: bool = False


def refusal(asked: Asked, access: Access) -> Refusal | None:
    """Return the first reason not to let a request in, or None."""
    return (
        check_host(asked.headers, access)
        or check_forwarded(asked.headers, access)
        or check_site(asked, access)
        or check_token(asked, access)
        or check_coding(asked.headers)
    )


def check_host(headers: Headers, access: Access) -> Refusal | None:
    """Refuse names that anybody could point at this machine (DNS rebinding)."""
    given = headers.getlist("host")
    host = split_host(given[0]) if len(given) == 1 else None
    if host is None:
        return Refusal(400, "host", "The request has no valid Host header.", "Send one Host header.")
    name = host[0]
    known = is_loopback(name) or name in access.hosts or name == access.host.lower()
    if known or (is_address(name) and not access.is_local):
        return None
    return Refusal(
        403,
        "host",
        f"The server does not answer as {name!r}.",
        f"Start it with --allow-host {name}, or use its address.",
    )


def check_forwarded(headers: Headers, access: Access) -> Refusal | None:
    """Refuse what a proxy brings from elsewhere when there is no token."""
    if access.token is None and any(name in headers for name in FORWARDED):
        return Refusal(
            403,
            "forwarded",
            "A proxy forwards this request, and the server has no token.",
            "Start the server with --token-file FILE.",
        )
    return None


def check_site(asked: Asked, access: Access) -> Refusal | None:
    """Refuse what other sites make a browser send (cross-site request forgery, cross-site WebSockets).

    A request that is no navigation says where it comes from in Origin and Sec-Fetch-Site; other clients send neither.
    """
    origin = asked.headers.get("origin")
    if origin is not None and origin.lower() in access.origins:
        return None
    elsewhere = origin is not None and not same_place(origin, asked.headers["host"])
    site = asked.headers.get("sec-fetch-site")
    if site in ("cross-site", "same-site") and origin is None:
        opened = asked.headers.get("sec-fetch-mode") == "navigate" and asked.headers.get("sec-fetch-dest") == "document"
        elsewhere = asked.method not in SAFE or asked.socket or (site == "cross-site" and not opened)
    if not elsewhere:
        return None
    return Refusal(
        403,
        "origin",
        "Another site may not send requests here.",
        f"Start the server with --allow-origin {origin}." if origin not in (None, "null") else "Open the page itself.",
    )


def check_token(asked: Asked, access: Access) -> Refusal | None:
    """Refuse a request without the token."""
    if asked.path in OPEN or has_token(access, asked.headers, asked.query, socket=asked.socket):
        return None
    return Refusal(
        401, "token", "The server needs a token.", "Send it as 'Authorization: Bearer TOKEN'; a socket may use ?token=."
    )


def check_coding(headers: Headers) -> Refusal | None:
    """Refuse a body that is compressed: its size would not be known before it is read."""
    coding = headers.get("content-encoding", "identity").strip()
    if coding.lower() in ("", "identity"):
        return None
    return Refusal(
        415,
        "content_encoding",
        f"The server reads no body that is compressed (Content-Encoding: {coding[:40]}).",
        "Send the body as it is, without Content-Encoding.",
    )


def guesses_a_token(asked: Asked) -> bool:
    """Return whether a request shows a token, right or wrong. A cookie is no guess: it is 256 bits, and may be old."""
    in_query = asked.socket and tokens_of_query(asked.query)
    return bool("authorization" in asked.headers or in_query or (asked.path == "/login" and asked.method == "POST"))
