"""TaskQueue: tasks, a store, executors, and the engine between them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from operator import attrgetter
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, Unpack, overload

from fastcore.concurrency.checks import called, count, number
from fastcore.tasks import installation
from fastcore.tasks.codec import Codec
from fastcore.tasks.cron import Cron
from fastcore.tasks.engine.engine import Engine
from fastcore.tasks.engine.inline import Inline
from fastcore.tasks.engine.runner import Runner
from fastcore.tasks.executors import make_executor
from fastcore.tasks.hooks import Hooks
from fastcore.tasks.middleware import Middleware
from fastcore.tasks.options import Options, TaskOptions, rate_of, seconds
from fastcore.tasks.ports import Cap, Executor, MakesSpecs, TaskStore
from fastcore.tasks.queries import Queries
from fastcore.tasks.records import ScheduleView, TaskSpec
from fastcore.tasks.registration import check_by_name, checked
from fastcore.tasks.schedules import Every, Schedule, Schedules
from fastcore.tasks.signals import Signals
from fastcore.tasks.specs import Specs, Target
from fastcore.tasks.steering import Steering
from fastcore.tasks.stores import open_store
from fastcore.tasks.submitter import Submitter
from fastcore.tasks.task import Configured, Task, register
from fastcore.tasks.waiting import Waiters

__all__ = ["TaskQueue"]

P = ParamSpec("P")
R = TypeVar("R")

_ID, _KIND = attrgetter("id"), attrgetter("kind")


class _Decorator(Protocol):
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...


class TaskQueue(Queries, Steering):
    """Durable background tasks with priorities, retries, schedules, progress and results.

    Parameters
    ----------
    store : str or TaskStore, default "memory"
        ``"memory"``, ``"sqlite:///tasks.db"``, or a store.
    workers : mapping of str to int, optional
        How many tasks each executor runs at once; ``{"async": 64, "thread": 8, "process": 2}`` unless given. Processes
        and threads are started when the first task comes that needs them.
    executors : mapping of str to Executor, optional
        Further executors, or others in place of those, by the name that tasks call them.
    max_queued : int, optional
        How many tasks may wait before `submit` raises QueueFull; for a store that is opened here.
    codec : Codec, optional
        How arguments and results become bytes; msgpack with numpy's and pandas' types unless given.
    aging : float, default 1/60
        By how much a second of waiting lowers a task's priority, so that none starves: at 1/60 a task of priority 5
        that has waited for five minutes runs before one of priority 0 that comes then. 0 keeps priorities strict.
    lease, heartbeat : float
        Seconds for which the store holds a task for this process, and between the signs of life that prolong it.
    drain : float, default 15.0
        Seconds that running tasks are given when the queue stops.
    inline : bool, default False
        Run every task where it is submitted, before `submit` returns, retries and delays at once: for tests.
    clock : callable, default time.time
        Seconds since the epoch.

    Notes
    -----
    A task runs at least once, and its last attempt's result is kept: one whose process died may run again, so make it
    idempotent. ``async with queue:`` runs the workers on this event loop; ``start()`` and ``stop()`` on a
    thread, and after its end again. Without either, `submit` only stores: another process may do the work.

    In a program's main thread SIGTERM and Ctrl-C leave ``async with queue:`` as a cancelled task does: running tasks
    are given `drain` seconds, then the program ends, with status 143 after SIGTERM; a second signal cuts the drain.

    Examples
    --------
    >>> queue = TaskQueue(inline=True)
    >>> @queue.task(priority=0)
    ... def add(a, b):
    ...     return a + b
    >>> queue.result(queue.submit(add, 2, 3))
    5
    """

    def __init__(
        self,
        store: str | TaskStore = "memory",
        *,
        workers: Mapping[str, int] | None = None,
        executors: Mapping[str, Executor] | None = None,
        max_queued: int | None = None,
        codec: Codec | None = None,
        aging: float = 1 / 60,
        lease: float = 15.0,
        heartbeat: float = 5.0,
        drain: float = 15.0,
        inline: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_queued is not None:
            count("max_queued", max_queued)
        if number("heartbeat", heartbeat) >= number("lease", lease):
            raise ValueError(f"heartbeat: expected less than lease ({lease!r}), got {heartbeat!r}")
        self.workers: dict[str, int] = {"async": 64, "thread": 8, "process": 2}
        for name, size in (workers or {}).items():
            self.workers[name] = count(f"workers[{name!r}]", size)
        self.tasks: dict[str, Task[..., Any]] = {}
        self.hooks = Hooks()
        self._middleware = Middleware(self.tasks)
        self.codec = Codec() if codec is None else codec
        self.max_queued = max_queued
        self.store: TaskStore = open_store(store, max_queued=max_queued)
        self._executors: dict[str, Executor] = dict(executors or {})
        self._aging = number("aging", aging, zero=True)
        self._clock = called("clock", clock, plain=True)
        self._drain = number("drain", drain, zero=True)
        self._calls = Specs(
            self.tasks,
            self.executor,
            encodes=self.store.encodes,
            aging=self._aging,
            clock=self._clock,
            spec=self.store.spec if isinstance(self.store, MakesSpecs) else TaskSpec,
        )
        self.waiters = Waiters(self.store, self.hooks)
        self._schedules = Schedules(self.store, self._clock)
        self.engine = Engine(
            self.store,
            self.tasks,
            self._executors,
            self.hooks,
            aging=self._aging,
            lease=float(lease),
            heartbeat=float(heartbeat),
            clock=self._clock,
        )
        self._runner = Runner(self.engine, self._schedules)
        self._signals = Signals(self.engine.hurry)
        self._submitting = Submitter(
            self.store, self._calls, self.tasks, self.hooks, Inline(self.engine, self.tasks) if inline else None
        )

    # ---- tasks ----

    @overload
    def task(
        self,
        fn: Callable[P, R],
        /,
        **options: Unpack[TaskOptions],
    ) -> Task[P, R]: ...

    @overload
    def task(
        self,
        fn: None = None,
        /,
        **options: Unpack[TaskOptions],
    ) -> _Decorator: ...

    def task(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        on: str | None = None,
        concurrency: int | None = None,
        rate: str | tuple[int, float] | None = None,
        memory_limit: int | None = None,
        codec: Codec | None = None,
        **options: Any,
    ) -> Any:
        """Register a function.

        Parameters
        ----------
        name : str, optional
            Its name in the store; the function's own name unless given. Keep it while tasks of it are stored.
        on : {"async", "thread", "process", ...}, optional
            The executor: "async" for coroutine functions, and only for these, "thread" for others unless given.
        concurrency : int, optional
            How many run at once in this process.
        rate : str or (int, seconds), optional
            How many begin within a time in this process: ``"10/s"``, ``"100/m"``, ``(5, 0.5)``.
        memory_limit : int, optional
            Bytes; for executors that can hold a task to it.
        codec : Codec, optional
            How its arguments and results become bytes, where not the queue's way.
        priority, retries, timeout, result_ttl, unique, ...
            As of :meth:`Task.configure`. `retries` is 3 unless given: after 1, 2 and 4 seconds, less up to half as
            jitter; a ``Retry`` says otherwise.

        Returns
        -------
        Task
            In place of the function; calling it calls the function.
        """
        if fn is None:
            return lambda fn: self._register(fn, name, on, concurrency, rate, memory_limit, codec, options)
        return self._register(fn, name, on, concurrency, rate, memory_limit, codec, options)

    def _register(
        self,
        fn: Callable[..., Any],
        name: str | None,
        on: str | None,
        concurrency: int | None,
        rate: str | tuple[int, float] | None,
        memory_limit: int | None,
        codec: Codec | None,
        options: dict[str, Any],
    ) -> Task[..., Any]:
        name, on = checked(self.tasks, self.workers, self._executors, fn, name, on, options)
        executor = self.executor(on)  # what an earlier process submitted is worked on, also if this one never submits
        if executor.capabilities & Cap.BY_NAME:
            check_by_name(fn, name, on)
        task: Task[..., Any] = Task(
            self,
            fn,
            name,
            on,
            Options().changed(options),
            None if concurrency is None else count("concurrency", concurrency),
            None if rate is None else rate_of(rate),
            None if memory_limit is None else count("memory_limit", memory_limit),
            self.codec if codec is None else codec,
        )
        self._middleware.wrap(task)
        self.tasks[name] = task
        register(task)
        self.engine.enrol()
        return task

    def executor(self, name: str) -> Executor:
        """Return the executor of a name, made when it is first asked for."""
        found = self._executors.get(name)
        if found is None:
            found = self._executors[name] = make_executor(name, self.workers[name])
            self._runner.refresh()
        return found

    # ---- submitting ----

    @overload
    def submit(self, task: Task[P, Any] | Configured[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> str: ...

    @overload
    def submit(self, task: str, /, *args: Any, **kwargs: Any) -> str: ...

    def submit(self, task: Target, /, *args: Any, **kwargs: Any) -> str:
        """Queue a call, from any thread; returns its id once it is as durable as the store promises.

        Parameters
        ----------
        task : Task, Configured or str
            A task, ``task.configure(...)``, or the name of one.
        *args, **kwargs
            All of them go to the function.

        Returns
        -------
        str
            The id; where a live task holds its unique key, that one's.

        Raises
        ------
        TypeError
            If the function does not take these arguments, or the codec cannot write them.
        QueueFull, StoreError, UnsupportedOption, IdempotencyConflict
        """
        return self._submitting.submit([self._calls.one(task, args, kwargs)])[0]

    @overload
    async def asubmit(self, task: Task[P, Any] | Configured[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> str: ...

    @overload
    async def asubmit(self, task: str, /, *args: Any, **kwargs: Any) -> str: ...

    async def asubmit(self, task: Target, /, *args: Any, **kwargs: Any) -> str:
        """Queue a call as :meth:`submit` does, without blocking the event loop."""
        return await self._submitting.asubmit_call(task, args, kwargs)

    def submit_many(self, calls: Iterable[tuple[Any, ...]]) -> list[str]:
        """Queue ``(task, args)`` or ``(task, args, kwargs)`` each, all or none; returns their ids."""
        specs = self._calls.many(calls)
        return self._submitting.submit(specs) if specs else []

    async def asubmit_many(self, calls: Iterable[tuple[Any, ...]]) -> list[str]:
        """Queue many as :meth:`submit_many` does, without blocking the event loop."""
        specs = self._calls.many(calls)
        return await self._submitting.asubmit(specs) if specs else []

    def submit_group(
        self,
        calls: Iterable[tuple[Any, ...]],
        *,
        then: Target | None = None,
        args: tuple[Any, ...] = (),
        partial: bool = False,
    ) -> str:
        """Queue many together, and a callback for when all have ended; returns the group's id.

        Parameters
        ----------
        calls
            As of :meth:`submit_many`. A call whose key is held by another task has that task as its member.
        then : Task, Configured or str, optional
            Called with the list of the members' results, in the order of `calls`, and `args`. If a member did not
            succeed, or its result has expired when the callback is retried, it is not called, and fails itself.
        partial : bool
            Call it even then, with a dict for each member: id, task, state, result, error.

        Notes
        -----
        `status`, `result`, `wait`, `changes` and `cancel` take a group's id as they take a task's. Its result is the
        callback's, or the list of the members' results if there is no callback; ``status(id).then`` is the callback.
        """
        specs, group = self._calls.group(calls, then, args, partial)
        self._submitting.submit(specs, group)
        return group.id

    async def asubmit_group(
        self,
        calls: Iterable[tuple[Any, ...]],
        *,
        then: Target | None = None,
        args: tuple[Any, ...] = (),
        partial: bool = False,
    ) -> str:
        """Queue a group as :meth:`submit_group` does, without blocking the event loop."""
        specs, group = self._calls.group(calls, then, args, partial)
        await self._submitting.asubmit(specs, group)
        return group.id

    # ---- schedules ----

    def schedule(
        self,
        task: Target,
        /,
        *args: Any,
        every: float | timedelta | None = None,
        cron: str | None = None,
        tz: str = "UTC",
        name: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        skip_if_later_than: float | timedelta | None = None,
    ) -> str:
        """Submit a call again and again: once for every slot, however many processes have the same schedule.

        Parameters
        ----------
        every : seconds or timedelta, or cron : str
            One of them: see :class:`fastcore.tasks.cron.Cron` for the line.
        tz : str
            The time zone of `cron`.
        name : str, optional
            Its name in the store. Unless given it is made of the interval or line and zone, the task and the
            arguments, so that it is the same in every process, and two that differ in one of these are two schedules.
            Under a given name another definition replaces the schedule.
        skip_if_later_than : seconds or timedelta, optional
            The limit for a missed slot: if the latest slot that is due passed longer ago, it is skipped.

        Returns
        -------
        str
            The name.

        Notes
        -----
        It fires while a queue that knows it runs. Missed slots are made up for by one call. A schedule
        that no process runs any more is reported in the log, and dropped a week after its last slot.
        """
        if (every is None) == (cron is None):
            raise TypeError("schedule: expected either every or cron, got " + ("neither" if cron is None else "both"))
        when = Cron(cron, tz) if cron is not None else Every(seconds("every", every))
        limit = None if skip_if_later_than is None else seconds("skip_if_later_than", skip_if_later_than, zero=True)
        found = self._calls.resolve(task)
        given = dict(kwargs or {})
        self._calls.one(found, args, given)  # whatever is wrong with it is wrong now
        text = f"{when.text} {found.task.identity(args, given)}"
        if name is None:
            name = f"{found.task.name}:{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
        self._schedules.add(Schedule(name, text, when, lambda slot: self._calls.one(found, args, given), limit))
        return name

    def unschedule(self, name: str) -> bool:
        """End a schedule, for the whole fleet; returns whether there was one."""
        self._schedules.drop(name)
        return self.store.unschedule(name).result()

    def schedules(self) -> Sequence[ScheduleView]:
        """Return the schedules that the store knows."""
        return self.store.schedules().result()

    # ---- life ----

    def install(self) -> TaskQueue:
        """Make this the queue of `submit_background_task`; returns it."""
        installation.install(self)
        return self

    async def __aenter__(self) -> TaskQueue:
        await self.astart()
        self._signals.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.stop()
        try:
            await self.astop()
        finally:
            self._signals.end()

    async def astart(self) -> TaskQueue:
        """Run the workers on this event loop."""
        await self._runner.astart()
        self.hooks.arrive()
        installation.install(self, unless_there=True)
        return self

    async def astop(self, drain: float | None = None) -> None:
        """Claim no more tasks, give running ones `drain` seconds, return the rest to the store, and close it.

        Cancelling it cuts the drain.
        """
        try:
            await self._runner.astop(self._drain if drain is None else number("drain", drain, zero=True))
        except asyncio.CancelledError:
            try:
                await self._runner.astop(0.0)
            finally:
                self.close()
            raise
        self.close()

    def start(self) -> TaskQueue:
        """Run the workers on a thread with its own event loop."""
        self._runner.start()
        self.hooks.arrive()
        installation.install(self, unless_there=True)
        return self

    def stop(self, drain: float | None = None) -> None:
        """End what :meth:`start` began, as :meth:`astop` does."""
        self._runner.stop(self._drain if drain is None else number("drain", drain, zero=True))
        self.close()

    def close(self) -> None:
        """Close the store; for a queue that ran no workers."""
        installation.remove(self)
        self.store.close()
        self._runner.end()

    async def drain(self, timeout: float | None = None) -> bool:
        """Claim no more tasks and wait for running ones; return whether they ended in time. For deploys.

        Waiting tasks stay in the store. Submissions are still accepted.
        """
        return await self._runner.call(self.engine.drain(self._drain if timeout is None else float(timeout)))

    async def join(self, timeout: float | None = None) -> bool:
        """Wait until no task is queued or running, delayed ones counted; returns whether that came in time."""
        return await self._runner.call(self.engine.join(timeout))

    @property
    def owner(self) -> str:
        """The name of this process's workers in the store."""
        return self.engine.owner

    @property
    def running(self) -> bool:
        """Whether this queue runs workers in this process."""
        return self.engine.claiming

    def router(self, **options: Any) -> Any:
        """Return a FastAPI router over this queue; see :func:`fastcore.tasks.http.router`."""
        from fastcore.tasks.http import router

        return router(self, **options)
