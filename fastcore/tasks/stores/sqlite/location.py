"""The location of a database file, and whether SQLite's locks and shared memory work there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from fastcore.tasks.errors import StoreError

__all__ = ["Mount", "Presence", "checked_path", "mounts", "parsed"]

# File systems whose locks or shared mappings do not reach every machine that sees the file.
_NETWORK = re.compile(
    "9p|afpfs|afs|beegfs|ceph|cifs|coda|davfs|drvfs|glusterfs|gpfs|lustre|ncpfs|nfs[34]?|ocfs2|orangefs|prl_fs|remote"
    "|smb[23]?|smbfs|vboxsf|vmhgfs|webdav"
    "|fuse[.](ceph|davfs|gcsfuse|gluster|goofys|gvfsd|hdfs|juicefs|rclone|s3|smbnetfs|sshfs|vmhgfs).*"
)


_EMPTY = (-1, -1)
"""The identity of a database file that was emptied."""


class Mount(NamedTuple):
    """A mounted file system: where, and of which kind."""

    point: str
    kind: str


class Presence:
    """A database and its log as they were when they were opened, and whether they are still at their place.

    What is written to a file that was deleted, moved or replaced is lost with it, though every write succeeds.
    """

    def __init__(self, path: Path) -> None:
        self._database = str(path)
        names = [self._database + suffix for suffix in ("", "-wal", "-shm")]
        self._known = {name: self._identity(name) for name in names}

    def check(self) -> None:
        """Raise a StoreError if the files are not in place, or if the database was emptied."""
        for path, known in self._known.items():
            if (found := self._identity(path)) != known:
                got = "no file" if found is None else "an empty one" if found == _EMPTY else "another one"
                raise StoreError(
                    f"{path}: expected the file that was opened, got {got} at its path; nothing is stored any more: "
                    "start the process again"
                )

    def _identity(self, path: str) -> tuple[int, int] | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        emptied = path == self._database and found.st_size == 0  # a log may be empty
        return _EMPTY if emptied else (found.st_dev, found.st_ino)


def mounts() -> list[Mount]:
    """Return what is mounted, as the operating system tells it."""
    import psutil

    # Windows tells "remote" in the options, whatever the kind of the share.
    return [
        Mount(part.mountpoint, "remote" if "remote" in part.opts.split(",") else part.fstype)
        for part in psutil.disk_partitions(all=True)
    ]


def parsed(url: str) -> tuple[str, str]:
    """Return the file that a store's URL names, and how durable it is to be.

    ``sqlite:///tasks.db``, ``sqlite:////var/lib/tasks.db``, ``sqlite:///tasks.db?durability=normal``.
    """
    prefix = "sqlite:///"
    path, mark, query = url.removeprefix(prefix).partition("?")
    if not url.startswith(prefix) or not path.strip() or "#" in url:
        raise ValueError(f"store: expected a URL such as sqlite:///tasks.db?durability=normal, got {url!r}")
    if path.startswith((":memory:", "file:")):
        raise ValueError(f"store: expected the path of a file after sqlite:///, got {path!r}; use store='memory'")
    name, _, durability = query.partition("=")
    if mark and name != "durability":
        raise ValueError(f"store: expected nothing but durability=full, ends-soft or normal after ?, got {query!r}")
    return path, durability if mark else "full"


def checked_path(path: str | os.PathLike[str], read: Callable[[], Iterable[Mount]] = mounts) -> Path:
    """Return the absolute path of a database that may be opened there.

    Raises
    ------
    ValueError
        If it lies on a network file system, which is named.
    OSError
        If its directory is missing, or the path is not one of a file.
    """
    # Links are followed: the file they lead to is the one that is locked.
    found = Path(os.path.realpath(os.fspath(path)))
    kind = _kind(str(found), read())
    if kind is not None and _NETWORK.fullmatch(kind.lower()):
        raise ValueError(
            f"store: expected a file on a local disk, got {found} on {kind}, a network file system, "
            "where SQLite's locks do not hold"
        )
    if not found.parent.is_dir():
        raise FileNotFoundError(f"store: expected a file in a directory that exists, got {found}")
    if found.exists() and not found.is_file():
        raise OSError(f"store: expected the path of a file, got {found}, which is none")
    return found


def _kind(path: str, found: Iterable[Mount]) -> str | None:
    best: Mount | None = None
    folded = os.path.normcase(path)
    for mount in found:
        point = os.path.normcase(mount.point)
        inside = folded == point or folded.startswith(point.rstrip(os.sep) + os.sep)
        # Of two on one point the later one covers the earlier.
        if inside and (best is None or len(point) >= len(best.point)):
            best = mount
    return best.kind if best is not None else None
