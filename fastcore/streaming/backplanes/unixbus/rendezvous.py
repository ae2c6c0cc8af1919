"""Rendezvous of the nodes of a bus: the host's lock, an address, and a list of the nodes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from fastcore._filelock import open_lock, try_lock
from fastcore.dispatch.private_files import move_into_place

__all__ = ["Rendezvous", "Roster"]

LONGEST = 100  # bytes of a socket's path that every system takes


class Roster(NamedTuple):
    """The nodes that were connected, and their epoch, as the host last wrote them."""

    epoch: str = ""
    host: str = ""
    nodes: tuple[str, ...] = ()


class Rendezvous:
    """A path and the files next to it: ``.lock``, ``.nodes`` and, over TCP, ``.port`` with the secret.

    Parameters
    ----------
    path : str or path
        Of the socket; a name without a directory means one in a directory of this user's own.
    transport : {"auto", "unix", "tcp"}
        "tcp" is loopback with a secret in a file only this user reads; "auto" takes it where there are no Unix sockets.
    """

    def __init__(self, path: str | os.PathLike[str], transport: str) -> None:
        if transport not in ("auto", "unix", "tcp"):
            raise ValueError(f"transport: expected one of auto, unix, tcp, got {transport!r}")
        unix = hasattr(socket, "AF_UNIX") and sys.platform != "win32"
        if transport == "unix" and not unix:
            raise ValueError("transport: expected tcp on this system, got unix")
        self.tcp = transport == "tcp" or not unix
        found = Path(path)
        self.path = _private_directory() / f"{found.name}.sock" if found.parent == Path(".") else found.absolute()
        if not self.tcp and len(os.fsencode(self.path)) > LONGEST:
            raise ValueError(f"path: expected at most {LONGEST} bytes for a socket, got {len(os.fsencode(self.path))}")
        self.secret = ""
        self._lock: int | None = None
        _places.add(self)

    # ---- the lock ----

    def lock(self) -> bool:
        """Try to become the host; the system releases the lock when the process ends, however it ends."""
        fd = open_lock(str(self._path_of(".lock")))
        try:
            taken = try_lock(fd)
        except OSError:
            taken = False
        if not taken:
            os.close(fd)
            return False
        self._lock = fd
        return True

    def unlock(self) -> None:
        """Release the lock, so that another worker hosts."""
        fd, self._lock = self._lock, None
        if fd is not None:
            os.close(fd)

    # ---- the address ----

    async def listen(self, factory: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
        """Listen, as the holder of the lock."""
        loop = asyncio.get_running_loop()
        if self.tcp or sys.platform == "win32":
            server: Any = await loop.create_server(factory, "127.0.0.1", 0)
            self.secret = secrets.token_hex(32)
            port = server.sockets[0].getsockname()[1]
            self._write(".port", {"port": port, "secret": self.secret})
            return server  # type: ignore[no-any-return]
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()  # of a host that died: only the holder of the lock may touch it
        listener = socket.socket(socket.AF_UNIX)
        try:
            before = os.umask(0o177)
            try:
                listener.bind(str(self.path))
            finally:
                os.umask(before)
            listener.setblocking(False)
            return await loop.create_unix_server(factory, sock=listener)
        except BaseException:
            listener.close()
            raise

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> Any:
        """Connect to the host; OSError if there is none."""
        loop = asyncio.get_running_loop()
        if not self.tcp:
            return (await loop.create_unix_connection(factory, str(self.path)))[1]
        try:
            told = json.loads(self._path_of(".port").read_text(encoding="utf-8"))
            self.secret = str(told["secret"])
            port = int(told["port"])
        except (ValueError, LookupError, TypeError) as error:
            raise OSError(f"bus: expected a port in {self._path_of('.port')}, got something else") from error
        return (await loop.create_connection(factory, "127.0.0.1", port))[1]

    # ---- who was there ----

    def read_roster(self) -> Roster:
        """Return the last host's list; an empty one if there is none that can be read."""
        try:
            told = json.loads(self._path_of(".nodes").read_text(encoding="utf-8"))
            return Roster(str(told["epoch"]), str(told["host"]), tuple(map(str, told["nodes"])))
        except (OSError, ValueError, LookupError, TypeError):
            return Roster()

    def write_roster(self, epoch: str, host: str, nodes: Iterable[str]) -> None:
        """Write the list to disk before a node gets a message that no other node may have."""
        self._write(".nodes", {"epoch": epoch, "host": host, "nodes": sorted(nodes)})

    def _path_of(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _write(self, suffix: str, told: dict[str, Any]) -> None:
        target = self._path_of(suffix)
        fresh = target.with_name(f"{target.name}.{os.getpid()}.{id(self):x}")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(told, file)
        move_into_place(str(fresh), str(target))

    def forget_lock(self) -> None:
        """In a forked child: the lock is the parent's, and must end with it."""
        self.unlock()


_places: weakref.WeakSet[Rendezvous] = weakref.WeakSet()


def _after_fork() -> None:
    for place in list(_places):
        place.forget_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _private_directory() -> Path:
    """Return a directory that only this user can use."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    made = Path(base) / f"fastcore-{owner}"
    made.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        found = made.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{made}: expected a directory of this user that no one else can use, got another")
    return made
