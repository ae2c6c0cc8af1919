"""The bytes that nodes of a bus exchange: a length in four bytes, then an array of msgpack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from fastcore.framing import packb, unpackb
from fastcore.streaming.backplanes.unixbus.log import Log, Logged

__all__ = [
    "BASE",
    "BEAT",
    "DONE",
    "ENTRY",
    "HELLO",
    "NEWEST",
    "PUBLISH",
    "RETIRE",
    "VERSION",
    "WANT",
    "Line",
    "packed",
    "transfer",
]

VERSION: Final = 1
HELLO, PUBLISH, WANT, NEWEST, BASE, ENTRY, DONE, RETIRE, BEAT = range(9)
MAX_FRAME: Final = 64 << 20
MAX_HELLO: Final = 1 << 10  # bytes of the first message, whose sender is not known yet
MAX_BEHIND: Final = 64 << 20  # bytes unsent to a node that does not read: it is cut off, and catches up later


def packed(*message: Any) -> bytes:
    """One message with its length."""
    body = packb(list(message))
    return len(body).to_bytes(4, "big") + body


def transfer(log: Log, epoch: str, offset: int) -> Iterable[bytes]:
    """Return the messages that bring another node up to date with this log.

    NEWEST ... and a BASE with a floor come first if it has to begin again; a BASE without one says that it goes on.
    """
    missed = log.since(epoch, offset)
    if missed is None:
        for entry in log.older():
            yield packed(NEWEST, *entry)
        yield packed(BASE, log.epoch, log.floor, log.all_seen())
        missed = log.since(log.epoch, log.floor) or []
    else:
        yield packed(BASE, log.epoch, None, log.all_seen())
    for entry in missed:
        yield packed(ENTRY, *entry)
    yield packed(DONE)


class Line(asyncio.Protocol):
    """A connection to another node: whole messages in, and out one write in each turn of the loop."""

    def __init__(
        self, heard: Callable[[Line, list[Any]], None], lost: Callable[[Line], None], trusted: bool = False
    ) -> None:
        self.node = ""
        self.trusted = trusted  # has shown the secret, or has been found by way of it
        self.epoch = ""
        self.offset = 0
        self.ready = False  # has caught up, and gets what is numbered
        self.collected: list[Logged] = []  # newest messages of a transfer
        self.transport: asyncio.Transport | None = None
        self._heard = heard
        self._lost = lost
        self._in = bytearray()
        self._deaf = False
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none of asyncio's classes

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        held = self._in
        held += data
        at = 0
        try:
            while len(held) - at >= 4:
                size = int.from_bytes(held[at : at + 4], "big")
                if size > MAX_HELLO and not self.trusted:
                    self._deaf = True  # what follows is dropped, until the host closes what has said no hello
                    at = len(held)
                    return
                if size > MAX_FRAME:
                    raise ValueError(f"bus: expected at most {MAX_FRAME} bytes, got {size}")
                if len(held) - at - 4 < size:
                    break
                body = bytes(memoryview(held)[at + 4 : at + 4 + size])
                if self.trusted:
                    message = unpackb(body, strict_map_key=False)
                else:
                    message = unpackb(body, max_depth=1, max_memory=1 << 16)
                at += 4 + size
                self._heard(self, message)
                if self.transport is None:
                    return
        except (ValueError, TypeError, LookupError):
            self.close()  # not a node of this version: it says so by being cut off
        finally:
            del held[:at]

    def send(self, data: bytes) -> None:
        """Send with the next flush, which the first of each turn schedules."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self.flush)
        self._out.append(data)

    def flush(self) -> None:
        """Write the waiting messages now."""
        out, self._out = self._out, []
        if out and self.transport is not None:
            self.transport.write(b"".join(out))
            if self.transport.get_write_buffer_size() > MAX_BEHIND:
                self.close()

    def close(self) -> None:
        """Close the connection."""
        if self.transport is not None:
            self.transport.abort()
