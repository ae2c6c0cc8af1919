"""Tasks whose names no worker knows, such as those that an earlier release submitted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastcore import metrics
from fastcore.tasks import NotFinished, State, TaskQueue
from fastcore.tasks.engine.unregistered import Unregistered
from fastcore.tasks.stores import MemoryStore
from tests.tasks.queue_cases import LONG, run, until
from tests.tasks.stores.store_cases import Harness

GAUGE = "fastcore_tasks_unregistered"
WAITS = "wait under the name 'crawl_news', which no worker seems to know"


def crawl_news(site: str) -> str:
    return f"news of {site}"


def crawl_notes() -> str:
    return "notes"


@pytest.fixture(params=["memory", "sqlite"])
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., TaskQueue]:
    """What makes a queue of a release that has these functions; all are over one store."""
    store = MemoryStore() if request.param == "memory" else f"sqlite:///{tmp_path}/tasks.db"

    def build(*functions: Callable[..., Any]) -> TaskQueue:
        queue = TaskQueue(store)
        queue.engine._prune = 0.01
        for function in functions:
            queue.task(function)
        return queue

    return build


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "wait under the name" in record.getMessage()]


def test_a_name_that_the_new_release_lacks_is_reported_and_delays_no_other(
    release: Callable[..., TaskQueue], caplog: pytest.LogCaptureFixture
) -> None:
    earlier, queue = release(crawl_news), release(crawl_notes)
    ids = [earlier.submit("crawl_news", site) for site in ("yahoo", "investing", "yahoo")]

    async def scenario() -> None:
        async with queue:
            await until(lambda: reports(caplog))
            assert queue.unregistered() == {"crawl_news": 3}
            assert metrics.snapshot().get(GAUGE, task="crawl_news") == 3
            with pytest.raises(NotFinished, match="no task of that name, which another process may know"):
                await queue.aresult(ids[0], 0.01)
            assert await queue.aresult(await queue.asubmit("crawl_notes"), LONG) == "notes"
            await asyncio.sleep(0.1)  # many more looks

            queue.task(crawl_news)  # a plug-in that is loaded late
            assert await queue.aresult(ids[0], LONG) == "news of yahoo"
            assert await queue.aresult(ids[1], LONG) == "news of investing"
            await until(lambda: queue.unregistered() == {})
            await until(lambda: metrics.snapshot().get(GAUGE, task="crawl_news") is None)

    run(scenario)
    [told] = reports(caplog)
    assert f"3 tasks {WAITS}; did you mean crawl_notes?" in told
    assert "queue.purge('crawl_news') cancels them; this process knows crawl_notes" in told


def test_they_run_once_a_worker_starts_that_knows_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    queues = [TaskQueue(url) for _ in range(3)]
    for queue in queues:
        queue.engine._prune = 0.01
        queue.task(crawl_notes)

    async def scenario() -> None:
        async with queues[0], queues[1]:
            queues[2].task(crawl_news)
            ids = [await queues[2].asubmit("crawl_news", "yahoo") for _ in range(5)]
            await until(lambda: len(reports(caplog)) == 2)
            async with queues[2]:
                assert {await queues[2].aresult(id, LONG) for id in ids} == {"news of yahoo"}
                await until(lambda: metrics.snapshot().get(GAUGE, task="crawl_news") is None)
        assert len(reports(caplog)) == 2  # one in each process that does not know them

    run(scenario)


def test_the_gauge_is_taken_back_when_the_queue_stops(
    release: Callable[..., TaskQueue], caplog: pytest.LogCaptureFixture
) -> None:
    release(crawl_news).submit("crawl_news", "yahoo")
    queue = release()

    async def scenario() -> None:
        async with queue:
            await until(lambda: reports(caplog))
            queue.purge("crawl_news")
            assert queue.unregistered() == {}
        assert metrics.snapshot().get(GAUGE, task="crawl_news") is None

    run(scenario)
    assert reports(caplog)[0].endswith("this process knows none")


class Looks:
    """What a process reports that knows no task."""

    def __init__(self, it: Harness) -> None:
        self.found = Unregistered(it.store, {})

    def __call__(self, times: int = 5) -> float | None:
        for _ in range(times):
            asyncio.run(self.found.look())
        value = metrics.snapshot().get(GAUGE, task="work")
        assert value is None or isinstance(value, float)
        return value


@pytest.fixture
def looks(it: Harness, caplog: pytest.LogCaptureFixture) -> Any:
    made = Looks(it)
    with caplog.at_level(logging.WARNING, "fastcore.tasks"):
        yield made
    made.found.clear()


class TestWhatIsNotReported:
    def test_tasks_that_another_process_works_on(self, it: Harness, looks: Looks) -> None:
        it.submit(*[it.spec() for _ in range(6)])
        for _ in range(2):  # one ends between two looks
            it.settle(it.outcome(it.claim(1)[0]))
            assert looks(2) is None
        claim = it.claim(1)[0]  # one runs for long
        assert looks() is None
        it.settle(it.outcome(claim, State.FAILED))
        assert looks(3) is None
        assert looks(1) == 3

    def test_delayed_tasks(self, it: Harness, looks: Looks) -> None:
        it.submit(it.spec(run_at=it.now + 60))
        assert looks() is None
        it.claim(kinds={"another": 1}, now=it.now + 61)
        assert looks() == 1

    def test_paused_tasks(self, it: Harness, looks: Looks) -> None:
        it.submit(it.spec())
        it.store.pause("work", True).result(30)
        assert looks() is None
        it.store.pause("work", False).result(30)
        assert looks() == 1

    def test_a_store_that_cannot_tell(self, it: Harness) -> None:
        class Other:
            pass

        asyncio.run(Unregistered(Other(), {}).look())  # type: ignore[arg-type]
