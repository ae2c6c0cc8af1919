"""Framing: a thousand ticks, and a snapshot of a thousand rows."""

from __future__ import annotations

from fastcore.framing import frame, packb, unpackb

TICK = {"symbol": "AAPL", "ts": 1_700_000_000_000, "price": 187.25, "volume": 1200, "rsi": 61.5}
SNAPSHOT = [dict(TICK, symbol=f"S{i}", price=100.0 + i) for i in range(1_000)]
PACKED_TICK = packb(TICK)
PACKED_SNAPSHOT = packb(SNAPSHOT)


def time_pack_1000_ticks() -> None:
    for _ in range(1_000):
        packb(TICK)


def time_unpack_1000_ticks() -> None:
    for _ in range(1_000):
        unpackb(PACKED_TICK)


def time_frame_1000_ticks() -> None:
    for _ in range(1_000):
        frame(TICK)


def time_pack_snapshot() -> None:
    packb(SNAPSHOT)


def time_unpack_snapshot() -> None:
    unpackb(PACKED_SNAPSHOT)
