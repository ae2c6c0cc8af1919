"""What clients may send, driven through the whole inbound path: the sans-IO core, the link, the session, the hub.

The first byte of an input says how the rest is read: as bytes of the network, or as a list of frames to be made.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from fastcore.streaming import Grant, Hub, Limits
from fastcore.streaming.session import Session
from fastcore.streaming.uvicorn import _DEFLATE, HubLink
from tests.streaming.raw_client import CLOSE, deflated, frame

LIMITS = Limits(message_size=4096, message_rate=1000.0, message_burst=100, subscriptions=8, topic_length=20)


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = False

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None

    def writelines(self, lines: Any) -> None:
        self.written += b"".join(lines)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def opened(deflate: bool) -> ServerProtocol:
    """A core whose handshake is over."""
    conn = ServerProtocol(extensions=[_DEFLATE] if deflate else None)
    headers = Headers(
        {
            "Host": "h",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version": "13",
        }
    )
    if deflate:
        headers["Sec-WebSocket-Extensions"] = "permessage-deflate"
    request = Request("/stream", headers)
    conn.receive_data(request.serialize())
    [event] = conn.events_received()
    assert isinstance(event, Request)
    conn.send_response(conn.accept(event))
    assert b"101" in conn.data_to_send()[0]
    return conn


def chunks_of(data: bytes) -> list[bytes]:
    """The bytes that an input stands for, in the pieces they come in."""
    if not data:
        return []
    mode, rest = data[0], data[1:]
    if mode & 1:
        size = (mode >> 2) + 1
        return [rest[at : at + size] for at in range(0, len(rest), size)]
    found = []
    while len(rest) >= 2:
        head, length = rest[0], rest[1]
        payload, rest = rest[2 : 2 + length], rest[2 + length :]
        if head & 0x40:
            payload = deflated(payload)
        found.append(frame(head & 0x0F, payload, fin=bool(head & 0x80), rsv=head >> 4 & 7))
    return found if mode & 2 else [b"".join(found)]


def frames_in(data: bytes) -> list[tuple[int, bytes]]:
    """Opcodes and payloads of what was written; it must be whole frames of a server."""
    found = []
    at = 0
    while at < len(data):
        first, length = data[at], data[at + 1]
        assert length < 0x80, "a server must not mask"
        assert first & 0x80, "a hub does not fragment"
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        assert at + length <= len(data), "half a frame was written"
        found.append((first & 0x0F, bytes(data[at : at + length])))
        at += length
    return found


async def drive(data: bytes) -> None:
    """Feed one input to a fresh client of a hub with topics; raises where a promise is broken."""
    mode = data[0] if data else 0
    token = bool(mode & 0x10)
    hub = Hub(limits=LIMITS, history=3, authenticate=(lambda token: token == "t") if token else None)
    await hub.start()
    hub.publish("a", 1)
    hub.publish("a.b", {"x": b"y" * 300}, key="k")
    transport = FakeTransport()
    connections: set[Any] = set()
    link = HubLink(hub, transport, opened(bool(mode & 0x20)), connections)
    assert hub.clients.seats.take("1.2.3.4") == 0
    session = link.session = Session(hub.clients, link, "1.2.3.4")
    connections.add(link)
    hub.clients.add(session)
    link.begin()
    session.open(None if token else Grant(), None)
    used = time.process_time()
    for chunk in chunks_of(data):
        if transport.closing:
            break
        link.data_received(chunk)
        await asyncio.sleep(0)
    for _ in range(3):
        hub.publish("a", 2)
        await asyncio.sleep(0)
    assert time.process_time() - used < 20, "an input of this size must not take so long"
    written = frames_in(bytes(transport.written))
    closes = [n for n, (opcode, _) in enumerate(written) if opcode == CLOSE]
    assert closes in ([], [len(written) - 1]), "nothing comes after a close"
    if closes or transport.closing:
        assert session.closed
    if session.closed:
        assert len(hub) == 0
        assert hub.clients.seats.taken == 0
        assert not hub._fan._audiences
    link.connection_lost(None)
    assert len(hub.clients) == 0
    assert hub.clients.seats.taken == 0
    assert not connections
    await hub.aclose()


def seeds() -> list[bytes]:
    """Inputs to begin with."""
    import msgpack

    messages = [
        [0, {"token": "t", "topics": ["a", "a.*"], "since": ["e", {"a": 1}], "newest": True}],
        [3, 1, ["a", ">"], {"since": ["e", {"a": 0}]}],
        [3, 2, ["a..b"]],
        [4, 3, ["a"]],
        [6],
        [8, 4, "t"],
        [99],
    ]
    packed = [msgpack.packb(message) for message in messages]
    found = []
    for mode in (0x00, 0x02, 0x10, 0x20, 0x30):
        found += [bytes([mode, 0x82, len(one)]) + one for one in packed]
        found.append(bytes([mode]) + b"".join(bytes([0x82, len(one)]) + one for one in packed))
        found.append(bytes([mode, 0x02, 1]) + b"\x93" + bytes([0x89, 1]) + b"p" + bytes([0x80, 3]) + b"\x03\x01\x90")
        found.append(bytes([mode, 0x88, 2, 3, 232, 0x82, 1, 0x90]))
    found.append(bytes([0x20, 0xC2, 2]) + b"\x91\x06")
    for chop in (0x01, 0xFD):
        found.append(bytes([chop]) + b"".join(frame(2, one) for one in packed))
    return found
