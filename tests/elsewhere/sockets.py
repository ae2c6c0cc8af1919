"""Sockets of macOS and of Windows.

macOS has no pairs of Unix sockets that keep messages apart, and paths of at most 104 bytes with the final zero.
Sources: ``man 2 socket`` of macOS lists SOCK_SEQPACKET as not supported for local sockets (EPROTONOSUPPORT);
``sys/un.h`` of macOS has ``char sun_path[104]``; github.com/python/cpython/blob/main/Lib/test/support/socket_helper.py.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import Any

from tests.elsewhere.late import when_imported

__all__ = ["SUN_PATH", "end_like_windows", "limit_unix_sockets"]

SUN_PATH = 104


def limit_unix_sockets() -> None:
    """Refuse what macOS refuses."""
    when_imported("socket", _limit)


def _limit(socket: Any) -> None:
    pair = socket.socketpair

    def socketpair(family: Any = None, type: int = 1, proto: int = 0) -> Any:
        if type & 0xF == socket.SOCK_SEQPACKET:
            raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")
        return pair(family, type, proto)

    socket.socketpair = socketpair
    for name in ("bind", "connect", "connect_ex"):
        setattr(socket.socket, name, _limited(getattr(socket.socket, name), socket.AF_UNIX))


def end_like_windows() -> None:
    """Shut down a socket whose peer has left without an error, and take a linger of two shorts.

    Source: learn.microsoft.com, "shutdown function (winsock.h)" and "linger structure (winsock.h)".
    """
    when_imported("socket", _end)


def _end(socket: Any) -> None:
    shutdown, setsockopt = socket.socket.shutdown, socket.socket.setsockopt

    def shutting(self: Any, how: int, /) -> None:
        try:
            shutdown(self, how)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    def setting(self: Any, level: int, name: int, value: Any, *rest: Any) -> None:
        if (level, name) == (socket.SOL_SOCKET, socket.SO_LINGER) and len(value) == struct.calcsize("HH"):
            value = struct.pack("ii", *struct.unpack("HH", value))
        setsockopt(self, level, name, value, *rest)

    socket.socket.shutdown, socket.socket.setsockopt = shutting, setting


def _limited(method: Any, unix: int) -> Any:
    def calling(self: Any, address: Any, /) -> Any:
        if self.family == unix and len(os.fsencode(address)) >= SUN_PATH:
            raise OSError("AF_UNIX path too long")
        return method(self, address)

    return calling
