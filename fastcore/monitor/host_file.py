"""A file that the workers of a host share."""

from __future__ import annotations

from pathlib import Path

from fastcore.dispatch.private_files import replace_private

__all__ = ["HostFile"]


class HostFile:
    """A file that is replaced as a whole, and read again only after that. Its user must hold a lock.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that are read at most.
    """

    def __init__(self, path: Path, most: int) -> None:
        self.path, self._most = path, most
        self._seen: tuple[int, int, int] | None = None  # which version was read last

    def changed(self) -> bytes | None:
        """Return what the file holds if it was replaced since the last call, None if not; OSError without a file."""
        status = self.path.stat()
        seen = status.st_mtime_ns, status.st_size, status.st_ino
        if seen == self._seen:
            return None
        self._seen = seen
        with self.path.open("rb") as file:
            return file.read(self._most)

    def make_folder(self) -> None:
        """Make the folder that the file is in, for this user alone."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def replace(self, data: bytes) -> None:
        """Replace what the file holds."""
        replace_private(str(self.path), data)
