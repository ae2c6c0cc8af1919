"""Subscriptions, and the shared-frame broadcast on connections that are slow, closed or out of reach."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import msgpack
import pytest

from examples.market_desk.connection_manager import ConnectionManager
from examples.market_desk.shared_frames import EXTENSION, SharedFrames

pytestmark = pytest.mark.backend_independent

TOPICS = ("prices.AAPL", "prices.IBM", "news.IBM")
MESSAGES = [(topic, {"topic": topic, "seq": 1, "filler": "x" * 100}) for topic in TOPICS]


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.unsent = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True


class Connection:
    def __init__(self) -> None:
        self.transport = Transport()
        self.open = True

    def is_open(self) -> bool:
        return self.open


class Socket:
    """As much of a Starlette WebSocket as the broadcasts use."""

    def __init__(self, connection: Connection | None) -> None:
        self.scope = {"extensions": {} if connection is None else {EXTENSION: connection}}
        self.sent: list[bytes] = []
        self.gone = False

    async def send_bytes(self, data: bytes) -> None:
        if self.gone:
            raise RuntimeError("gone")
        self.sent.append(data)


def frames(data: bytes) -> list[Any]:
    found = []
    while data:
        assert data[:2] == b"\x82\x7e"
        (size,) = struct.unpack(">H", data[2:4])
        found.append(msgpack.unpackb(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


def subscribe(manager: ConnectionManager, words: str, connection: Connection | None = None) -> Socket:
    socket = Socket(connection)
    manager.subscribe(socket, manager.resolve(words))  # type: ignore[arg-type]
    return socket


def test_topics_are_resolved() -> None:
    manager = ConnectionManager(TOPICS)
    assert manager.resolve("prices.IBM") == {"prices.IBM"}
    assert manager.resolve("prices.*,news.IBM") == set(TOPICS)
    assert manager.resolve("*") == set(TOPICS)
    assert manager.resolve("") == set()
    with pytest.raises(ValueError, match=r"got 'prices\.I'"):
        manager.resolve("prices.IBM,prices.I")


def test_both_broadcasts_deliver_the_same() -> None:
    manager = ConnectionManager(TOPICS)
    wanted = ("prices.IBM", "prices.*", "news.*", "*", "")
    plain = [subscribe(manager, words) for words in wanted]
    asyncio.run(manager.broadcast(MESSAGES))
    sent = manager.sent

    manager = ConnectionManager(TOPICS)
    connections = [Connection() for _ in wanted]
    for words, connection in zip(wanted, connections):
        subscribe(manager, words, connection)
    asyncio.run(SharedFrames(manager).broadcast(MESSAGES))
    for socket, connection in zip(plain, connections):
        assert frames(b"".join(connection.transport.written)) == [msgpack.unpackb(data) for data in socket.sent]
        assert len(connection.transport.written) <= 1
    assert manager.sent == sent == 1 + 2 + 1 + 3


def test_clients_of_the_same_topics_are_given_the_same_object() -> None:
    manager = ConnectionManager(TOPICS)
    connections = [Connection() for _ in range(600)]
    for connection in connections:
        subscribe(manager, "prices.*", connection)
    asyncio.run(SharedFrames(manager).broadcast(MESSAGES))
    assert len({id(connection.transport.written[0]) for connection in connections}) == 1


def test_slow_clients_are_cut_and_closed_ones_left_alone() -> None:
    manager = ConnectionManager(TOPICS)
    slow, closed, well = Connection(), Connection(), Connection()
    for connection in (slow, closed, well):
        subscribe(manager, "*", connection)
    slow.transport.unsent, closed.open = 1001, False
    shared = SharedFrames(manager, limit=1000)
    asyncio.run(shared.broadcast(MESSAGES))
    assert slow.transport.aborted
    assert not closed.transport.written
    assert shared.closed_slow == 1
    asyncio.run(shared.broadcast(MESSAGES))
    assert [len(c.transport.written) for c in (slow, closed, well)] == [1, 0, 2]
    assert len(manager.subscriptions) == 2


@pytest.mark.parametrize("shared", [False, True])
def test_a_disconnected_client_is_removed(shared: bool) -> None:
    manager = ConnectionManager(TOPICS)
    gone, well = subscribe(manager, "prices.*"), subscribe(manager, "prices.*")
    gone.gone = True
    asyncio.run(SharedFrames(manager).broadcast(MESSAGES) if shared else manager.broadcast(MESSAGES))
    assert list(manager.subscriptions) == [well]
    assert len(well.sent) == 2
    manager.unsubscribe(gone)  # type: ignore[arg-type]
