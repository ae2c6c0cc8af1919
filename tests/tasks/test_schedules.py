"""Schedules: one call a slot for the whole fleet, whatever was missed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import IdempotencyConflict, State, StoreError, TaskQueue
from fastcore.tasks.cron import Cron
from fastcore.tasks.records import NO_ARGUMENTS, Encoded, TaskSpec
from fastcore.tasks.schedules import Every, Schedule, Schedules
from fastcore.tasks.specs import new_id
from fastcore.tasks.stores import MemoryStore, SqliteStore

LONG = 60.0
START = 1_800_000_000.0  # 2027-01-15 08:00 UTC


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "tasks.db")
    yield made
    made.close()


class Fleet:
    """Several processes' schedules over one store, under one clock."""

    def __init__(self, store: Any, size: int = 1) -> None:
        self.store = store
        self.now = START
        self.members = [Schedules(store, lambda: self.now) for _ in range(size)]

    def add(
        self,
        when: Every | Cron,
        *,
        name: str = "report",
        definition: str = "1",
        key: str | None = None,
        limit: float | None = None,
        raises: Callable[[], bool] = lambda: False,
    ) -> None:
        def make(slot: float) -> TaskSpec:
            if raises():
                raise KeyError("its settings are missing")
            payload = Encoded(b"") if self.store.encodes else NO_ARGUMENTS
            return TaskSpec(new_id(self.now), name, payload, 5.0, slot, slot, slot, 1, None, 60.0, unique_key=key)

        for member in self.members:
            member.add(Schedule(name, definition, when, make, limit))

    def pass_to(self, at: float) -> list[float]:
        """Go on to a time, and have all look; returns the seconds until each looks again."""
        self.now = START + at

        async def look() -> list[float]:
            return [await member.tick() for member in self.members]

        return asyncio.run(look())

    def fired(self, name: str = "report") -> list[float]:
        return sorted(view.run_at - START for view in self.store.find(kind=name, limit=1000).result())


class TestSlots:
    def test_every_so_often(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(10.0))
        assert fleet.pass_to(0) == [10.0]
        assert fleet.pass_to(9) == [1.0]
        assert fleet.fired() == []
        fleet.pass_to(10)
        fleet.pass_to(10)
        assert fleet.pass_to(24) == [6.0]  # late by 4, the next is in step
        fleet.pass_to(30)
        assert fleet.fired() == [10, 20, 30]

    def test_by_cron(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Cron("0 9,18 * * *", "UTC"))
        for hour in range(36):
            fleet.pass_to(hour * 3600.0)
        assert fleet.fired() == [3600, 36_000, 90_000, 122_400]

    def test_missed_slots_are_replaced_by_one_call(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(10.0))
        fleet.add(Cron("* * * * *"), name="minutely")
        fleet.pass_to(0)
        fleet.pass_to(3605)
        assert fleet.fired() == [10]
        assert fleet.fired("minutely") == [60]
        fleet.pass_to(3660)
        assert fleet.fired() == [10, 3610]  # one again, and in step
        assert fleet.fired("minutely") == [60, 3660]

    def test_a_restart_continues_from_the_state_of_the_last_process(self, store: Any) -> None:
        first = Fleet(store)
        first.add(Every(10.0))
        first.pass_to(0)
        later = Fleet(store)
        later.add(Every(10.0))
        later.pass_to(7)
        later.pass_to(10)
        assert later.fired() == [10]  # not 17

    def test_another_definition_starts_over(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(10.0))
        fleet.pass_to(0)
        fleet.add(Every(100.0), definition="2")
        assert fleet.pass_to(5) == [100.0]
        assert [(view.name, view.next_at - START) for view in store.schedules().result()] == [("report", 105.0)]

    def test_a_clock_set_back_fires_nothing_twice(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(10.0))
        for at in (0, 10, 4, 10, 12, 20):
            fleet.pass_to(at)
        assert fleet.fired() == [10, 20]

    @pytest.mark.parametrize("when", [Every(60.0), Cron("* * * * *")])
    @pytest.mark.parametrize("jump", [-3600.0, -90_000.0, 3600.0, 90_000.0])
    def test_setting_the_clock_suppresses_no_alert(self, store: Any, when: Every | Cron, jump: float) -> None:
        fleet = Fleet(store, 2)
        fleet.add(when)
        for minute in range(5):
            fleet.pass_to(60.0 * minute)
        before = len(fleet.fired())
        for second in range(0, 300, 30):
            fleet.pass_to(240 + jump + second)
        assert before == 4
        assert len(fleet.fired()) - before in (4, 5, 6)  # as many as in any five minutes, once for the fleet

    def test_a_clock_set_back_by_less_than_a_slot_repeats_none(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Cron("0 9 * * *"))
        fleet.pass_to(0)
        fleet.pass_to(3600)  # 9 o'clock
        fleet.pass_to(1800)
        fleet.pass_to(3700)
        assert fleet.fired() == [3600]

    def test_a_slot_that_is_too_late_is_skipped(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(100.0), limit=30.0)
        for at in (0, 100, 250, 330, 400):  # on time; 50 late; 30 late; on time
            fleet.pass_to(at)
        assert fleet.fired() == [100, 300, 400]
        [view] = store.schedules().result()
        assert (view.next_at - START, view.last_at - START) == (500, 400)

    def test_the_latest_of_the_missed_slots_decides_whether_it_is_too_late(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(100.0), limit=30.0)
        fleet.add(Cron("0 * * * *"), name="hourly", limit=30.0)
        fleet.pass_to(0)
        fleet.pass_to(7210)  # many are missed, the last of them by 10
        assert len(fleet.fired()) == len(fleet.fired("hourly")) == 1
        fleet.pass_to(7210 + 3640)
        assert len(fleet.fired("hourly")) == 1
        [hourly, _] = store.schedules().result()
        assert hourly.last_at == START + 3600  # a skipped slot did not run


class TestFailures:
    def test_a_failing_schedule_stops_no_other(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "monotonic", lambda: fleet.now)
        fleet = Fleet(store)
        broken = True
        fleet.add(Every(10.0), raises=lambda: broken)
        fleet.add(Every(10.0), name="healthy")
        for at in range(0, 60, 10):
            fleet.pass_to(at)
        assert (fleet.fired(), fleet.fired("healthy")) == ([], [10, 20, 30, 40, 50])
        broken = False
        fleet.pass_to(200)
        assert fleet.fired() == [10]  # made up for by one
        fleet.pass_to(210)
        assert fleet.fired() == [10, 210]

    def test_a_failing_schedule_is_logged_once_and_retried_with_backoff(
        self, store: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(time, "monotonic", lambda: fleet.now)
        fleet = Fleet(store)
        tries: list[float] = []

        def fails() -> bool:
            tries.append(fleet.now - START)
            return True

        fleet.add(Every(10.0), raises=fails)
        for at in range(100):
            fleet.pass_to(at)
        assert tries == [10, 11, 13, 17, 25, 41, 71]
        assert caplog.text.count("failed; it is tried again") == 1

    def test_after_it_has_run_its_next_failure_is_the_first(
        self, store: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(time, "monotonic", lambda: fleet.now)
        fleet = Fleet(store)
        fleet.add(Every(10.0), raises=lambda: fleet.now - START not in (20, 32))
        waits = [fleet.pass_to(at)[0] for at in (0, 10, 20, 30, 32, 40, 41)]
        assert waits == [10, 1, 10, 1, 8, 1, 2]
        assert fleet.fired() == [10, 30]
        assert caplog.text.count("failed; it is tried again") == 3

    def test_a_conflict_of_keys_fails_alone(self, store: Any) -> None:
        payload = Encoded(b"") if store.encodes else NO_ARGUMENTS
        specs = [
            TaskSpec(
                f"{i:032x}", kind, payload, 5.0, 0.0, 0.0, 0.0, 1, None, 60.0, idempotency_key="k", fingerprint="f"
            )
            for i, kind in enumerate(("a", "b"))
        ]
        for name in "ab":
            store.schedule(name, "1", START).result()
        assert store.fire("a", START, START + 1, specs[0]).result().won
        with pytest.raises(IdempotencyConflict):
            store.fire("b", START, START + 1, specs[1]).result()
        assert [view.next_at - START for view in store.schedules().result()] == [1, 0]


class TestFleet:
    def test_another_definition_is_not_fired_by_processes_with_the_older_one(self, store: Any) -> None:
        older, newer = Fleet(store), Fleet(store)
        older.add(Cron("* * * * *"), definition="1")
        older.pass_to(0)
        newer.add(Cron("* * * * *"), definition="2", key="newer")
        newer.pass_to(1)
        assert older.pass_to(60) == [60.0]  # neither does it ask again and again
        assert older.fired() == []
        newer.pass_to(60)
        assert [view.unique_key for view in store.find(kind="report").result()] == ["newer"]

    def test_a_schedule_unknown_to_every_process_is_reported_and_later_dropped(
        self, store: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        fleet, week = Fleet(store), 7 * 86_400
        fleet.add(Every(10.0))
        fleet.add(Every(2.0 * week), name="rare")
        fleet.pass_to(0)
        later = Fleet(store)
        later.add(Every(2.0 * week), name="rare")
        for at, reports, names in (
            (100, 0, ["rare", "report"]),
            (1000, 1, ["rare", "report"]),
            (2000, 1, ["rare", "report"]),
            (week + 20, 2, ["rare"]),
        ):
            later.now = START + at
            asyncio.run(later.members[0].survey())
            assert caplog.text.count("schedule 'report'") == reports
            assert [view.name for view in store.schedules().result()] == names

    def test_a_slot_is_one_process_s(self, store: Any) -> None:
        fleet = Fleet(store, 5)
        fleet.add(Every(1.0))
        for at in range(21):
            fleet.pass_to(at)
        assert fleet.fired() == list(range(1, 21))

    def test_a_slot_is_one_thread_s(self, store: Any) -> None:
        n = 8
        store.schedule("report", "1", START).result()
        gate = threading.Barrier(n)
        won: list[bool] = []

        def race(i: int) -> None:
            payload = Encoded(b"") if store.encodes else NO_ARGUMENTS
            spec = TaskSpec(f"{i:032x}", "report", payload, 5.0, START, START, START, 1, None, 60.0)
            gate.wait()
            won.append(store.fire("report", START, START + 1, spec).result().won)

        threads = [threading.Thread(target=race, args=(i,)) for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False] * (n - 1) + [True]
        assert len(store.find(kind="report").result()) == 1

    def test_a_held_key_still_consumes_the_slot(self, store: Any) -> None:
        fleet = Fleet(store)
        fleet.add(Every(10.0), key="one at a time")
        for at in (0, 10, 20, 30):
            fleet.pass_to(at)
        assert fleet.fired() == [10]  # it is not done yet
        assert store.schedules().result()[0].next_at == START + 40

    def test_ended_for_all(self, store: Any) -> None:
        fleet = Fleet(store, 2)
        fleet.add(Every(10.0))
        fleet.pass_to(0)
        fleet.members[0].drop("report")
        assert store.unschedule("report").result() is True
        assert store.unschedule("report").result() is False
        fleet.pass_to(10)  # the other one still knows it
        assert fleet.fired() == []


def symbol_of(text: str) -> str:
    """An equal text that is another object."""
    return "".join(list(text))


DEFINITIONS = """
import asyncio, sys
from fastcore.concurrency import Retry
from fastcore.tasks import TaskQueue

def temporary(error): return True
def key(symbols): return 'one'
queue = TaskQueue("sqlite:///" + sys.argv[1])
options = {
    "plain": {}, "retry": {"retries": Retry(5, base=2.0)}, "gives up": {"retries": Retry(5, give_up_on=temporary)},
    "lambda": {"retries": Retry(5, retry_on=lambda error: True)}, "unique": {"unique": key},
}
tasks = [queue.task(lambda symbols: None, name=name, **given) for name, given in options.items()]
if sys.argv[2] == "reversed":
    tasks.reverse()
calls = [{"AAPL", "MSFT", "NVDA", "GOOG"}, {"b": 1, "a": frozenset("xyz")}, ("AAPL", {"z", "y"})]
for task in tasks:
    for argument in calls:
        queue.schedule(task, argument, every=3600)
async def main():
    async with queue:
        while len(queue.schedules()) < 15:
            await asyncio.sleep(0.01)
        for view in queue.schedules():
            print(view.name, view.definition, view.next_at)
asyncio.run(main())
"""


def test_a_definition_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Whatever the options hold, whichever order sets have, and whichever comes first; it goes on where it stood."""
    said = {
        subprocess.run(
            [sys.executable, "-c", DEFINITIONS, str(tmp_path / "tasks.db"), order],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, order in (("1", "as written"), ("2", "reversed"))
    }
    assert len(said) == 1
    assert len(set(said.pop().splitlines())) == 15


class TestQueue:
    def test_a_schedule_runs_its_task(self, tmp_path: Path) -> None:
        """Two queues on one file, as two processes would have it."""
        url = f"sqlite:///{tmp_path}/tasks.db"
        ran: list[tuple[str, int]] = []
        queues = [TaskQueue(url), TaskQueue(url)]

        async def note(what: str, *, n: int = 0) -> None:
            ran.append((what, n))

        async def scenario() -> None:
            for queue in queues:
                assert queue.schedule(queue.task(note), "tick", every=0.3, name="note", kwargs={"n": 1}) == "note"
            async with queues[0], queues[1]:
                began = time.time()
                while len(ran) < 3:
                    await asyncio.sleep(0.01)
                took = time.time() - began
                [view] = queues[0].schedules()
                assert (view.name, view.last_at is not None) == ("note", True)
                assert queues[0].unschedule("note") is True
            assert ran == [("tick", 1)] * len(ran)
            assert len(ran) <= took / 0.3 + 1  # were each queue to fire for itself, it would be twice that

        asyncio.run(asyncio.wait_for(scenario(), LONG))

    def test_two_of_one_task_are_two(self) -> None:
        queue = TaskQueue()

        @queue.task
        def collect(symbol: str, days: int = 1) -> None: ...

        names = {
            queue.schedule(collect, "AAPL", every=60),
            queue.schedule(collect, "MSFT", every=60),
            queue.schedule(collect, "MSFT", 2, every=60),
            queue.schedule(collect, "MSFT", every=61),
            queue.schedule(collect, "MSFT", cron="@daily"),
            queue.schedule(collect, "MSFT", cron="@daily", tz="Asia/Tokyo"),
        }
        assert len(names) == 6
        assert queue.schedule(collect, "MSFT", kwargs={"days": 1}, every=timedelta(minutes=1)) in names
        assert queue.schedule(collect, symbol_of("MSFT"), 1, cron="0 0 * * *") in names

    def test_a_schedule_added_while_the_loop_sleeps_is_run(self) -> None:
        queue = TaskQueue()
        ran = asyncio.Event()

        @queue.task
        async def tick() -> None:
            ran.set()

        async def scenario() -> None:
            async with queue:
                await asyncio.sleep(0.05)
                queue.schedule(tick, every=timedelta(milliseconds=20), name="soon")
                await ran.wait()
                assert [view.name for view in queue.schedules()] == ["soon"]

        asyncio.run(asyncio.wait_for(scenario(), LONG))

    @pytest.mark.parametrize("steps", range(8))
    def test_stopping_while_a_schedule_is_added(self, steps: int) -> None:
        queue = TaskQueue()

        async def scenario() -> None:
            async with queue:
                await asyncio.sleep(0.01)
                queue.schedule(queue.task(lambda: None, name="work"), every=LONG)
                for _ in range(steps):
                    await asyncio.sleep(0)

        asyncio.run(asyncio.wait_for(scenario(), LONG))

    def test_a_failed_store_is_retried(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        fire: Callable[..., Any] = store.fire
        failures = iter([True, False])

        def failing(*args: Any) -> Any:
            if next(failures, False):
                raise StoreError("disk full")
            return fire(*args)

        monkeypatch.setattr(store, "fire", failing)
        queue = TaskQueue(store)
        ran = asyncio.Event()

        @queue.task
        async def tick() -> None:
            ran.set()

        async def scenario() -> None:
            queue.schedule(tick, every=0.02)
            async with queue:
                await ran.wait()

        asyncio.run(asyncio.wait_for(scenario(), LONG))
        assert "failed; it is tried again" in caplog.text

    def test_schedules_fire_into_a_full_store(self) -> None:
        store = MemoryStore(max_queued=1)
        fleet = Fleet(store)
        fleet.add(Every(1.0))
        for at in range(4):
            fleet.pass_to(at)
        assert fleet.fired() == [1, 2, 3]
        assert store.counts().result() == {"report": {State.QUEUED: 3}}

    def test_wrong_schedules_are_refused(self) -> None:
        queue = TaskQueue()

        @queue.task
        def work(a: int) -> None: ...

        with pytest.raises(TypeError, match="expected either every or cron, got neither"):
            queue.schedule(work, 1)
        with pytest.raises(TypeError, match="expected either every or cron, got both"):
            queue.schedule(work, 1, every=1, cron="@daily")
        with pytest.raises(ValueError, match="every: expected a finite number > 0, got 0"):
            queue.schedule(work, 1, every=0)
        with pytest.raises(TypeError, match="work: missing a required argument"):
            queue.schedule(work, every=1)
        with pytest.raises(ValueError, match="cron: expected a minute"):
            queue.schedule(work, 1, cron="61 * * * *")
        with pytest.raises(ValueError, match="skip_if_later_than: expected a finite number >= 0, got -1"):
            queue.schedule(work, 1, every=1, skip_if_later_than=-1)
        assert queue.schedules() == []
