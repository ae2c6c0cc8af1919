"""What every executor keeps to. An executor enrols with a row in EXECUTORS."""

from __future__ import annotations

import asyncio
import atexit
import functools
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskTimeout
from fastcore.tasks.executors import AsyncExecutor, ThreadExecutor
from fastcore.tasks.executors.process.executor import ProcessExecutor
from fastcore.tasks.ports import Cap, Executor, Stop
from fastcore.tasks.records import Claim, Encoded, TaskSpec
from fastcore.tasks.specs import new_id
from tests.tasks.executors.executor_cases import CASES


def _on_dask(size: int) -> Executor:
    pytest.importorskip("distributed")
    from fastcore.tasks.executors.dask import DaskExecutor

    return DaskExecutor(_cluster(), size)


@functools.cache
def _cluster() -> Any:
    """A cluster for all tests of this process, which ends with it."""
    from distributed import LocalCluster

    any_port = {"dashboard_address": ":0"}  # else two test processes want the same
    made = LocalCluster(
        n_workers=1, threads_per_worker=8, dashboard_address=None, scheduler_kwargs=any_port, host="127.0.0.1"
    )
    atexit.register(made.close)
    return made


EXECUTORS: dict[str, Callable[[int], Executor]] = {
    "async": AsyncExecutor,
    "dask": _on_dask,
    "thread": ThreadExecutor,
    "process": ProcessExecutor,
}
"""Name -> what makes an executor of so many slots."""
STARTS_PROCESSES = dict.fromkeys(("dask", "process"), pytest.mark.backend_independent)

LONG = 60.0  # seconds until a test gives up


class Told:
    """A sink that records its calls."""

    def __init__(self) -> None:
        self.ends: dict[str, list[tuple[str, Any]]] = {}
        self.order: list[str] = []
        self.words: list[tuple[str, float | None, str]] = []
        self.lost: list[str] = []
        self._changed = threading.Condition()

    def done(self, job: Job, result: Any) -> None:
        self._end(job, "done", job.task.codec.decode(result) if isinstance(result, Encoded) else result)

    def failed(self, job: Job, error: BaseException, *, lost: bool = False) -> None:
        if lost:
            self.lost.append(job.id)
        self._end(job, "failed", error)

    def cancelled(self, job: Job) -> None:
        self._end(job, "cancelled", None)

    def returned(self, job: Job) -> None:
        self._end(job, "returned", None)

    def progress(self, job: Job, fraction: float | None, note: str) -> None:
        with self._changed:
            self.words.append((job.id, fraction, note))
            self._changed.notify_all()

    def freed(self) -> None:
        pass

    def _end(self, job: Job, how: str, value: Any) -> None:
        with self._changed:
            self.ends.setdefault(job.id, []).append((how, value))
            self.order.append(job.id)
            self._changed.notify_all()


class Harness:
    """An executor at work."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.told = Told()

    def job(self, case: str, *args: Any, timeout: float | None = None, encoded: bool = False, **kwargs: Any) -> Job:
        task = CASES[case][bool(self.executor.capabilities & Cap.ASYNC)]
        payload = Encoded(task.encode(args, kwargs)) if encoded else (args, kwargs)
        now = time.time()
        spec = TaskSpec(new_id(now), task.name, payload, 5.0, 5.0, now, now, 3, timeout, 60.0)
        return Job(Claim(spec, 2, 7, now + LONG), task, payload, self.told, now)

    def run(self, case: str, *args: Any, **given: Any) -> Job:
        job = self.job(case, *args, **given)
        self.executor.run([job])
        return job

    async def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + LONG
        while not true():
            assert time.monotonic() < deadline, f"waited in vain; told: {self.told.ends}, {self.told.words}"
            await asyncio.sleep(0.005)

    async def end(self, job: Job) -> tuple[str, Any]:
        await self.until(lambda: job.id in self.told.ends)
        [end] = self.told.ends[job.id]
        return end


@pytest.fixture(params=[pytest.param(name, marks=STARTS_PROCESSES.get(name, ())) for name in sorted(EXECUTORS)])
def on(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``on(scenario, size=2)`` runs a scenario with an executor, which is always stopped."""

    def run(scenario: Callable[[Harness], Awaitable[None]], size: int = 2, needs: Cap = Cap.NONE) -> None:
        async def whole() -> None:
            executor = EXECUTORS[request.param](size)
            if needs & executor.capabilities != needs:
                pytest.skip(f"{request.param} lacks {needs & ~executor.capabilities}")
            it = Harness(executor)
            await executor.start(it.told)
            try:
                await it.until(lambda: executor.free() >= size)  # a cluster has to be reached first
                await scenario(it)
            finally:
                await executor.stop(0.0)
            assert all(len(ends) == 1 for ends in it.told.ends.values()), it.told.ends

        asyncio.run(whole())

    return run


def test_it_has_a_name_and_capabilities(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        assert isinstance(it.executor.name, str)
        assert it.executor.capabilities & (Cap.ASYNC | Cap.SYNC)

    on(scenario)


def test_results_and_errors_are_reported_once_and_free_the_slot(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        room = it.executor.free()
        assert room >= 2
        first = it.run("echo", 1, "x", key=[None])
        second = it.run("fail", "bad symbol")
        assert await it.end(first) == ("done", [[1, "x"], {"key": [None]}])
        how, error = await it.end(second)
        assert (how, type(error), str(error)) == ("failed", ValueError, "bad symbol")
        assert it.executor.free() >= 2
        third = it.run("echo", 2, encoded=True)
        assert (await it.end(third))[1] == [[2], {}]
        assert it.told.lost == []

    on(scenario)


def test_free_capacity_falls_and_rises_with_the_jobs(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        room = it.executor.free()
        job = it.run("sleep", 0.2)
        assert it.executor.free() == room - 1
        await it.end(job)
        assert it.executor.free() >= 2

    on(scenario)


def test_a_task_that_exits_ends_itself_only(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        job = it.run("leave")
        assert (await it.end(job))[0] == "failed"
        assert (await it.end(it.run("echo")))[0] == "done"

    on(scenario)


def test_in_the_order_given(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        jobs = [it.job("stamp", n) for n in range(6)]
        for job in jobs:
            await it.until(lambda: it.executor.free() > 0)
            it.executor.run([job])
        ends = [(await it.end(job))[1] for job in jobs]
        assert [value for value, _ in sorted(ends, key=lambda end: end[1])] == list(range(6))

    on(scenario, size=1)


def test_as_many_at_once_as_it_has_slots(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        await it.end(it.run("echo"))  # whatever must be started is
        await it.end(it.run("echo"))
        jobs = [it.run("until_told") for _ in range(2)]
        await asyncio.sleep(0.05)
        assert it.told.ends.keys().isdisjoint({job.id for job in jobs})
        reached = [job for job in jobs if it.executor.cancel(job) is not Stop.DETACHED]
        for job in reached:
            await it.end(job)

    on(scenario)


def test_many(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        jobs = [it.job("echo", n) for n in range(100)]
        waiting = list(jobs)
        while waiting:
            await it.until(lambda: it.executor.free() > 0)
            room = it.executor.free()
            it.executor.run(waiting[:room])
            del waiting[:room]
        for n, job in enumerate(jobs):
            assert await it.end(job) == ("done", [[n], {}])

    on(scenario)


def test_the_context_of_a_task(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        job = it.run("who")
        assert (await it.end(job))[1] == [job.id, job.kind, 2]

    on(scenario)


def test_progress(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        job = it.run("report", 0.5, "half")
        assert await it.end(job) == ("done", "reported")
        await it.until(lambda: it.told.words)
        assert it.told.words == [(job.id, 0.5, "half")]

    on(scenario, needs=Cap.PROGRESS)


def test_an_attempt_over_its_time_is_ended(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        await it.end(it.run("echo"))
        job = it.run("sleep", LONG * 2, timeout=0.3)
        how, error = await it.end(job)
        assert (how, type(error)) == ("failed", TaskTimeout)
        job = it.run("sleep", 0.0, "in time", timeout=LONG)
        assert await it.end(job) == ("done", "in time")

    on(scenario, needs=Cap.TIMEOUT)


def test_running_code_is_stopped(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        await it.end(it.run("echo"))
        job = it.run("sleep", LONG * 2)
        await asyncio.sleep(0.1)
        assert it.executor.cancel(job) is Stop.STOPPING
        assert await it.end(job) == ("cancelled", None)
        assert it.executor.cancel(job) is Stop.UNKNOWN
        assert (await it.end(it.run("echo")))[0] == "done"

    on(scenario, needs=Cap.CANCEL_RUNNING)


def test_code_that_looks_is_stopped(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        job = it.run("until_told")
        await asyncio.sleep(0.1)
        if it.executor.cancel(job) is not Stop.DETACHED:
            assert await it.end(job) == ("cancelled", None)

    on(scenario)


def test_cancelling_an_unknown_job_is_harmless(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        assert it.executor.cancel(it.job("echo")) is Stop.UNKNOWN
        job = it.run("echo")
        await it.end(job)
        assert it.executor.cancel(job) is Stop.UNKNOWN

    on(scenario)


def test_shutdown_waits_for_running_tasks(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        job = it.run("sleep", 0.2, "finished")
        await it.executor.stop(LONG)
        assert await it.end(job) == ("done", "finished")
        assert it.executor.free() == 0
        await it.executor.stop(LONG)

    on(scenario)


def test_shutdown_returns_attempts_that_do_not_end(on: Callable[..., None]) -> None:
    async def scenario(it: Harness) -> None:
        await it.end(it.run("echo"))
        job = it.run("until_told")
        await asyncio.sleep(0.1)
        await it.executor.stop(0.0)
        assert await it.end(job) == ("returned", None)
        assert it.executor.free() == 0

    on(scenario)
