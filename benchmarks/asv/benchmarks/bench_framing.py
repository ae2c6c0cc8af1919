"""Framing: a thousand ticks, and a snapshot of a thousand rows."""

from __future__ import annotations

import functools

from benchmarks.features import cpu_timer, feature, needs

timer = cpu_timer

frame = feature("fastcore.framing:frame")
packb = feature("fastcore.framing:packb")
unpackb = feature("fastcore.framing:unpackb")
TICK = {"symbol": "AAPL", "ts": 1_700_000_000_000, "price": 187.25, "volume": 1200, "rsi": 61.5}
SNAPSHOT = [dict(TICK, symbol=f"S{i}", price=100.0 + i) for i in range(1_000)]


@functools.cache
def packed_tick() -> bytes:
    return packb(TICK)


@functools.cache
def packed_snapshot() -> bytes:
    return packb(SNAPSHOT)


@needs(packb)
def time_pack_1000_ticks() -> None:
    for _ in range(1_000):
        packb(TICK)


@needs(unpackb)
def time_unpack_1000_ticks() -> None:
    packed = packed_tick()
    for _ in range(1_000):
        unpackb(packed)


@needs(frame)
def time_frame_1000_ticks() -> None:
    for _ in range(1_000):
        frame(TICK)


@needs(packb)
def time_pack_snapshot() -> None:
    packb(SNAPSHOT)


@needs(unpackb)
def time_unpack_snapshot() -> None:
    unpackb(packed_snapshot())
