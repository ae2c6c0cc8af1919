"""What is counted over time comes out right: rates, kept bytes, waits for one event."""

from __future__ import annotations

import asyncio
import random

import pytest

from fastcore.streaming import Hub
from fastcore.streaming.backplanes.unixbus.log import Log, Logged
from fastcore.streaming.limits import Bucket
from fastcore.streaming.timer_wheel import TimerWheel


@pytest.mark.parametrize(("rate", "burst"), [(50.0, 200), (0.5, 1), (1.0, 10)])
def test_a_rate_is_counted_in_seconds(rate: float, burst: int) -> None:
    bucket = Bucket(burst, 100.0)
    assert [bucket.take(rate, burst, 100.0) for _ in range(burst + 1)] == [*[True] * burst, False]
    taken = sum(bucket.take(rate, burst, 100.0 + n / 1000) for n in range(1, 60_001))
    assert taken == pytest.approx(60 * rate, abs=1)
    assert sum(bucket.take(rate, burst, 10_000.0) for _ in range(2 * burst)) == burst, "no more than a burst is saved"


def test_the_log_of_a_bus_keeps_as_many_bytes_as_it_may() -> None:
    log = Log(1000, 1000, 10)
    for n in range(1, 500):
        log.append(Logged(n, "origin", n, "t", n, bytes(100)))
        assert len(log) == min(n, 10), "it would forget all but the last if its bytes only grew"


def test_the_log_of_a_bus_returns_the_messages_after_an_offset_or_none() -> None:
    log = Log(4, 10_000, 10)
    log.begin("e", 100, forget=True)
    offsets = list(range(101, 120, 2))
    for count, offset in enumerate(offsets, 1):
        log.append(Logged(offset, "origin", count, "t", None, b"x"))
        kept = offsets[max(0, count - 4) : count]
        lost = offsets[count - 5] if count > 4 else 100
        for asked in range(98, 123):
            found = log.since("e", asked)
            if lost <= asked <= offset:
                assert found is not None
                assert [entry.offset for entry in found] == [one for one in kept if one > asked]
            else:
                assert found is None
        assert log.since("other", offset) is None


def test_items_are_due_at_their_time_or_within_the_next_beat() -> None:
    rng, beat = random.Random(2), 0.25
    now = 50.0
    wheel: TimerWheel[float] = TimerWheel(now, beat)
    waiting: list[float] = []
    for _ in range(2000):
        for _ in range(rng.randrange(3)):
            waiting.append(now + rng.choice([0.0, rng.random(), 20 * rng.random()]))
            wheel.add(waiting[-1], waiting[-1])
        now += rng.choice([0.01, 0.1, beat, 1.0, 7.0])
        due = wheel.turn(now)
        assert all(when <= now for when in due)
        for when in due:
            waiting.remove(when)
        assert all(when > now - beat for when in waiting), "it is late by more than a beat"
        assert len(wheel) == len(waiting)


def test_a_drain_continues_when_a_waiter_is_cancelled() -> None:
    async def main() -> None:
        hub = Hub()
        hub.bind()
        hub.clients.emptied.clear()
        hub.clients._all[object()] = None  # type: ignore[index]
        hub.clients.all = list  # type: ignore[method-assign]
        first, second = (asyncio.create_task(hub.drain(grace=60)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        assert not second.done()
        hub.clients.emptied.set()
        async with asyncio.timeout(60):
            await second
        assert hub.draining

    asyncio.run(main())
