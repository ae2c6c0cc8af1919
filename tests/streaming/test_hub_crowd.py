"""Many clients, some of whom stop reading: the others notice nothing, and the server keeps no more than it may."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import msgpack
import pytest
from starlette.applications import Starlette

from fastcore.streaming import Hub, Limits
from tests.fuzz.inbound import frames_in
from tests.streaming.raw_client import RawClient
from tests.streaming.running import WAIT, Running

CLIENTS, STUCK = 300, 15
BODY = b"x" * 2000


class Readers:
    """Reads for many clients in one thread, and keeps the offset each has come to."""

    def __init__(self, clients: list[RawClient]) -> None:
        self.last = dict.fromkeys(range(len(clients)), 0)
        self.faults: list[str] = []
        self._clients = clients
        self._rest = [bytearray() for _ in clients]
        self._selector = selectors.DefaultSelector()
        for number, client in enumerate(clients):
            client.sock.setblocking(False)
            self._selector.register(client.sock, selectors.EVENT_READ, number)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.05):
                number = key.data
                data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
                if not data:
                    self.faults.append(f"client {number} was closed")
                    self._selector.unregister(key.fileobj)
                    continue
                self._take(number, data)

    def _take(self, number: int, data: bytes) -> None:
        rest = self._rest[number]
        rest += data
        while len(rest) >= 4:
            size = {126: 4 + int.from_bytes(rest[2:4], "big")}.get(rest[1], 2 + rest[1])
            if len(rest) < size:
                return
            [(_, payload)] = frames_in(bytes(rest[:size]))
            del rest[:size]
            message = msgpack.unpackb(payload)
            if message[0] == 1:
                if message[2] <= self.last[number]:
                    self.faults.append(f"client {number} got {message[2]} after {self.last[number]}")
                self.last[number] = message[2]

    def until(self, offset: int) -> None:
        """Wait until every client has come to an offset."""
        end = time.monotonic() + WAIT
        while min(self.last.values()) < offset and not self.faults:
            assert time.monotonic() < end, f"clients are still at {min(self.last.values())}"
            time.sleep(0.002)

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(WAIT)
        self._selector.close()


@pytest.fixture
def hub_and_server() -> Iterator[tuple[Hub, Running]]:
    hub = Hub(policy="conflate", limits=Limits(backlog=60_000, stalled=600.0, linger=60.0), ping=600, pong=60)
    app = Starlette()
    hub.route(app)
    with Running(app) as server:
        yield hub, server


def test_clients_that_stop_reading_do_not_affect_others(hub_and_server: tuple[Hub, Running]) -> None:
    hub, server = hub_and_server
    with ExitStack() as stack:
        stuck = [stack.enter_context(RawClient(server.port, "/stream?topics=t", rcvbuf=4096)) for _ in range(STUCK)]
        others = [stack.enter_context(RawClient(server.port, "/stream?topics=t")) for _ in range(CLIENTS - STUCK)]
        server.until(lambda: len(hub) == CLIENTS)
        readers = stack.enter_context(Readers(others))
        published = 0

        def publish_until(condition: Callable[[], bool], key: Callable[[int], int], most: int) -> None:
            nonlocal published
            while not condition():
                for _ in range(10):
                    published += 1
                    hub.publish("t", BODY, key=key(published))
                readers.until(published)
                assert not readers.faults
                assert hub.stats().backlog_bytes <= STUCK * 60_000
                assert published < most

        publish_until(lambda: hub.stats().blocked == STUCK, lambda n: n % 10, 20_000)
        before = hub.stats().conflated
        publish_until(lambda: hub.stats().conflated > before + 20 * STUCK, lambda n: n % 10, 40_000)
        assert len(hub) == CLIENTS  # ten keys fit their limit, however long it takes
        assert server.call(lambda: hub.stats().backlog_bytes) <= STUCK * 11 * 2100
        publish_until(lambda: hub.stats().closed == {3008: STUCK}, lambda n: n, 60_000)
        assert server.call(lambda: hub.stats().backlog_bytes) == 0
        hub.publish("t", "the last")
        readers.until(published + 1)
        assert not readers.faults
        assert [client.closed() for client in stuck] == [3008] * STUCK
        assert len(hub) == CLIENTS - STUCK
