"""The event loop of Windows: asyncio's own proactor loop, on operations that a selector of Linux completes.

``asyncio.proactor_events`` is the same file on every system; what Windows adds is an object that begins operations and
says later that they are done (IOCP). Here an operation is tried when its socket is ready. So transports, their buffers
and what the loop refuses (readers, writers, signals, Unix sockets) are asyncio's own. Source:
docs.python.org/3/library/asyncio-platforms.html#windows; Lib/asyncio/windows_events.py. Not shown: operations that fail
only when they complete.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import subprocess
import threading
from asyncio import base_subprocess, proactor_events
from collections.abc import Callable
from typing import Any

__all__ = ["ProactorEventLoop", "proactor_by_default"]

_Operation = tuple[asyncio.Future[Any], Callable[[], Any]]


class Completions:
    """Operations that wait for their sockets."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[int, dict[int, list[_Operation]]] = {}
        self._loop: Any = None

    def set_loop(self, loop: Any) -> None:
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        for key, events in self._selector.select(timeout):
            for event in (selectors.EVENT_READ, selectors.EVENT_WRITE):
                if events & event:
                    self._complete(key.fd, event)
        return []  # completed futures have scheduled their callbacks themselves

    def _complete(self, fd: int, event: int) -> None:
        operations = self._waiting.get(fd, {}).get(event, [])
        while operations:
            future, attempt = operations[0]
            if not future.done():
                try:
                    future.set_result(attempt())
                except (BlockingIOError, InterruptedError):
                    break
                except OSError as error:
                    future.set_exception(error)
            operations.pop(0)
        self._watch(fd)

    def _begin(self, sock: Any, event: int, attempt: Callable[[], Any]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        fd = sock if isinstance(sock, int) else sock.fileno()
        queue = self._waiting.setdefault(fd, {}).setdefault(event, [])
        if not queue:
            try:
                future.set_result(attempt())
                return future
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                future.set_exception(error)
                return future
        queue.append((future, attempt))
        future.add_done_callback(lambda done: self._withdrawn(fd, event, done))
        self._watch(fd)
        return future

    def _withdrawn(self, fd: int, event: int, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            queue = self._waiting.get(fd, {}).get(event, [])
            queue[:] = [operation for operation in queue if operation[0] is not future]
            self._watch(fd)

    def _watch(self, fd: int) -> None:
        events = sum(event for event, queue in self._waiting.get(fd, {}).items() if queue)
        if fd < 0:
            return
        try:
            known = self._selector.get_map()[fd].events
        except KeyError:
            known = 0
        except TypeError:  # closed
            return
        if not events:
            self._waiting.pop(fd, None)
        if events == known:
            return
        if not events:
            self._selector.unregister(fd)
        elif known:
            self._selector.modify(fd, events)
        else:
            self._selector.register(fd, events)

    def recv(self, conn: Any, nbytes: int, flags: int = 0) -> asyncio.Future[Any]:
        if hasattr(conn, "recv"):
            return self._begin(conn, selectors.EVENT_READ, lambda: conn.recv(nbytes, flags))
        return self._begin(conn, selectors.EVENT_READ, lambda: os.read(conn.fileno(), nbytes))

    def recv_into(self, conn: Any, buf: Any, flags: int = 0) -> asyncio.Future[Any]:
        if hasattr(conn, "recv_into"):
            return self._begin(conn, selectors.EVENT_READ, lambda: conn.recv_into(buf, 0, flags))
        return self._begin(conn, selectors.EVENT_READ, lambda: os.readv(conn.fileno(), [buf]))

    def recvfrom(self, conn: Any, nbytes: int, flags: int = 0) -> asyncio.Future[Any]:
        return self._begin(conn, selectors.EVENT_READ, lambda: conn.recvfrom(nbytes, flags))

    def send(self, conn: Any, buf: Any, flags: int = 0) -> asyncio.Future[Any]:
        """All of it, as WSASend does: the operation ends when the last byte is taken."""
        write = conn.send if hasattr(conn, "send") else lambda some, flags: os.write(conn.fileno(), some)
        left = memoryview(buf).cast("B")
        total = len(left)

        def attempt() -> int:
            nonlocal left
            while left:
                left = left[write(left, flags) :]
            return total

        return self._begin(conn, selectors.EVENT_WRITE, attempt)

    def sendto(self, conn: Any, buf: Any, flags: int = 0, addr: Any = None) -> asyncio.Future[Any]:
        return self._begin(conn, selectors.EVENT_WRITE, lambda: conn.sendto(buf, flags, addr))

    def accept(self, listener: Any) -> asyncio.Future[Any]:
        def attempt() -> Any:
            conn, address = listener.accept()
            conn.setblocking(False)
            return conn, address

        return self._begin(listener, selectors.EVENT_READ, attempt)

    def connect(self, conn: Any, address: Any) -> asyncio.Future[Any]:
        begun = False

        def attempt() -> Any:
            nonlocal begun
            if not begun:
                begun = True
                try:
                    conn.connect(address)
                except BlockingIOError:
                    raise
            elif error := conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, f"Connect call failed {address}")
            return conn

        return self._begin(conn, selectors.EVENT_WRITE, attempt)

    def sendfile(self, *args: Any) -> Any:
        raise NotImplementedError("the stand-in sends no files")

    def _stop_serving(self, obj: Any) -> None:
        """Forget a socket that is about to be closed."""
        fd = obj.fileno()
        for queue in self._waiting.pop(fd, {}).values():
            for future, _ in queue:
                future.cancel()
        if fd >= 0:
            try:
                self._selector.unregister(fd)
            except (KeyError, ValueError):
                pass

    def close(self) -> None:
        self._selector.close()


class ProactorEventLoop(proactor_events.BaseProactorEventLoop):
    """What ``asyncio.ProactorEventLoop`` is on Windows."""

    def __init__(self, proactor: Any = None) -> None:
        super().__init__(Completions() if proactor is None else proactor)

    def run_forever(self) -> None:
        future = None
        try:
            assert self._self_reading_future is None
            self.call_soon(self._loop_self_reading)
            super().run_forever()
        finally:
            future, self._self_reading_future = self._self_reading_future, None
            if future is not None:
                future.cancel()

    async def _make_subprocess_transport(
        self, protocol: Any, args: Any, shell: bool, stdin: Any, stdout: Any, stderr: Any, bufsize: int,
        extra: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        waiter = self.create_future()
        found = _Subprocess(
            self, protocol, args, shell, stdin, stdout, stderr, bufsize, waiter=waiter, extra=extra, **kwargs
        )
        try:
            await waiter
        except BaseException:
            found.close()
            await found._wait()
            raise
        return found


class _Subprocess(base_subprocess.BaseSubprocessTransport):
    def _start(self, args: Any, shell: bool, stdin: Any, stdout: Any, stderr: Any, bufsize: int, **kwargs: Any) -> None:
        process = subprocess.Popen(
            args, shell=shell, stdin=stdin, stdout=stdout, stderr=stderr, bufsize=bufsize, **kwargs
        )
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        self._proc = process
        threading.Thread(target=self._await_end, args=(process,), daemon=True).start()

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        try:
            self._loop.call_soon_threadsafe(self._process_exited, status)
        except RuntimeError:  # the loop was closed first
            pass


class ProactorPolicy(asyncio.DefaultEventLoopPolicy):
    _loop_factory = ProactorEventLoop


def proactor_by_default() -> None:
    """Let every new loop be one, as on Windows since Python 3.8."""
    vars(asyncio)["ProactorEventLoop"] = ProactorEventLoop
    asyncio.set_event_loop_policy(ProactorPolicy())
