"""The ASGI middleware that stands before everything: it refuses, bounds, adds headers and logs."""

import logging
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.security.access import UPLOADS, Access
from server.security.hosts import is_loopback, party
from server.security.login import ask_for_token, login
from server.security.rates import Buckets
from server.security.rules import OPEN, Asked, Refusal, guesses_a_token, refusal

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",  # with none at all, browsers send "Origin: null" with forms
    "cross-origin-opener-policy": "same-origin",
}
CODES = {401: "unauthorized", 403: "forbidden", 413: "payload_too_large", 415: "unsupported_media_type"}
"""What a refusal is called below ``/api/v2``, whose clients know no other names."""

MORE = {401: {"www-authenticate": "Bearer"}, 415: {"accept-encoding": "identity"}}
"""Headers that a refusal has besides (RFC 9110, 11.6.1 and 12.5.3)."""

log = logging.getLogger("loomis.http")


def guarded(app: ASGIApp, access: Access) -> ASGIApp:
    """Return an app that lets in only what ``access`` allows, with the answers to other sites that it names."""
    guard = Guard(app, access)
    if not access.origins:
        return guard
    return CORSMiddleware(
        guard,
        allow_origins=sorted(access.origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Range"],
        expose_headers=["ETag", "Content-Range", "Retry-After"],
    )


class Guard:
    """See ``guarded``."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access
        self._wrong = Buckets(access.limits.wrong_token_rate, access.limits.wrong_token_burst)
        shared = "cross-origin" if access.origins else "same-origin"
        self._headers = HEADERS | {"cross-origin-resource-policy": shared}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        asked = Asked(
            method=scope.get("method", "GET"),
            path=scope["path"],
            query=scope["query_string"],
            headers=Headers(scope=scope),
            socket=scope["type"] == "websocket",
        )
        answer = Answer(send, self._headers)
        refused = self._refused(asked, scope)
        if refused:
            await refuse(refused, asked, scope, receive, answer)
        elif asked.path == "/login" and asked.method == "POST" and self.access.token is not None:
            response = await login(Request(scope, receive), self.access)
            if response.status_code == 401:
                self._wrong.take(self._who(scope))
            await response(scope, receive, answer)
        elif asked.socket:
            await self.app(scope, receive, send)
        else:
            await self.app(scope, self._bounded(asked, receive), answer)
        _tell(asked, scope, answer.status, time.perf_counter() - began)

    def _refused(self, asked: Asked, scope: Scope) -> Refusal | None:
        guesses = self.access.token is not None and guesses_a_token(asked) and not is_loopback(self._who(scope))
        if guesses and self._wrong.level(self._who(scope)) < 1:
            return Refusal(429, "token", "Too many wrong tokens came from this address.", "Try again in a while.")
        found = refusal(asked, self.access)
        if guesses and found is not None and found.status == 401:
            self._wrong.take(self._who(scope))
        if found is None and not asked.socket:
            length = asked.headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > self._limit(asked):
                found = _too_large(self._limit(asked))
        return found

    def _who(self, scope: Scope) -> str:
        return party((scope.get("client") or ("",))[0])

    def _limit(self, asked: Asked) -> int:
        limits = self.access.limits
        return limits.upload if UPLOADS.fullmatch(asked.path) else limits.body

    def _bounded(self, asked: Asked, receive: Receive) -> Receive:
        """Return ``receive`` that raises as soon as a body without a stated length grows too large."""
        limit, got = self._limit(asked), 0

        async def bounded() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > limit:
                raise HTTPException(413, _too_large(limit).message)
            return message

        return bounded


class Answer:
    """``send`` with the headers of every answer; remembers the status."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self.send = send
        self.headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self.headers.items():
                headers.setdefault(name, value)
        await self.send(message)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"The request is larger than {limit} bytes.", "Send less.")


async def refuse(refused: Refusal, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the reason, as JSON; a browser that asks for a page without the token gets the one to enter it."""
    headers = MORE.get(refused.status, {})
    response: Response
    if refused.status == 401 and asked.method == "GET" and "text/html" in asked.headers.get("accept", ""):
        response = ask_for_token(401)
    else:
        code = CODES.get(refused.status) if asked.path.startswith("/api/v2/") else None
        body: dict[str, Any] = {"code": code or refused.code, "message": refused.message, "hint": refused.hint}
        response = JSONResponse({"error": body}, refused.status, headers)
    if asked.socket and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refused.message})
        return
    await response(scope, receive, send)


def _tell(asked: Asked, scope: Scope, status: int, seconds: float) -> None:
    """Log a request: without its query, which may hold a token. Only what went wrong is more than a detail.

    That the server is not ready is an answer, and nothing that went wrong.
    """
    level = logging.ERROR if status >= 500 else logging.WARNING if status in (401, 403, 429) else logging.DEBUG
    if asked.path in OPEN and status == 503:
        level = logging.DEBUG
    if log.isEnabledFor(level):
        client = (scope.get("client") or ("",))[0]
        told = {"method": asked.method, "path": asked.path, "status": status, "client": client}
        log.log(level, "%s %s %s", asked.method, asked.path, status, extra=told | {"seconds": round(seconds, 4)})
