"""TaskSlot: a child process with its next tasks at hand, any of which can be taken back until it has begun."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastcore.concurrency.child_process import ChildProcess
from fastcore.tasks.executors.process.child_main import HERE, LONGEST, NUDGE, serve_tasks

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["TaskProcess"]

_ROOM = 96 << 10  # bytes of messages on their way, well below what a socket holds
_AT_A_TIME = 1 << 16
_UNIX: int = getattr(socket, "AF_UNIX", -1)
_AT_ONCE: int = getattr(socket, "MSG_DONTWAIT", 0)


def _has_packets() -> bool:
    """Whether there are pairs of sockets that keep messages apart: macOS has their name, and not the sockets."""
    if os.name != "posix" or not (hasattr(socket, "AF_UNIX") and hasattr(socket, "SOCK_SEQPACKET")):
        return False
    try:
        ends = socket.socketpair(_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return False
    for end in ends:
        end.close()
    return True


class TaskProcess(ChildProcess):
    """A child that is given messages, and answers them in order.

    Messages wait in a socket that keeps them apart and from which parent and child both receive, so each has one taker:
    `withdraw` gives back those that the child has not begun, exactly. Where the system has no such sockets, a message
    is posted when the one before is answered, through the pipe.
    """

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self._to_child: socket.socket | None = None
        self._waiting: socket.socket | None = None  # the child's end, which is ours as well
        self._sizes: list[int] = []  # of posted messages that may wait; newest last
        self._heard = bytearray()

    deep = _has_packets()
    """Whether more than one message can be posted."""

    def open(self, name: str) -> None:
        """Start a child if there is none; raises ProcessDied if that cannot be done."""
        try:
            self._connected(name)
        finally:
            self.spare()

    def post(self, message: bytes) -> bool:
        """Hand a message to the child; False if there is no room for it now.

        A long message takes the pipe, and is refused until all others are answered: see `blocks`.
        """
        if self._to_child is None or self.blocks(message):
            if self._sizes:
                return False
            self._sizes.append(0)
            try:
                if self._to_child is not None:
                    self._to_child.send(HERE)
                if self._conn is not None:
                    self._conn.send_bytes(message)
            except OSError:
                pass  # the child is gone, and `answers` says so
            return True
        if sum(self._sizes) + len(message) > _ROOM or 0 in self._sizes:
            return False
        try:
            self._to_child.send(message, _AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            pass
        self._sizes.append(len(message))
        return True

    def blocks(self, message: bytes) -> bool:
        """Whether `post` may wait until the child has read this."""
        return self._to_child is None or len(message) > LONGEST

    def withdraw(self) -> int:
        """Take back the messages that the child has not received; returns how many: the last ones posted."""
        number = 0
        while self._waiting is not None and self._sizes and self._sizes[-1]:
            try:
                begins = self._waiting.recv(1, _AT_ONCE)  # and the rest of the message is dropped
            except OSError:
                break
            number += begins != NUDGE
        if number:
            del self._sizes[-number:]
        return number

    def nudge(self) -> None:
        """Have the child answer, so that a thread that waits in `answers` continues."""
        if self._to_child is not None:
            try:
                self._to_child.send(NUDGE, _AT_ONCE)
            except OSError:
                pass

    def answered(self) -> None:
        """Note that the oldest message was answered, or died with its child."""
        del self._sizes[:1]

    def answers(self) -> list[bytes]:
        """Wait for answers and words, and return them; raises EOFError at the end of the child."""
        conn = self._conn
        if conn is None:
            raise EOFError
        if sys.platform == "win32":  # its pipes are no descriptors, and keep messages apart
            return [conn.recv_bytes()]
        heard = self._heard
        found: list[bytes] = []
        try:
            while not found:
                some = os.read(conn.fileno(), _AT_A_TIME)
                if not some:
                    raise EOFError
                heard += some
                found = _frames(heard)
        except OSError:
            raise EOFError from None
        return found

    def death(self, expected: str) -> BaseException:
        """Release a dead child, and return the ProcessDied that says so."""
        return self._death(expected)

    def hang_up(self) -> None:
        super().hang_up()
        self._let_go()

    def forget(self) -> None:
        super().forget()
        self._let_go()

    def _let_go(self) -> None:
        for end in (self._to_child, self._waiting):
            if end is not None:
                end.close()
        self._to_child = self._waiting = None
        self._sizes.clear()

    def _start(self) -> Connection[Any, Any]:
        self._heard.clear()
        if self.deep:
            self._to_child, self._waiting = socket.socketpair(_UNIX, socket.SOCK_SEQPACKET)
        return super()._start()

    def _service(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        return serve_tasks, (self._waiting,)


def _frames(heard: bytearray) -> list[bytes]:
    """Take whole messages from what was read, as `multiprocessing.connection` writes them."""
    found = []
    at = 0
    while len(heard) - at >= 4:
        (size,) = struct.unpack_from("!i", heard, at)
        begin = at + 4
        if size == -1:
            if len(heard) - begin < 8:
                break
            (size,) = struct.unpack_from("!Q", heard, begin)
            begin += 8
        if size < 0:
            raise ValueError(f"expected the size of an answer, got {size}")
        if len(heard) < begin + size:
            break
        found.append(bytes(memoryview(heard)[begin : begin + size]))
        at = begin + size
    del heard[:at]
    return found
