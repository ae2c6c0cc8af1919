"""Messages packed, framed and read back; objects that cannot be packed and bytes that cannot be read."""

from __future__ import annotations

from leaks import check, fails

from fastcore.framing import frame, packb, unpackb

TICK = {"symbol": "AAPL", "ts": 1_700_000_000_000, "price": 187.25, "ok": True, "none": None, "raw": b"\x00\xff"}
DEEP: list = []
for _ in range(20_000):
    DEEP = [DEEP]


class Odd:
    pass


def raising(value: object) -> object:
    raise RuntimeError(value)


def there_and_back() -> None:
    for i in range(200):
        unpackb(packb({**TICK, "n": i, "rows": [[i, -i, 2.5, "ä" * i]] * 3}))
        frame(TICK)
        frame([TICK] * 20, compress=True)


def unpackable() -> None:
    for _ in range(50):
        fails(packb, [1, 2, Odd()])
        fails(packb, {"a": [1] * 100, "b": 1 << 70})
        fails(lambda: packb([1, Odd()], default=raising))
        fails(frame, Odd())
    fails(packb, DEEP)


def unreadable() -> None:
    whole = packb([TICK] * 3)
    for cut in range(0, len(whole), 7):
        fails(unpackb, whole[:cut])
    for bad in (
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        whole + b"\x00",
    ):
        fails(unpackb, bad)
    fails(unpackb, "text")
    fails(unpackb, None)


for work in (there_and_back, unpackable, unreadable):
    check(work, work.__name__)
