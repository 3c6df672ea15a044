"""Object files: one value each, named by its digest, ``objects/ab/<64 hex digits>``.

A file is written beside its name and renamed, so a reader meets a whole file or none. It is not synced: after a power
cut it may be cut short, and its digest tells.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.values import MalformedValue, Packed, from_bytes, parts


class Objects:
    """The folder of object files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.folder / name[:2] / name

    def write(self, digest: bytes, packed: Packed) -> None:
        """Write a value. Raises OSError where the disk is full or can't be written."""
        path = self.path(digest)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.writelines(parts(packed))
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def read(self, digest: bytes) -> Packed | None:
        """Return a value whose bytes fit its digest; None where the file is missing, cut or changed."""
        try:
            with self.path(digest).open("rb") as file:
                data = bytearray(file.seek(0, 2))
                file.seek(0)
                file.readinto(data)
            packed = from_bytes(data)
        except (OSError, MalformedValue):
            return None
        return packed if packed.digest == digest else None

    def exists(self, digest: bytes) -> bool:
        return self.path(digest).exists()

    def drop(self, digest: bytes) -> None:
        """Remove a value, if it is here."""
        self.path(digest).unlink(missing_ok=True)

    def drop_parts(self, digest: bytes) -> None:
        """Remove a value and what dead writers left of it."""
        path = self.path(digest)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every object file."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def files(self) -> Iterator[Path]:
        """Yield every file in the folder, also those that are no object."""
        return (path for path in self.folder.glob("*/*") if path.is_file())


def file_bytes(packed: Packed) -> int:
    """Return what the file of a value takes on disk, in whole blocks of 4 KiB."""
    length = sum(len(part) for part in parts(packed))
    return -(-length // 4096) * 4096
