"""Reads at a fixed rate over a fixed number of connections, without a task for each: the load must not be the limit."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from examples.market_desk.http_client import Answer, Connection, connect, get_request

__all__ = ["OpenReads"]

TURN = 16  # requests that are late, sent in one turn of the loop
AT_ONCE = 20  # connections that are opened


class OpenReads:
    """Sends requests when they are due, whether or not earlier ones were answered; what finds no free connection waits.

    Parameters
    ----------
    port : int
    connections : int
        As a proxy in front of the server keeps.
    path : callable
        ``path()`` gives the next request's path and query.
    check : callable
        ``check(answer, sent)`` raises ValueError for a wrong answer; `sent` is in seconds since 1970.
    answered, failed : callable
        ``answered(seconds)`` is called for each right answer, with the seconds since its request was due, and
        ``failed(error)`` for each other request.
    limit : float
        Seconds after which a request has failed.
    """

    def __init__(
        self,
        port: int,
        connections: int,
        path: Callable[[], str],
        check: Callable[[Answer, float], None],
        *,
        answered: Callable[[float], None],
        failed: Callable[[Exception], None],
        limit: float,
    ) -> None:
        self._port, self._connections, self._limit = port, connections, limit
        self._path, self._check, self._answered, self._failed = path, check, answered, failed
        self._all: list[Connection] = []
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()  # when requests without a connection were due
        self._open, self._over = 0, False  # requests without an answer so far; whether the run has ended
        self._opening: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    async def run(self, rate: float, seconds: float) -> None:
        """Send `rate` requests a second for some seconds, and wait for the answers."""
        for start in range(0, self._connections, AT_ONCE):
            await asyncio.gather(*(self._connect() for _ in range(start, min(start + AT_ONCE, self._connections))))
        began = time.perf_counter()
        for n in range(int(rate * seconds)):
            due = began + n / rate
            if (early := due - time.perf_counter()) > 0 or n % TURN == 0:  # answers must have their turns
                await asyncio.sleep(max(0.0, early))
            self._open += 1
            if self._free:
                self._send(self._free.pop(), due)
            else:
                self._waiting.append(due)
        self._ended.clear()
        if self._open:
            try:
                async with asyncio.timeout(self._limit):
                    await self._ended.wait()
            except TimeoutError:
                for _ in range(self._open):
                    self._failed(TimeoutError(f"no answer within {self._limit:g} s"))
        self._over = True
        for connection in self._all:
            connection.close()

    async def _connect(self) -> None:
        try:
            connection = await connect(self._port)
        except OSError as error:
            self._fail(error)
            return
        if self._over:
            connection.close()
            return
        self._all = [*(one for one in self._all if not one.closed), connection]
        self._use(connection)

    def _fail(self, error: Exception) -> None:
        """Fail the request that has waited longest: it could have had the connection."""
        if self._waiting:
            self._waiting.popleft()
            self._failed(error)
            self._close_one()

    def _use(self, connection: Connection) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _send(self, connection: Connection, due: float) -> None:
        if connection.closed:
            self._waiting.appendleft(due)
            self._reopen()
            return
        asked = connection.send(get_request(self._port, self._path()))
        asked.add_done_callback(partial(self._done, connection, due, time.time()))

    def _done(self, connection: Connection, due: float, sent: float, asked: asyncio.Future[Answer]) -> None:
        took = time.perf_counter() - due
        if self._over:
            asked.exception()
            return
        try:
            self._check(asked.result(), sent)
            if took > self._limit:
                raise TimeoutError(f"no answer within {self._limit:g} s")
            self._answered(took)
        except (OSError, EOFError, ValueError) as error:
            self._failed(error)
        self._close_one()
        if connection.closed:
            self._reopen()
        else:
            self._use(connection)

    def _close_one(self) -> None:
        self._open -= 1
        if not self._open:
            self._ended.set()

    def _reopen(self) -> None:
        task = asyncio.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
