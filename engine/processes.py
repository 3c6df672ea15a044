"""Who is writing: a name for this process, and whether the process behind a name still lives."""

import os
import secrets
import socket

_HOST = socket.gethostname()
_TOKEN = secrets.token_hex(4)


def this_process() -> str:
    """Return ``host/pid/token``. The token tells two lives of the same pid apart."""
    return f"{_HOST}/{os.getpid()}/{_TOKEN}"


def local_name() -> str:
    """Return ``pid-token``, a name for this process on its host."""
    return f"{os.getpid()}-{_TOKEN}"


def is_dead_here(name: str) -> bool:
    """Return whether the process with this ``local_name`` is surely gone from this host."""
    return is_dead(f"{_HOST}/{name.replace('-', '/')}")


def is_dead(process: str) -> bool:
    """Return whether the process is surely gone. One on another host, or on Windows, is never surely gone."""
    host, pid, token = process.rsplit("/", 2)
    if host != _HOST or os.name != "posix":
        return False
    if int(pid) == os.getpid():
        return token != _TOKEN
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
