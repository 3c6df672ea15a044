"""Take a file from a client: streamed to disk, bounded, and under a name that it may have."""

import asyncio
import errno
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blake3 import blake3

from engine.folders import inside
from engine.parts import Part
from server.files.errors import FileConflict, FileTooLarge, NoRoom

Conflict = Literal["rename", "overwrite", "refuse"]
"""What to do when another file has the name. One with the same content is left as it is, always."""

BLOCK = 2**20
MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an upload is: its path below the folder, bytes, blake3 in hex; ``created`` is false if it was there."""

    name: str
    size: int
    digest: str
    created: bool


async def receive(
    chunks: AsyncIterator[bytes],
    root: Path,
    name: str,
    *,
    conflict: Conflict,
    limit: int,
    stall: float,
    hidden: bool = False,
) -> Stored:
    """Write what comes to ``root / name``, whole or not at all.

    ``limit`` is in bytes; ``stall`` is how many seconds the client may send nothing; ``hidden`` allows hidden names.

    Raises:
        FileError: the name can't be one; FileConflict: it is taken; FileTooLarge; NoRoom: the disk is full.
        TimeoutError, ConnectionError: the client stopped sending.
    """
    path = await asyncio.to_thread(inside, root, name, new=True, hidden=hidden)
    try:
        with await asyncio.to_thread(Part, path) as part:
            size, digest = await _write(chunks, part, limit, stall)
            place, created = await asyncio.to_thread(_settle, part, path, size, digest, conflict)
    except (TimeoutError, ConnectionError):
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (NoRoom if full else FileConflict)(
            f"The upload {name!r} can't be written: {error.strerror}.",
            got=name,
            hint="Make room on the disk." if full else "Choose another name.",
        ) from None
    return Stored(place.relative_to(root).as_posix(), size, digest, created)


async def _write(chunks: AsyncIterator[bytes], part: Part, limit: int, stall: float) -> tuple[int, str]:
    size, block, hasher = 0, bytearray(), blake3()
    async with asyncio.timeout(stall) as patience:
        async for chunk in chunks:
            patience.reschedule(asyncio.get_running_loop().time() + stall)
            size += len(chunk)
            block += chunk
            if size > limit:
                raise FileTooLarge("The upload is too large.", got=f"{size} bytes", expected=f"at most {limit} bytes")
            if len(block) >= BLOCK:
                await asyncio.to_thread(_add, part, hasher, bytes(block))
                block.clear()
    await asyncio.to_thread(_add, part, hasher, bytes(block))
    return size, hasher.hexdigest()


def _add(part: Part, hasher: blake3, block: bytes) -> None:
    hasher.update(block)
    part.file.write(block)


def _settle(part: Part, path: Path, size: int, digest: str, conflict: Conflict) -> tuple[Path, bool]:
    """Give what was written its name, and say whether there is a new file."""
    candidates = [path.with_stem(f"{path.stem} ({number})") for number in range(1, MOST_NAMES)]
    for place in [path, *candidates] if conflict == "rename" else [path]:
        if part.take_free(place):
            return place, True
        if _is(place, size, digest):
            return place, False
    if conflict == "overwrite":
        part.take(path)
        return path, True
    raise FileConflict(
        f"There is another file {path.name!r}.",
        got=path.name,
        expected="a name that is free",
        hint="Choose another name, or say overwrite or rename.",
    )


def _is(path: Path, size: int, digest: str) -> bool:
    return path.is_file() and path.stat().st_size == size and blake3().update_mmap(path).hexdigest() == digest
