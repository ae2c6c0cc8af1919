"""A disk that can be full: a small tmpfs, or a limit on the size of files where none can be mounted."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

__all__ = ["Disk", "small_disk"]

MEBIBYTES = 512
BLOCK = 1 << 20
CHECKPOINT = 5.0  # seconds that are spent on emptying a database's write-ahead log


class Disk:
    """Where the servers store their files.

    Attributes
    ----------
    kind : {"tmpfs", "file size limit", ""}
        How it is made full; empty where that cannot be done.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind

    def fill(self, pids: Sequence[int]) -> None:
        """Let nothing more be written: by the processes `pids` where files are limited."""
        if self.kind == "tmpfs":
            for database in self.folder.glob("*.db"):
                _empty_log(database)
            with suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as filler:
                while filler.write(b"\0" * BLOCK):
                    pass
            with suppress(OSError), (self.folder / "filler").open("ab", buffering=0) as filler:
                while filler.write(b"\0" * 4096):
                    pass
        elif self.kind:
            self._limit(pids, 0)

    def free(self, pids: Sequence[int]) -> None:
        """Undo `fill`."""
        if self.kind == "tmpfs":
            (self.folder / "filler").unlink(missing_ok=True)
        elif self.kind:
            self._limit(pids, -1)

    def _limit(self, pids: Sequence[int], size: int) -> None:
        if sys.platform == "linux":
            import resource

            for pid in pids:
                with suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Yield a disk below `folder`: a tmpfs where the process may mount one."""
    place = folder / "disk"
    place.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m,mode=0700", "tmpfs", str(place))
    mounted = sys.platform == "linux" and os.geteuid() == 0 and _ran(mount)
    try:
        yield Disk(place, "tmpfs" if mounted else "file size limit" if sys.platform == "linux" else "")
    finally:
        if mounted:
            _ran(("umount", "--lazy", str(place)))


def _empty_log(database: Path) -> None:
    """Truncate the write-ahead log: SQLite overwrites a log that was long, for which a full disk has room."""
    end = time.monotonic() + CHECKPOINT
    with closing(sqlite3.connect(database, timeout=1.0)) as connection:
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] and time.monotonic() < end:
            time.sleep(0.01)


def _ran(command: Sequence[str]) -> bool:
    with suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False
