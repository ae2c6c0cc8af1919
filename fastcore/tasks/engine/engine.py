"""Engine: on one event loop, it takes work from the store, hands it to the executors, and records how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from fastcore.concurrency.waiting import happened
from fastcore.tasks.engine.groups import collected
from fastcore.tasks.engine.job import Job
from fastcore.tasks.engine.maintenance import Maintenance
from fastcore.tasks.engine.outcomes import Outcomes
from fastcore.tasks.engine.pools import Pool, Pools
from fastcore.tasks.errors import TaskFailed
from fastcore.tasks.hooks import Hooks, TaskEvent
from fastcore.tasks.outbox import Outbox
from fastcore.tasks.ports import Executor, PushesClaims, Reply, Stop, TaskStore, arrived
from fastcore.tasks.records import LIVE, Batch, Claim, Encoded, Progress, State, TaskView
from fastcore.tasks.task import Task

__all__ = ["Engine"]

_REPORT = 0.05  # seconds for which words of progress are gathered
_TROUBLE = 0.5  # seconds before a store that failed is asked again

_log = logging.getLogger("fastcore.tasks")
_OUTCOME = attrgetter("outcome")


class Engine(Outbox):
    """The driver of a queue; as a `Sink` it gets the outcomes of jobs from the executors.

    Parameters
    ----------
    store : TaskStore
    tasks : mapping of name to Task
        Those of the queue; it may grow while the engine runs.
    executors : mapping of name to Executor
        The same.
    hooks : Hooks
    aging : float
        By how much a second of waiting lowers a rank.
    lease, heartbeat, rescue, prune : float
        Seconds: how long a claim is good; and between renewals, looks for leases that passed, and for what expired.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        store: TaskStore,
        tasks: Mapping[str, Task[..., Any]],
        executors: Mapping[str, Executor],
        hooks: Hooks,
        *,
        aging: float,
        lease: float,
        heartbeat: float,
        rescue: float = 2.0,
        prune: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(store.encodes, aging, clock)
        self.store = store
        self.owner = _new_owner()
        """What the store calls this engine."""
        self.running: dict[str, Job] = {}
        self.claiming = False
        self.trouble: Exception | None = None
        """What the store's last call raised, while it does."""
        self._tasks = tasks
        self._hooks = hooks
        self.ledger = Outcomes(hooks)
        self._lease = lease
        self._heartbeat = heartbeat
        self._rescue = rescue
        self._prune = prune
        self._recording = False
        self._said: dict[Job, Progress] = {}
        self._saying = False
        self._pools = Pools(tasks, executors)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiter: asyncio.Future[None] | None = None
        self._chores = Maintenance(self, tasks, hooks, lease, clock)
        self._turning: asyncio.Task[None] | None = None
        self._stopping = False
        self._quiet: set[asyncio.Event] = set()

    # ---- life ----

    async def start(self) -> None:
        """Start to claim and run tasks."""
        self.store.attach(self.wake)  # first: it may raise
        self.owner = _new_owner()  # the queue may have been made before a fork
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiter = None
        self._said.clear()
        self._stopping = self._saying = False
        self.claiming = True
        await self.refresh()
        if isinstance(self.store, PushesClaims):
            self.store.push_to(self.owner, self._loop, self._take_pushed)
        self._turning = self._loop.create_task(self._turn_until_stopped(), name="fastcore-tasks")
        self._chores.start(rescue=self._rescue, heartbeat=self._heartbeat, prune=self._prune)

    async def refresh(self) -> None:
        """Start executors that were added since."""
        await self._pools.start(self)
        self.wake()

    async def drain(self, timeout: float) -> bool:
        """Claim no more tasks and wait for running ones; return whether all ended and were recorded in time."""
        self.claiming = False
        deadline = time.monotonic() + timeout
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._hear_last()
        while (busy := self._busy()) and (left := deadline - time.monotonic()) > 0:
            await self.until_quiet(min(left, 0.5))
        return not busy

    def _busy(self) -> bool:
        """Whether a task runs, or one has ended that the store does not know of yet."""
        return bool(self.running or self._outbox or self._recording)

    async def stop(self, timeout: float) -> None:
        """Claim no more tasks, give running ones `timeout` seconds, return the rest to the store, and end."""
        self.claiming = False
        await self._pools.stop(timeout)
        for job in list(self.running.values()):  # of executors that told nothing
            self.returned(job)
        self._stopping = True
        self.wake()
        if self._turning is not None:
            await self._turning
        await self._chores.stop()
        self._pools.clear()
        self._loop = None

    def hurry(self) -> None:
        """End the wait for running tasks while the engine stops; on its loop."""
        self._pools.hurry()

    async def join(self, timeout: float | None) -> bool:
        """Wait until no task is queued or running and the hooks were called."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            counts = await arrived(self.store.counts())
            if not any(state in LIVE and n for kind in counts.values() for state, n in kind.items()):
                while self._recording:  # the store knows of the last end, the hooks do not yet
                    await asyncio.sleep(0)
                return True
            left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
            if left <= 0:
                return False
            await self.until_quiet(left)
            await asyncio.sleep(min(left, 0.005))  # what is left may wait for its time, or for others

    def enrol(self) -> None:
        """Take up tasks that were registered since; from any thread."""
        self._pools.enrol()
        self.wake()

    async def until_quiet(self, timeout: float) -> None:
        """Wait until no task runs or can be claimed, or until a time has passed."""
        event = asyncio.Event()
        self._quiet.add(event)
        self.wake()
        try:
            await happened(event, timeout)
        finally:
            self._quiet.discard(event)

    # ---- from any thread ----

    def on_loop(self) -> bool:
        """Whether this is called in the thread of its event loop."""
        return self._loop is not None and threading.get_ident() == self._thread

    def wake(self) -> None:
        """Schedule a turn."""
        if not self._woken:
            self._woken = True
            self._call(self._set)

    def progress(self, job: Job, fraction: float | None, note: str) -> None:
        if not job.told:
            self._said[job] = Progress(job.id, job.claim.token, fraction, note)
            if not self._saying:
                self._saying = True
                self._call(self._say_later)

    def freed(self) -> None:
        self.wake()

    def _call(self, fn: Callable[[], object]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            if threading.get_ident() == self._thread:
                loop.call_soon(fn)
            else:
                loop.call_soon_threadsafe(fn)
        except RuntimeError:  # the loop was closed
            pass

    # ---- on the loop ----

    def _set(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _turn_until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken = False
            last = self._stopping  # this turn tells the store that nothing more is wanted
            try:
                delay = await self._turn()
                self.trouble = None
            except Exception as error:
                if self.trouble is None or str(self.trouble) != str(error):
                    _log.exception("the store failed; the queue tries again")
                self.trouble = error
                if self._stopping:
                    return
                await asyncio.sleep(_TROUBLE)
                continue
            if last:
                await self._hear_last()
                if not self._outbox:
                    return
            if self._woken:
                await asyncio.sleep(0)
                continue
            self._waiter = loop.create_future()
            timer = None if delay is None else loop.call_later(max(delay, 0.0), self._set)
            try:
                await self._waiter
            finally:
                if timer is not None:
                    timer.cancel()

    async def _hear_last(self) -> None:
        """Wait for what the store pushed before it knew that nothing is wanted: it is here once it answers again."""
        with contextlib.suppress(Exception):
            await arrived(self.store.claim(self.owner, [], self._lease, self._clock()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _turn(self) -> float | None:
        """Record finished attempts and claim tasks; return the seconds until the next turn."""
        if self._said:
            await self._say()
        ended = self._take_ended()
        self._forget(ended)
        settling: Reply[list[bool]] | None = None
        if ended:
            # Asked for before the claim, and awaited after it: a store that commits in groups does both in one.
            try:
                settling = self.store.settle(list(map(_OUTCOME, ended)))
                taken = settling.result() if settling.done() else None
            except Exception:  # nothing is known to be recorded: say it again
                self._take_again(ended)
                raise
            if taken is not None:
                self.ledger.enter(ended, taken)
                ended, settling = [], None  # let go before new work comes: the garbage collector has less to look at
        wants, delay = self._pools.wants(self.running.values()) if self.claiming else ([], None)
        claiming = self.store.claim(self.owner, wants, self._lease, self._clock())
        trouble: Exception | None = None
        if settling is not None:
            self._recording = True
            try:
                taken = await arrived(settling)
            except Exception as error:
                trouble = error
                self._take_again(ended)
            else:
                self.ledger.enter(ended, taken)
            finally:
                self._recording = False
        batch = claiming.result() if claiming.done() else await arrived(claiming)
        if batch.claims:
            for job in self._begin(batch.claims):
                assert job.claim.spec.collects is not None
                if await self._collected(job, job.claim.spec.collects):
                    self._pools[job.task.on].executor.run([job])
        elif self._quiet and not self.running and not self._outbox:
            for event in self._quiet:
                event.set()
        for id in batch.cancels:
            if (found := self.running.get(id)) is not None:
                self.stop_job(found)
        if trouble is not None:
            raise trouble
        return self._until_next(batch, delay)

    def take(self, claim: Claim) -> Job | None:
        """Return the job of a claim, blocking, for callers without a loop; None if the task has ended by that."""
        spec = claim.spec
        job = Job(claim, self._tasks[spec.kind], spec.payload, self, self._clock())
        if self._hooks.any:
            self._hooks.tell(TaskEvent("start", spec.id, spec.kind, claim.attempt, job.started_at))
        if spec.collects is None:
            return job
        members = self.store.members(spec.collects).result()
        return job if self._give(job, members) else None

    def flush(self) -> int:
        """Record finished attempts, blocking, for callers without a loop; return how many."""
        ended = self._take_ended()
        if ended:
            taken = self.store.settle([job.outcome for job in ended]).result()
            self.ledger.enter(ended, taken)
        return len(ended)

    def _forget(self, jobs: Iterable[Job]) -> None:
        running = self.running
        for job in jobs:
            id = job.outcome.id
            if running.get(id) is job:
                del running[id]

    def _take_again(self, ended: list[Job]) -> None:
        self._put_back(ended)
        for job in ended:
            self.running.setdefault(job.id, job)

    def _take_pushed(self, claims: list[Claim]) -> None:
        """Run the tasks that the store claimed as they were submitted."""
        if self.claiming:
            self._begin(claims)
            return
        for claim in claims:
            self.returned(Job(claim, self._tasks[claim.spec.kind], claim.spec.payload, self, self._clock()))

    def _begin(self, claims: list[Claim]) -> list[Job]:
        """Hand claims to their executors, but for the callbacks of groups, which are returned: they need results."""
        late: list[Job] = []
        now = self._clock()
        telling = self._hooks.wants("start")
        watched = self._hooks.watched
        pools = self._pools
        tasks = self._tasks
        running = self.running
        used: list[Pool] = []
        kind: str | None = None
        for claim in claims:
            spec = claim.spec
            if spec.kind != kind:
                kind = spec.kind
                task = tasks[kind]
                pool = pools[task.on]
                if pool not in used:
                    used.append(pool)
                lot = pool.lot
            job = Job(claim, task, spec.payload, self, now)
            running[spec.id] = job
            if claim.attempt == 1:
                waited = now - spec.run_at
                task.waited.observe(waited if waited > 0.0 else 0.0)
            if task.turns is not None:
                task.turns.begin(1, time.monotonic())
            if spec.collects is None:
                lot.append(job)
            else:
                late.append(job)
            if telling:
                self._hooks.tell(TaskEvent("start", spec.id, spec.kind, claim.attempt, now))
            if watched:
                self._hooks.changed(spec.id, spec.kind)
        for pool in used:
            lot, pool.lot = pool.lot, []
            if lot:
                pool.executor.run(lot)
        return late

    async def _collected(self, job: Job, group: str) -> bool:
        try:
            members = await arrived(self.store.members(group))
        except Exception:  # a storage error never uses up an attempt
            _log.exception("the results for %s could not be read; it is tried again", job)
            self.returned(job)
            return False
        return self._give(job, members)

    def _give(self, job: Job, members: Sequence[TaskView]) -> bool:
        """Put a group's results in front of the arguments of its callback; False if that is impossible."""
        try:
            job.payload = collected(job, members, lambda view: self._value(job, view))
        except TaskFailed as error:  # a member's, which trying again does not change
            self._box(job, State.FAILED, error)
        except Exception as error:
            self.failed(job, error)
        else:
            return True
        return False

    def _value(self, job: Job, view: TaskView) -> Any:
        """Return a member's result, as the codec of its own task reads it."""
        if not isinstance(view.result, Encoded):
            return view.result
        return self._tasks.get(view.kind, job.task).codec.decode(view.result)

    def stop_job(self, job: Job) -> None:
        """Stop a job; one that its executor cannot reach is settled as cancelled."""
        if job.told or job.stop_requested:
            return
        stop = self._pools[job.task.on].executor.cancel(job)
        job.stop_requested = True
        if stop is Stop.DETACHED:
            self.cancelled(job)

    def _until_next(self, batch: Batch, delay: float | None) -> float | None:
        waits = [wait for wait in (delay, self.store.poll) if wait is not None]
        if batch.due is not None:
            waits.append(batch.due - self._clock())
        return min(waits, default=None)

    # ---- progress ----

    def _say_later(self) -> None:
        assert self._loop is not None
        self._loop.call_later(_REPORT, self._say_now)

    def _say_now(self) -> None:
        self._saying = False
        self.wake()

    async def _say(self) -> None:
        said, self._said = self._said, {}
        await arrived(self.store.report(list(said.values())))
        if self._hooks.watched:
            for job in said:
                self._hooks.changed(job.id, job.kind)


def _new_owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
