"""Who is let in: the address that is served, the token, names and origins that are accepted, and bounds."""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from engine.errors import SettingError
from server.security.hosts import is_loopback, split_origin

SHORTEST_TOKEN = 16
MB = 2**20
UPLOADS = re.compile(r"/api/v1/files/.+|(/api)?/upload/(image|mask)|/api/v2/assets", re.DOTALL)
"""The paths whose routes write what comes to disk, block by block."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients send. Sizes are in bytes, rates per second and address.

    ``body`` bounds a request, ``upload`` one whose path matches `UPLOADS` as a whole. ``connections`` are open at once,
    ``connections_each`` of them from one address. ``header_seconds`` is how long a connection may take until its first
    request is there, ``stall_seconds`` how long a body may stand still.
    """

    body: int = 64 * MB
    upload: int = 1024 * MB
    connections: int = 800
    connections_each: int = 400
    connection_rate: float = 1000
    wrong_token_rate: float = 1
    wrong_token_burst: float = 10
    header_seconds: float = 20
    stall_seconds: float = 60


@dataclass(frozen=True, slots=True)
class Access:
    """How the server may be reached.

    ``hosts`` are names, besides those of the loopback, that a Host header may have; ``origins`` are other sites that
    may call, as ``https://example.org``.
    """

    host: str = "127.0.0.1"
    port: int = 8188
    token: SecretStr | None = None
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        return is_loopback(self.host)


def read_access(
    host: str,
    port: int,
    *,
    token: str | None = None,
    token_file: Path | None = None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
) -> Access:
    """Return who is let in. A token file that is not there is made, with a new token.

    Raises:
        SettingError: an address other than the loopback has no token, or one of these can't be used.
    """
    found = token or (_token_of(token_file) if token_file else None)
    if found is not None and (len(found) < SHORTEST_TOKEN or not found.isascii() or not found.isprintable()):
        raise SettingError(
            "The token can't be used.",
            expected=f"at least {SHORTEST_TOKEN} printable ASCII characters",
            hint="Name a file that is not there with --token-file: a token is made and put into it.",
        )
    if found is None and not is_loopback(host):
        raise SettingError(
            f"{host} can be reached by other machines, so it needs a token.",
            got="no token",
            expected="LOOMIS_TOKEN in the environment, or --token-file",
            hint="Use --token-file FILE: a token is made if the file is not there. Or serve 127.0.0.1.",
        )
    for origin in origins:
        if split_origin(origin) is None:
            raise SettingError(
                f"{origin!r} is no origin.",
                got=origin,
                expected="a scheme and a host, such as https://example.org",
                hint="Write it as browsers do, without a path.",
            )
    return Access(
        host=host,
        port=port,
        token=SecretStr(found) if found else None,
        hosts=frozenset(name.lower().rstrip(".") for name in hosts),
        origins=frozenset(origin.lower() for origin in origins),
    )


def _token_of(file: Path) -> str:
    """Return the token in a file that nobody else may read; make the file if it is not there."""
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600, exist_ok=False)
            file.write_text(secrets.token_urlsafe(32) + "\n", encoding="ascii")
        mode = file.stat().st_mode & 0o777
        if mode & 0o077:
            raise SettingError(
                f"Others may read the token file {file}.",
                got=f"mode {mode:o}",
                expected="mode 600",
                hint=f"Run: chmod 600 {file}",
            )
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The token file {file} can't be read: {getattr(error, 'strerror', None) or 'it is not text'}.",
            got=str(file),
            expected="a file with one line, the token",
            hint="Check the path, or name one that is not there: a token is made.",
        ) from None
