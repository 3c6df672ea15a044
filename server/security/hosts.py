"""Names of hosts and origins as they stand in requests. Pure functions."""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
KNOWN = 1024
"""Names that are not looked at anew: nearly all requests have the same."""

LONGEST = 260
"""Characters of a host and its port (RFC 1035 has 253 for a name). What is longer is malformed, and not kept."""

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def split_host(text: str) -> tuple[str, int | None] | None:
    """Return the name and port of a Host header in lower case, without brackets and a final dot; None if malformed."""
    return _split(text) if len(text) <= LONGEST else None


@lru_cache(KNOWN)
def _split(text: str) -> tuple[str, int | None] | None:
    found = HOST.fullmatch(text.lower())
    if found is None:
        return None
    return found[1].strip("[]").rstrip("."), int(found[2]) if found[2] else None


def split_origin(text: str) -> tuple[str, str, int] | None:
    """Return scheme, name and port of an Origin header; None if it is ``null`` or malformed."""
    scheme, mark, rest = text.lower().partition("://")
    host = split_host(rest) if mark else None
    if host is None or scheme not in DEFAULT_PORTS:
        return None
    return scheme, host[0], host[1] or DEFAULT_PORTS[scheme]


def same_place(origin: str, host: str) -> bool:
    """Return whether an origin is the host of the request. The scheme may differ: a proxy may have taken off TLS."""
    of, at = split_origin(origin), split_host(host)
    return of is not None and at is not None and (of[1], of[2]) == (at[0], at[1] or DEFAULT_PORTS[of[0]])


@lru_cache(KNOWN)
def is_address(name: str) -> bool:
    """Return whether a name is an IP address: such a name can't be rebound to another machine."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(KNOWN)
def is_loopback(name: str) -> bool:
    """Return whether a name always means this machine."""
    if not is_address(name):
        return name == "localhost"
    address = ip_address(name)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def party(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    if ":" not in address or not is_address(address):
        return address
    return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))
