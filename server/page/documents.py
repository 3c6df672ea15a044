"""Serve the page's own files, with a policy that lets a browser run nothing else."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
NOTE = "<!--note-->"
INLINE = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL)


def document(name: str, status: int = 200, headers: Mapping[str, str] | None = None, note: str = "") -> Response:
    """Return an HTML file of the page, with a ``note`` (HTML) where it has room for one."""
    text, policy = _document(name)
    own = {"content-security-policy": policy, "cache-control": "no-cache"}
    return Response(text.replace(NOTE, note), status, {**own, **(headers or {})}, "text/html")


@cache
def _document(name: str) -> tuple[str, str]:
    text = (STATIC / name).read_text(encoding="utf-8")
    return text, policy(text)


def policy(text: str) -> str:
    """Return a content security policy that allows what a document holds and what comes from this server.

    Scripts and styles that stand in the document are allowed by their digest (CSP level 3, 2.3.1).
    """
    inline: dict[str, list[str]] = {"script": [], "style": []}
    for kind, content in INLINE.findall(text):
        if content:
            inline[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'")
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *inline["script"]]),
            " ".join(["style-src 'self'", *inline["style"]]),
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        ]
    )
