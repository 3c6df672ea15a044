"""Bounds on connections: how many at once, how many a second, and how long one may wait before it asks."""

import asyncio
import logging
from collections import defaultdict

from server.security.access import Limits
from server.security.hosts import party
from server.security.rates import Buckets

log = logging.getLogger("loomis.http")


class Door:
    """Counts the open connections of each address. A socket that a request was upgraded to counts on."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._rate = Buckets(limits.connection_rate, 2 * limits.connection_rate)
        self._open: defaultdict[str, set[asyncio.Transport]] = defaultdict(set)
        self._count = 0

    def admit(self, transport: asyncio.Transport) -> bool:
        """Count a new connection, or say that it is one too many."""
        who = party((transport.get_extra_info("peername") or ("",))[0])
        if self._count >= self.limits.connections or len(self._open[who]) >= self.limits.connections_each:
            self._forget_closed()
        full = self._count >= self.limits.connections or len(self._open[who]) >= self.limits.connections_each
        if full or not self._rate.take(who):
            return False
        self._open[who].add(transport)
        self._count += 1
        return True

    def _forget_closed(self) -> None:
        for who, transports in list(self._open.items()):
            transports -= {transport for transport in transports if transport.is_closing()}
            if not transports:
                del self._open[who]
        self._count = sum(map(len, self._open.values()))


def bounded(protocol: type[asyncio.Protocol], limits: Limits) -> type[asyncio.Protocol]:
    """Return a kind of uvicorn's HTTP protocol that turns away connections beyond the limits.

    It also closes those that have not asked for anything ``header_seconds`` after they came.
    """
    door = Door(limits)

    class Bounded(protocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            self._silence: asyncio.TimerHandle | None = None
            super().connection_made(transport)
            if not door.admit(transport):
                log.debug("one connection too many", extra={"client": transport.get_extra_info("peername")})
                transport.abort()
                return
            loop = asyncio.get_running_loop()
            self._silence = loop.call_later(limits.header_seconds, self._close_if_silent)

        def connection_lost(self, error: Exception | None) -> None:
            if self._silence:
                self._silence.cancel()
            super().connection_lost(error)

        def _close_if_silent(self) -> None:
            if self.cycle is None and self.transport.get_protocol() is self:
                self.transport.abort()

    return Bounded
