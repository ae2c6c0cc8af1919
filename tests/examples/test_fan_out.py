"""The two fan-outs: the original's connection manager, and the hub; clients stay with the one that took them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from examples.market_desk.connection_manager import ConnectionManager
from examples.market_desk.desk import MarketDesk
from examples.market_desk.prices import load_market
from examples.market_desk.wire import HEARTBEAT, Reader
from fastcore import flags

pytestmark = pytest.mark.backend_independent

TOPICS = ("prices.AAPL", "prices.IBM", "news.IBM")
MESSAGES = [(topic, {"topic": topic, "seq": 1, "filler": "x" * 100}) for topic in TOPICS]


class Socket:
    """As much of a Starlette WebSocket as the desk uses."""

    def __init__(self, topics: str = "") -> None:
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "query_string": f"topics={topics}".encode(),
            "headers": [],
            "subprotocols": [],
            "client": ("127.0.0.1", 1),
            "path": "/stream",
        }
        self.sent: list[bytes] = []
        self.cut = False
        self.left: asyncio.Event = asyncio.Event()
        self._asked = 0

    async def accept(self) -> None:
        self._asked = 1

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = 1
            return {"type": "websocket.connect"}
        await self.left.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await self.send_bytes(message["bytes"])

    async def send_bytes(self, data: bytes) -> None:
        if self.cut:
            raise RuntimeError("the connection is closed")
        self.sent.append(data)


def subscribe(manager: ConnectionManager, words: str) -> Socket:
    socket = Socket()
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


def test_a_disconnected_client_is_removed() -> None:
    async def talk() -> None:
        manager = ConnectionManager(TOPICS)
        lost, well = subscribe(manager, "prices.*"), subscribe(manager, "prices.*")
        lost.cut = True
        await manager.broadcast(MESSAGES)
        assert list(manager.subscriptions) == [well]
        assert (len(well.sent), manager.sent) == (2, 2)
        manager.unsubscribe(lost)  # type: ignore[arg-type]

    asyncio.run(talk())


@pytest.fixture
def desk() -> Iterator[MarketDesk]:
    yield MarketDesk(load_market(), rate=4)
    flags.clear("realtime_streaming")


def tick(seq: int) -> list[tuple[str, dict[str, Any]]]:
    return [(topic, {"topic": topic, "seq": seq, "close": 1.5}) for topic in ("prices.AAPL", "prices.IBM")]


def heard(socket: Socket) -> list[tuple[str, int]]:
    reader = Reader()
    return [(message["topic"], message["seq"]) for data in socket.sent for message in reader.read(data)]


def test_clients_of_either_fan_out_receive_every_tick_after_the_flag_changes(desk: MarketDesk) -> None:
    async def talk() -> tuple[Socket, Socket]:
        old, new = Socket("prices.IBM"), Socket("prices.IBM")
        tasks = []
        for mode, socket in (("control", old), ("candidate", new)):
            flags.set("realtime_streaming", mode)
            tasks.append(asyncio.create_task(desk.stream(socket, "prices.IBM")))  # type: ignore[arg-type]
            while len(tasks) > len(desk.connections.subscriptions) + len(desk.hub):
                await asyncio.sleep(0)
        assert (len(desk.connections.subscriptions), len(desk.hub)) == (1, 1)
        for seq, mode in enumerate(("candidate", "control", "ramp:50", "candidate")):
            flags.set("realtime_streaming", mode)
            await desk.broadcast(tick(seq))
            await desk._send_to_others(tick(seq))
        while len(heard(new)) < 4:
            await asyncio.sleep(0)
        assert desk.status()["clients"] == 2
        for socket in (old, new):
            socket.left.set()
        await asyncio.gather(*tasks)
        return old, new

    old, new = asyncio.run(talk())
    assert heard(old) == heard(new) == [("prices.IBM", seq) for seq in range(4)]


def test_an_unknown_topic_is_refused_by_both(desk: MarketDesk) -> None:
    for mode in ("control", "candidate"):
        flags.set("realtime_streaming", mode)
        with pytest.raises(ValueError, match=r"got 'prices\.TSLA'"):
            asyncio.run(desk.stream(Socket(), "prices.TSLA"))  # type: ignore[arg-type]


def test_the_client_reads_both_formats() -> None:
    plain = {"topic": "prices.IBM", "seq": 1}
    reader = Reader()
    assert reader.read(msgpack.packb(plain)) == [plain]
    welcome = [0, {"v": 1}], [3, 0, [["prices.IBM", 7, 0, 0]]]
    assert reader.read(b"".join(map(msgpack.packb, welcome))) == []
    assert reader.read(msgpack.packb([1, 7, 1, plain, "IBM"]) + HEARTBEAT) == [plain]
    assert reader.pinged == 1
    with pytest.raises(ValueError, match=r"expected a msgpack map with topic and seq"):
        reader.read(msgpack.packb([1, 7, 1, {"topic": "prices.FB", "seq": 1}]))
    with pytest.raises(ValueError):
        reader.read(msgpack.packb([5, 0, 103, "not allowed"]))
