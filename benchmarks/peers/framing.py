"""Packing, unpacking, framing, and rows from columns, compared with msgspec, ormsgpack and msgpack.

Run ``python benchmarks/peers/framing.py``. Our calls go through the public functions, switch and all; the peers are
called in their fastest form (an encoder made once).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import numpy as np
import ormsgpack
from harness import Ratio, Report, Timing, interleave, versions

from fastcore import framing

PEERS = ("msgspec", "ormsgpack", "msgpack")
ROWS = 1000
NAMES = ("symbol", "ts", "price", "volume", "bid", "ask", "rsi", "seq")
TICK = {
    "symbol": "AAPL",
    "ts": 1732180000.123456,
    "price": 187.23,
    "volume": 1200,
    "bid": 187.22,
    "ask": 187.24,
    "rsi": 61.38,
    "seq": 123456,
}


def market() -> dict[str, Any]:
    """Columns of a snapshot: seeded, of the types they would have."""
    rng = np.random.default_rng(7)
    price = 100 * np.exp(rng.normal(0, 0.02, ROWS).cumsum())
    return {
        "symbol": np.array([f"S{i:04d}" for i in range(ROWS)], object),
        "ts": 1732180000 + rng.random(ROWS),
        "price": price,
        "volume": rng.integers(1, 1_000_000, ROWS),
        "bid": price - 0.01,
        "ask": price + 0.01,
        "rsi": rng.random(ROWS) * 100,
        "seq": np.arange(ROWS) + 123456,
    }


def as_dicts(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row)) for row in zip(*(columns[name].tolist() for name in NAMES))]


def as_lists(columns: dict[str, Any]) -> list[tuple[Any, ...]]:
    return list(zip(*(columns[name].tolist() for name in NAMES)))


def against(timings: dict[str, Timing], goal: float = 1.0) -> dict[str, Ratio]:
    fastest = min((name for name in timings if name.startswith(PEERS)), key=lambda name: timings[name].median)
    ours = timings["fastcore"].median
    return {f"faster than {fastest}": Ratio(timings[fastest].median / ours, goal)}


def compare_message(report: Report, name: str, obj: Any) -> None:
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    pack = msgpack.Packer().pack
    data = msgpack.packb(obj)
    assert data == framing.packb(obj) == encode(obj) == ormsgpack.packb(obj)
    assert obj == framing.unpackb(data)
    packers: dict[str, Callable[[], object]] = {
        "fastcore": lambda: framing.packb(obj),
        "msgspec": lambda: encode(obj),
        "ormsgpack": lambda: ormsgpack.packb(obj),
        "msgpack": lambda: pack(obj),
    }
    timings = interleave(packers)
    report.add(f"packb: {name}", timings, against(timings))
    timings = interleave(
        {
            "fastcore": lambda: framing.unpackb(data),
            "msgspec": lambda: decode(data),
            "ormsgpack": lambda: ormsgpack.unpackb(data),
            "msgpack": lambda: msgpack.unpackb(data),
        }
    )
    report.add(f"unpackb: {name}", timings, against(timings))
    report.add(f"frame: {name}", interleave({"fastcore": lambda: framing.frame(obj), **packers_of(packers)}))


def main() -> None:
    encode, pack = msgspec.msgpack.Encoder().encode, msgpack.Packer().pack
    columns = market()
    messages = {"tick (8 fields)": TICK, f"snapshot ({ROWS} rows)": as_dicts(columns)}
    report = Report("framing", "Message framing", versions("numpy", *PEERS))
    for name, obj in messages.items():
        compare_message(report, name, obj)

    maps, arrays = framing.RowPacker(NAMES), framing.RowPacker(NAMES, rows="array")
    assert maps.pack(columns) == msgpack.packb(as_dicts(columns))
    timings = interleave(
        {
            "fastcore": lambda: maps.pack(columns),
            "msgspec": lambda: encode(as_dicts(columns)),
            "ormsgpack": lambda: ormsgpack.packb(as_dicts(columns)),
            "msgpack": lambda: pack(as_dicts(columns)),
        }
    )
    report.add(f"{ROWS} rows as maps, from arrays", timings, against(timings, 10.0))
    timings = interleave(
        {
            "fastcore": lambda: arrays.pack(columns),
            "msgspec": lambda: encode(as_lists(columns)),
            "ormsgpack": lambda: ormsgpack.packb(as_lists(columns)),
            "msgpack": lambda: pack(as_lists(columns)),
        }
    )
    report.add(f"{ROWS} rows as arrays, from arrays", timings, against(timings, 10.0))
    texts = {**columns, "symbol": columns["symbol"].astype("<U5")}
    timings = interleave({"fastcore": lambda: arrays.pack(texts), "msgspec": lambda: encode(as_lists(texts))})
    report.add(f"{ROWS} rows as arrays, symbols as <U5", timings, against(timings, 10.0))
    numbers = NAMES[1:]
    floats = {name: columns[name].astype(float) for name in numbers}
    matrix = framing.RowPacker(numbers, rows="array")
    packed = ormsgpack.packb(np.column_stack(list(floats.values())), option=ormsgpack.OPT_SERIALIZE_NUMPY)
    assert packed == matrix.pack(floats)
    timings = interleave(
        {
            "fastcore": lambda: matrix.pack(floats),
            "ormsgpack, stacked": lambda: ormsgpack.packb(
                np.column_stack(list(floats.values())), option=ormsgpack.OPT_SERIALIZE_NUMPY
            ),
            "msgspec": lambda: encode(list(zip(*(floats[name].tolist() for name in numbers)))),
        }
    )
    report.add(f"{ROWS} rows of {len(numbers)} floats", timings, against(timings))
    report.notes.append("ormsgpack packs a matrix of numbers natively; the other rows have a column of symbols.")
    report.write()


def packers_of(packers: dict[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """The peers have no frames: packing alone is what theirs is held against."""
    return {f"{name} (packing only)": fn for name, fn in packers.items() if name in PEERS}


if __name__ == "__main__":
    main()
