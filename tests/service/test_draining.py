"""A drain runs once for all its waiters; requests during a drain."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest
from fastapi import FastAPI

from fastcore.monitor import Health
from fastcore.service import install
from fastcore.service.draining import Drain

pytestmark = pytest.mark.backend_independent


def test_a_cancelled_waiter_does_not_end_the_drain() -> None:
    done: list[str] = []

    async def main() -> None:
        begun, free = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            await free.wait()
            done.append("work")

        drain = Drain(Health(), 0.0, 60.0, work)
        waiters = [asyncio.create_task(drain.run("a deploy")) for _ in range(3)]
        await begun.wait()
        waiters[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiters[0]
        assert not any(waiter.done() for waiter in waiters[1:])
        free.set()
        await asyncio.gather(*waiters[1:])
        await drain.run("again")

    asyncio.run(main())
    assert done == ["work"]


@pytest.mark.parametrize("error", [OSError("no network"), TimeoutError()])
def test_work_that_fails_ends_the_drain(error: Exception) -> None:
    async def main() -> None:
        async def work() -> None:
            raise error

        drain = Drain(Health(), 0.0, 60.0, work)
        await drain.run("a deploy")
        assert drain.draining
        drain.renew()
        assert not drain.draining

    asyncio.run(main())


def test_the_first_drain_reason_is_kept() -> None:
    health = Health()

    async def work() -> None: ...

    async def main() -> None:
        drain = Drain(health, 0.0, 60.0, work)
        drain.begin("a deploy")
        await drain.run("another")
        assert (await drain._check()).output == "a deploy"

    asyncio.run(main())


def test_files_of_the_dashboard_are_cached_by_encoding() -> None:
    app = FastAPI()
    install(app, watch=False)

    async def main() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            plain = await client.get("/fastcore/dashboard.js", headers={"Accept-Encoding": "identity"})
            packed = await client.get("/fastcore/dashboard.js", headers={"Accept-Encoding": "gzip"})
            assert plain.content == packed.content
            assert "content-encoding" not in plain.headers
            for answer in (plain, packed):
                assert answer.status_code == 200
                assert answer.headers["vary"].lower() == "accept-encoding"

    asyncio.run(main())


def test_a_second_signal_is_handed_on_at_once_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[int] = []
    monkeypatch.setattr(signal, "getsignal", lambda number: lambda number, frame: handed.append(number))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)

    async def main() -> None:
        free = asyncio.Event()

        async def work() -> None:
            await free.wait()

        drain = Drain(Health(), 0.0, 60.0, work)
        drain.watch()
        drain._signalled(signal.SIGTERM, None)
        await asyncio.sleep(0)
        assert handed == []
        drain._signalled(signal.SIGTERM, None)
        assert handed == [signal.SIGTERM]
        free.set()
        await drain.run("again")
        for _ in range(5):  # turns of the loop in which the drain's task ends
            await asyncio.sleep(0)
        assert handed == [signal.SIGTERM]

    asyncio.run(main())
