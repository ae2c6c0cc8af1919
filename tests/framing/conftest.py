"""Frames as the websockets package reads them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import msgpack
import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.streams import StreamReader


def parse_all(data: bytes, deflate: PerMessageDeflate | None = None) -> list[Frame]:
    reader = StreamReader()
    reader.feed_data(data)
    found = []
    while reader.buffer:
        parsing = Frame.parse(reader.read_exact, mask=False, extensions=[deflate] if deflate else [])
        try:
            next(parsing)
        except StopIteration as done:
            found.append(done.value)
        else:
            raise AssertionError("the last frame is not whole")
    return found


def parse(data: bytes, deflate: PerMessageDeflate | None = None) -> Frame:
    (found,) = parse_all(data, deflate)
    return found


def client(wbits: int) -> PerMessageDeflate:
    """The extension as a client has it that agreed to a window and to no context takeover."""
    return PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=wbits,
        local_max_window_bits=wbits,
    )


def read(frames: tuple[bytes, ...], deflate: PerMessageDeflate | None = None) -> list[Any]:
    """The messages in what a client is sent."""
    return [msgpack.unpackb(frame.data) for frame in parse_all(b"".join(frames), deflate)]


def tick(fan: Any) -> dict[Any, list[Any]]:
    return {connection: read(frames) for connection, frames in fan.tick().items()}


@pytest.fixture
def wire() -> SimpleNamespace:
    return SimpleNamespace(parse=parse, client=client, read=read, tick=tick)


@pytest.fixture
def fan(twin: Callable[[str], ModuleType]) -> Any:
    """A Fanout with three clients."""
    made = twin("framing").Fanout(epoch="e1", history=10)
    for name in "abc":
        made.connect(name)
    return made
