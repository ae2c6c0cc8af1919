"""Fan-out in plain Python: every client has a list of messages; clients with the same list share its frames."""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Any

from python_fallback.framing.encode import Encoder, packb
from python_fallback.framing.options import named, pack_options
from python_fallback.shared.framing.checks import PACKING
from python_fallback.shared.framing.fanout import DATA, JOIN, FanoutRules, Sent
from python_fallback.shared.framing.topics import Topic
from python_fallback.shared.framing.websocket_frame import frame_packed

__all__ = ["Fanout"]


class Client:
    """A connection and its outbox."""

    __slots__ = ("backlog", "backlog_bytes", "blocked", "fd", "gone", "handle", "names", "pending", "window")

    def __init__(self, handle: Hashable, window: int, fd: int) -> None:
        self.handle = handle
        self.window = window
        self.fd = fd
        self.names: dict[str, Any] = {}  # its audience, for a pattern
        self.blocked = False
        self.gone = False
        self.backlog: dict[Any, Message] = {}
        self.backlog_bytes = 0
        self.pending: list[Message] = []


class Message:
    """A published message, framed once for each window it is deflated with."""

    __slots__ = ("deflate", "frames", "key", "offset", "payload", "size", "topic")

    def __init__(self, topic: Topic, offset: int, key: Any, payload: bytes, deflate: tuple[int, int, int]) -> None:
        self.topic = topic
        self.offset = offset
        self.key = key
        self.payload = payload
        self.size = len(payload)
        self.deflate = deflate
        self.frames: dict[int, bytes] = {}

    def frame(self, window: int) -> bytes:
        made = self.frames.get(window)
        if made is None:
            level, _, threshold = self.deflate
            if window == 0 or self.size < threshold:
                made = frame_packed(self.payload)
            else:
                made = frame_packed(self.payload, True, level=level, wbits=window, threshold=threshold)
            self.frames[window] = made
        return made


class Fanout(FanoutRules):
    """Messages to many clients without a socket; the public package documents it."""

    def __init__(self, **options: Any) -> None:
        packing = {name: options.pop(name) for name in PACKING & options.keys()}
        for name in options:
            if name not in (FanoutRules.__init__.__kwdefaults__ or {}):
                raise TypeError(f"Fanout() got an unexpected keyword argument '{name}'")
        super().__init__(**options)
        self._encoder = Encoder(named("Fanout", packing, pack_options))
        self._dirty: dict[Client, None] = {}
        self._delivered = self._bytes_out = 0

    def tick(self) -> dict[Any, tuple[bytes, ...]]:
        """Return the frames for each client since the last tick."""
        return {client.handle: frames for client, frames in self._tick()}

    def send(self) -> Sent:
        """A tick, of which those with a descriptor are sent as much as their sockets take."""
        found = self._tick()
        rest: dict[Any, tuple[bytes | memoryview, ...]] = {}
        for client, frames in found:
            left = after_sending(client.fd, frames) if client.fd >= 0 and len(frames) == 1 else frames
            if left:
                rest[client.handle] = left
        return Sent(len(found), rest)

    def _tick(self) -> list[tuple[Client, tuple[bytes, ...]]]:
        dirty, self._dirty = self._dirty, {}
        shared: dict[tuple[Any, ...], tuple[bytes, ...]] = {}
        out: list[tuple[Client, tuple[bytes, ...]]] = []
        for client in dirty:
            pending, client.pending = client.pending, []
            if pending:
                alike = (client.window, *pending)
                if alike not in shared:
                    shared[alike] = joined([message.frame(client.window) for message in pending])
                out.append((client, shared[alike]))
                self._delivered += len(pending)
                self._bytes_out += sum(map(len, shared[alike]))
        return out

    def _made(self, handle: Hashable, window: int, fd: int) -> Client:
        return Client(handle, window, fd)

    def _message(self, topic: Topic, offset: int, key: Any, payload: bytes) -> Message:
        return Message(topic, offset, key, payload, self._deflate)

    def _data(self, topic: Topic, offset: int, key: Any, body: bytes) -> Message:
        parts = [packb(part) for part in (DATA, topic.id, offset)]
        parts += [body] if key is None else [body, packb(key)]
        return self._message(topic, offset, key, bytes([0x90 | len(parts)]) + b"".join(parts))

    def _pack(self, obj: Any) -> bytes:
        return self._encoder.encode(obj)

    def _spread(self, clients: list[Any], message: Any) -> None:
        for client in clients:
            if client.blocked:
                self._hold(client, message)
            else:
                self._enqueue(client, message)

    def _enqueue(self, client: Any, message: Any) -> None:
        client.pending.append(message)
        self._dirty[client] = None

    def _drop_outbox(self, client: Any) -> list[Any]:
        self._dirty.pop(client, None)
        pending: list[Any] = client.pending
        client.pending = []
        return pending

    def _sent(self) -> tuple[int, int]:
        return self._delivered, self._bytes_out


def joined(frames: list[bytes]) -> tuple[bytes, ...]:
    if len(frames) > 1 and sum(map(len, frames)) <= JOIN:
        return (b"".join(frames),)
    return tuple(frames)


def after_sending(fd: int, frames: tuple[bytes, ...]) -> tuple[bytes | memoryview, ...]:
    """Send to a socket what it takes at once; what is left."""
    [data] = frames
    try:
        sent = os.write(fd, data)
    except OSError:  # the socket is full or broken: writing the rest raises the error
        sent = 0
    if sent == len(data):
        return ()
    return (memoryview(data)[sent:],) if sent else frames
