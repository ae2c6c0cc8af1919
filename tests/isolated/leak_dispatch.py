"""Switches made, called, flipped and dropped; errors in both arms; keys of every kind."""

from __future__ import annotations

import asyncio

from leaks import check, fails

from fastcore import Switch, flags
from fastcore.dispatch.journal import KEPT


def control(x: int, scale: int = 1) -> int:
    return x * scale


def broken(x: int, scale: int = 1) -> int:
    raise ValueError(x)


async def slow(x: int) -> int:
    await asyncio.sleep(0)
    return x


kept = Switch("leak.kept", control=control, candidate=control)
raising = Switch("leak.raising", control=control, candidate=broken)
awaited = Switch("leak.awaited", control=slow, candidate=slow)


class Service:
    method = Switch("leak.method", control=lambda self, x: x, candidate=lambda self, x: -x)


def fixed() -> None:
    for mode in ("control", "candidate"):
        flags.set("leak.kept", mode)
        for i in range(500):
            kept(i, scale=2)
    fails(kept)
    fails(kept, 1, 2, 3)


def ramped() -> None:
    flags.set("leak.kept", "ramp:50", reason="half")
    for i in range(300):
        kept.call_for(f"key-{i}", i)
        kept.call_for(i, i)
        kept.call_for(None, i)
    flags.clear("leak.kept")


def raised() -> None:
    flags.set("leak.raising", "candidate")
    for i in range(300):
        fails(raising, i)
    raising.rollback("it raises")
    raising(1)
    raising.resume()


def methods() -> None:
    service = Service()
    for i in range(300):
        service.method(i)
    str(Service.method.report())


def coroutines() -> None:
    async def many() -> None:
        for i in range(100):
            await awaited(i)

    asyncio.run(many())


def dropped() -> None:
    for _ in range(20):
        made = Switch("leak.dropped", control=control, candidate=lambda x, scale=1: x)
        made(1)
        made.itself = made  # a cycle through the Switch


for i in range(KEPT):  # the journal remembers so many entries; from here on, one is forgotten for each that comes
    flags.set("leak.kept", ("control", "candidate")[i % 2])
for work in (fixed, ramped, raised, methods, coroutines, dropped):
    check(work, work.__name__)
