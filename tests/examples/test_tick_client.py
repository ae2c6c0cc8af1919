"""The light WebSocket client accepts exactly what a correct server sends, however TCP cuts it."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import Any

import msgpack
import pytest

from examples.market_desk.tick_client import ProtocolError, TickClient

pytestmark = pytest.mark.backend_independent


def binary(message: dict[str, Any], first: int = 0x82) -> bytes:
    payload = msgpack.packb(message)
    size = len(payload)
    head = bytes((first, size)) if size < 126 else bytes((first, 126)) + struct.pack(">H", size)
    return head + payload


def tick(seq: int, topic: str = "prices.IBM", **more: Any) -> dict[str, Any]:
    return {"topic": topic, "seq": seq, **more}


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 80)

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


def client(transport: Transport | None = None) -> TickClient:
    async def make() -> TickClient:
        made = TickClient("/stream", ("prices.IBM", "prices.FB"), deque())
        made.connection_made(transport or Transport())  # type: ignore[arg-type]
        return made

    return asyncio.run(make())


def test_frames_survive_every_cut() -> None:
    messages = [tick(7), tick(1, "prices.FB", filler="x" * 300), tick(8), tick(9, filler="y" * 70_000)]
    stream = b"".join(binary(m) for m in messages[:3])
    big = msgpack.packb(messages[3])
    stream += b"\x82\x7f" + struct.pack(">Q", len(big)) + big
    for cut in range(0, len(stream), 97):
        reader = client()
        assert reader.read(stream[:cut]) + reader.read(stream[cut:]) == messages
    reader = client()
    assert [m for i in range(len(stream) - 60_000) for m in reader.read(stream[i : i + 1])] == messages[:3]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (binary(tick(3)) + binary(tick(5)), "expected number 4 of prices.IBM, got 5"),
        (binary(tick(3)) + binary(tick(3)), "expected number 4 of prices.IBM, got 3"),
        (binary(tick(3, "prices.AAPL")), "got 'prices.AAPL'"),
        (b"\x82\x03\xc1\xc1\xc1", "expected a msgpack map"),
        (b"\x82\x01\x07", "expected a msgpack map"),
        (b"\x82\x85\0\0\0\0hello", "masked"),
        (b"\x81\x02hi", "opcode 1"),
        (binary(tick(1), first=0xC2), "reserved"),
        (binary(tick(1), first=0x02), "FIN"),
    ],
)
def test_messages_that_a_server_must_not_send(data: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        client().read(data)


def test_ping_is_answered_with_a_masked_pong_and_close_ends() -> None:
    transport = Transport()
    reader = client(transport)
    transport.written = b""
    assert reader.read(b"\x89\x04ping" + binary(tick(1))) == [tick(1)]
    assert transport.written == b"\x8a\x84\0\0\0\0ping"
    reader.read(b"\x88\x02\x03\xe8")
    assert transport.aborted


def test_upgrade_is_refused_without_the_right_key() -> None:
    async def attempt() -> None:
        transport = Transport()
        reader = TickClient("/stream", (), deque())
        reader.connection_made(transport)  # type: ignore[arg-type]
        reader.data_received(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
        with pytest.raises(ProtocolError, match="expected 101"):
            await reader.ready
        assert transport.aborted

    asyncio.run(attempt())
