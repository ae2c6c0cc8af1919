"""What a child process runs: the task's function, and reports of its progress."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastcore.concurrency.child_process import Call, packed, serve_each, tell
from fastcore.tasks.codec import Codec
from fastcore.tasks.current import running
from fastcore.tasks.middleware import call_through
from fastcore.tasks.records import Encoded, Payload
from fastcore.tasks.task import Task

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["HERE", "LONGEST", "NUDGE", "NUDGED", "Attempt", "call_encoded", "head_of", "message", "serve_tasks"]

Around = tuple[Callable[..., Any], ...]
"""Middleware, the first outermost."""
LONGEST = 64 << 10
"""Bytes of a message that goes through the socket; a longer one through the pipe."""
HERE = b"\0"
"""In the socket: the message is in the pipe."""
NUDGE = b"\1"
"""In the socket: say NUDGED."""
NUDGED = ()
_PAUSE = 0.05  # seconds between two progress reports: more would not be seen


class Attempt:
    """An attempt as its code sees it in another process."""

    stop_requested = False  # to stop it, the process is ended

    def __init__(self, id: str, kind: str, attempt: int, send: Callable[[Any], object]) -> None:
        self.id = id
        self.kind = kind
        self.attempt = attempt
        self._send = send
        self._pid = os.getpid()
        self._lock = threading.Lock()  # held while a report is sent, so that they stay in order
        self._sent_at = -_PAUSE
        self._waiting: tuple[float | None, str] | None = None
        self._timer: threading.Timer | None = None

    def report(self, fraction: float | None, note: str) -> None:
        """Send a report; one too soon after the last waits for the rest of the pause, and the newest is sent then."""
        if os.getpid() != self._pid:  # forked by the task's code: the lock may be held by a thread that is not here
            return
        with self._lock:
            now = time.perf_counter()  # the finest: Windows may move the others every 16 ms only
            self._waiting = fraction, note
            if now - self._sent_at >= _PAUSE:
                self._send_waiting(now)
            elif self._timer is None:
                self._timer = threading.Timer(self._sent_at + _PAUSE - now, self._send_late)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Send the waiting report."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._send_waiting(time.perf_counter())

    def _send_late(self) -> None:
        with self._lock, contextlib.suppress(Exception):  # without a parent the process ends soon
            self._timer = None
            self._send_waiting(time.perf_counter())

    def _send_waiting(self, now: float) -> None:
        report, self._waiting = self._waiting, None
        if report is not None:
            self._sent_at = now
            self._send((self.id, self.attempt, *report))


def serve_tasks(conn: Connection[Any, Any], waiting: socket.socket | None) -> None:
    """Answer messages, as `message` makes them, until the parent hangs up or has ended."""
    buffer = memoryview(bytearray(LONGEST))
    known: dict[bytes, tuple[Any, str, Codec, Around]] = {}

    def calling(message: list[bytes | memoryview]) -> Call:
        def call() -> tuple[Any, str]:
            head, payload, id, attempt, announce = pickle.loads(message.pop())
            found = known.get(head)
            if found is None:
                found = known[head] = pickle.loads(head)
            task, kind, codec, around = found
            return _run(task, kind, payload, id, attempt, codec, around, announce), kind

        return call

    def receive() -> Call:
        if waiting is None:
            return calling([conn.recv_bytes()])
        while (size := waiting.recv_into(buffer)) == 1:
            if buffer[:1] == HERE:
                return calling([conn.recv_bytes()])
            tell(NUDGED)
        if not size:
            raise EOFError
        return calling([buffer[:size]])

    serve_each(conn, receive)


def message(head: bytes, payload: Payload, id: str, attempt: int, announce: bool, name: str) -> bytes:
    """Return an attempt as bytes; with `announce`, the parent is told None once the task's modules are imported.

    Raises
    ------
    TypeError
        If the arguments cannot be pickled.
    """
    return packed((head, payload, id, attempt, announce), name)


def head_of(task: Any, kind: str, codec: Codec, around: Around = ()) -> bytes:
    """Return what all attempts of a task share, as bytes."""
    return packed((task, kind, codec, around), kind)


def _run(
    task: Any, kind: str, payload: Payload, id: str, attempt: int, codec: Codec, around: Around, announce: bool
) -> Any:
    if announce:
        tell(None)
    here = Attempt(id, kind, attempt, tell)
    token = running.set(here)
    try:
        return call_encoded(task, here, payload, codec, around)
    finally:
        running.reset(token)
        here.flush()


def call_encoded(task: Any, here: Attempt, payload: Payload, codec: Codec, around: Around) -> Any:
    """Call a task's function, decoding what is encoded, and encoding the result then."""
    fn = task.fn if isinstance(task, Task) else task
    if not isinstance(payload, Encoded):
        args, kwargs = payload
        return call_through(around, fn, here, args, kwargs)
    args, kwargs = codec.decode_call(payload, here.kind)
    return codec.encode(call_through(around, fn, here, args, kwargs), f"result of {here.kind}")
