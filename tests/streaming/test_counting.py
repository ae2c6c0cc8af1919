"""What is counted over time comes out right: rates, kept bytes, waits for one event."""

from __future__ import annotations

import asyncio

import pytest

from fastcore.streaming import Hub
from fastcore.streaming.backplanes.unixbus.log import Log, Logged
from fastcore.streaming.limits import Bucket


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
