"""A backplane for the workers of one host, without a server process: one worker hosts, the others connect to it."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import time
from collections import OrderedDict
from typing import Any, Literal

from fastcore.concurrency.checks import count, number
from fastcore.concurrency.waiting import happened
from fastcore.streaming.backplanes.backplane import BackplaneFull, BackplaneState, Key, Sink, check_publish
from fastcore.streaming.backplanes.unixbus import wire
from fastcore.streaming.backplanes.unixbus.host import BEAT_EVERY, Host, receive
from fastcore.streaming.backplanes.unixbus.log import Log, Logged
from fastcore.streaming.backplanes.unixbus.rendezvous import Rendezvous
from fastcore.streaming.backplanes.unixbus.wire import Line, packed

__all__ = ["UnixBus"]

_log = logging.getLogger("fastcore.streaming")

SILENT = 6 * BEAT_EVERY  # seconds after which a silent host is considered stuck
RETRY = (0.005, 0.05)  # seconds between two attempts to host or to connect


class UnixBus:
    """Carries messages between the hubs of this machine's workers, over a Unix socket.

    The worker that gets the lock hosts: it numbers. When it ends, another takes over, and what the others have
    published in the meantime is numbered then, each message once. ``docs/protocol.md`` says when the epoch stays.

    Parameters
    ----------
    path : str or path, default "hub"
        Of the socket; a bare name means one in a directory only this user can use. The same for all workers.
    transport : {"auto", "unix", "tcp"}
        "tcp" goes over loopback, with a secret in a file; "auto" takes it where there are no Unix sockets.
    history, history_bytes : int, default 10,000 and 16 MiB
        What every worker keeps of the last messages, for others that join or fall behind.
    max_keys : int, default 10,000
        Newest messages, of a topic and key each, that are kept beyond those.
    limit : int, default 16 MiB
        Bytes published here that may wait for a number.
    grace : float, default 1.0
        Seconds that a new host waits for those who were connected to the old one.

    Examples
    --------
    ::

        hub = Hub(backplane=UnixBus("desk"))

    Examples
    --------
    >>> from fastcore.streaming import Hub, UnixBus
    >>> hub = Hub(backplane=UnixBus("desk"))         # the same name in every worker of the machine
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "hub",
        *,
        transport: Literal["auto", "unix", "tcp"] = "auto",
        history: int = 10_000,
        history_bytes: int = 16 << 20,
        max_keys: int = 10_000,
        limit: int = 16 << 20,
        grace: float = 1.0,
    ) -> None:
        self.id = ""
        self.log = Log(count("history", history), count("history_bytes", history_bytes), count("max_keys", max_keys))
        self._place = Rendezvous(path, transport)
        self._limit = count("limit", limit)
        self._grace = number("grace", grace)
        self._sink: Sink | None = None
        self._task: asyncio.Task[None] | None = None
        self._host: Host | None = None
        self._line: Line | None = None  # to the host
        self._up = False  # numbers are handed out: own messages go straight on
        self._heard = 0.0
        self._n = 0
        self._pending: OrderedDict[int, tuple[str, Key, bytes]] = OrderedDict()
        self._pending_bytes = 0
        self._ready = asyncio.Event()
        self._empty = asyncio.Event()
        self._lost = asyncio.Event()

    # ---- as a backplane ----

    async def start(self, sink: Sink) -> None:
        """Host or connect; returns once there is a numbering."""
        if self._task is not None:
            raise RuntimeError("start: expected a bus that was not started, got one that was")
        self._sink = sink
        self.id = secrets.token_hex(8)  # not before: workers may be forked off an application that is there already
        self._task = asyncio.get_running_loop().create_task(self._run(), name="fastcore-unix-bus")
        waiting = asyncio.ensure_future(self._ready.wait())
        try:
            await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            task, self._task = self._task, None
            task.cancel()
            raise
        finally:
            waiting.cancel()
        if self._task.done():
            task, self._task = self._task, None  # so that it may be tried again
            task.result()

    def publish(self, topic: str, body: bytes, key: Key = None) -> None:
        """Hand over a message; it comes back with its number."""
        check_publish(topic, body, key)
        if self._task is None or self._task.done():
            raise RuntimeError("publish: expected a bus that was started and not closed, got another")
        size = len(body)
        if self._pending_bytes + size > self._limit and self._pending:
            raise BackplaneFull(f"publish: expected at most {self._limit} bytes waiting for the bus, got more")
        self._n += 1
        self._pending[self._n] = (topic, key, body)
        self._pending_bytes += size
        if self._up:
            self._hand_over(self._n, topic, key, body)

    def state(self) -> BackplaneState:
        """Return the state."""
        host = self._host
        silent = self._line is not None and time.monotonic() - self._heard > SILENT
        role = "closed" if self._task is None or self._task.done() else "member" if host is None else "host"
        nodes = 1 + (len(host.nodes) if host is not None else len(self._place.read_roster().nodes) - 1)
        return BackplaneState(
            self._up and not silent, role, self.log.epoch, self.log.offset, self._pending_bytes, max(nodes, 1)
        )

    async def aclose(self) -> None:
        """Wait a second at most until what was published here is numbered, then leave."""
        task = self._task
        if task is None or task.done():
            return
        if self._pending:
            self._empty.clear()
            await happened(self._empty, 1.0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    # ---- as a node ----

    def take(self, entry: Logged) -> None:
        """Keep a numbered message and deliver it."""
        self.log.append(entry)
        if entry.origin == self.id:
            self._number(entry.n)
        assert self._sink is not None
        try:
            self._sink.deliver(entry.published)
        except Exception:
            _log.exception("a message to %s was not delivered", entry.topic)

    def renew(self, epoch: str, floor: int, newest: list[Logged] | None) -> None:
        """Begin another numbering."""
        self.log.begin(epoch, floor, forget=newest is not None)
        for entry in newest or ():
            self.log.remember(entry)
        assert self._sink is not None
        self._sink.renew(epoch, floor, [entry.published for entry in newest or ()])

    def settled(self, seen: int) -> None:
        """Publish again, in order, the messages without a number."""
        for n in [n for n in self._pending if n <= seen]:
            self._number(n)
        self._up = True
        for n, (topic, key, body) in list(self._pending.items()):
            self._hand_over(n, topic, key, body)
        self._ready.set()

    def _number(self, n: int) -> None:
        found = self._pending.pop(n, None)
        if found is not None:
            self._pending_bytes -= len(found[2])
        if not self._pending:
            self._empty.set()

    def _hand_over(self, n: int, topic: str, key: Key, body: bytes) -> None:
        if self._host is not None:
            self._host.publish(self.id, n, topic, key, body)
        elif self._line is not None:
            self._line.send(packed(wire.PUBLISH, n, topic, key, body))

    # ---- the task ----

    async def _run(self) -> None:
        try:
            while True:
                if self._place.lock():
                    try:
                        self._host = Host(self, self._place, self._grace)
                        await self._host.run()
                    finally:
                        self._up = False
                        self._host = None
                        self._place.unlock()
                else:
                    await self._follow()
                    await asyncio.sleep(random.uniform(*RETRY))
        except Exception:
            _log.exception("the bus at %s has failed", self._place.path)
            raise
        finally:
            self._up = False

    async def _follow(self) -> None:
        """Stay connected to the current host for as long as it runs."""
        self._lost.clear()
        line = Line(self._from_host, lambda line: self._lost.set(), trusted=True)
        try:
            await self._place.connect(lambda: line)
        except OSError:
            return  # it is about to listen, or has just ended
        self._line = line
        self._heard = time.monotonic()
        try:
            line.send(packed(wire.HELLO, wire.VERSION, self.id, self._place.secret, self.log.epoch, self.log.offset))
            await self._lost.wait()
        finally:
            self._up = False
            self._line = None
            line.flush()
            if line.transport is not None:
                line.transport.close()

    def _from_host(self, line: Line, message: list[Any]) -> None:
        self._heard = time.monotonic()
        kind = message[0]
        if kind == wire.WANT:
            for frame in wire.transfer(self.log, message[1], message[2]):
                line.send(frame)
        elif kind == wire.RETIRE:
            line.close()
        elif receive(self, line, message):
            self.settled(self.log.seen(self.id))
