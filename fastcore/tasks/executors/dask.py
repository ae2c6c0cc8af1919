"""DaskExecutor: plain functions on the workers of a Dask cluster, under our own store."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

from fastcore.concurrency.checks import count
from fastcore.tasks.engine.job import Job
from fastcore.tasks.errors import TaskLost
from fastcore.tasks.executors.dask_worker import run_on_worker
from fastcore.tasks.ports import Cap, Sink, Stop
from fastcore.tasks.records import Encoded

__all__ = ["DaskExecutor"]

_LOOK = 0.02  # seconds between looks at whether the last job has ended, at the end
_PULSE = 1.0  # seconds between looks at the cluster, and between attempts to reach it
_CONNECT = 2.0
_GATHER = 60.0  # seconds for a result to come from its worker
_CLOSE = 10.0

_log = logging.getLogger("fastcore.tasks")


class DaskExecutor:
    """Runs tasks on a Dask cluster; install ``fastcore-native[dask]``.

    Parameters
    ----------
    cluster : str, cluster or Client
        The scheduler's address such as ``"tcp://10.0.0.5:8786"``; or what has one, such as a ``LocalCluster`` or a
        ``distributed.Client``, which stays the caller's.
    size : int, optional
        Tasks at once; by default twice as many as the workers have threads, so that each finds its next one there.
        It follows the workers as they come and go.
    security : distributed.Security, optional
        TLS; that of `cluster` unless given. Dask sends pickles: without TLS, use it on networks you trust.

    Notes
    -----
    The store stays the record of truth: Dask gets a task when a worker has room for it, under a key of its own for each
    attempt, without retries, and by rank. If the scheduler goes away, tasks that were there go back to the store as
    lost (an attempt each), and none is given out until a scheduler answers at that address again. A worker's death is
    Dask's to notice; it runs what was there again on another, up to its ``allowed-failures``, and tells of a loss
    beyond that.

    Running code cannot be stopped on a worker. `cancel` withdraws what has not begun; what runs goes on, the task is
    cancelled, and the result is refused when it comes. Timeouts and memory limits are refused at submission.

    Workers import the task's module; functions of a program's main module are sent as they are.
    """

    name = "dask"
    capabilities = Cap.PROGRESS | Cap.SYNC

    def __init__(self, cluster: Any, size: int | None = None, *, security: Any = None) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f'DaskExecutor: expected distributed to be installed, got {error}; pip install "fastcore-native[dask]"'
            ) from error
        self.address = _address_of(cluster)
        self.size = None if size is None else count("size", size)
        self._security = getattr(cluster, "security", None) if security is None else security
        self._topic = f"fastcore-{uuid.uuid4().hex}"
        self._jobs: dict[Job, Any] = {}  # jobs not ended -> their futures, held, or Dask drops the work
        self._client: Any = None
        self._threads = 0  # of the workers
        self._results: SimpleQueue[tuple[Job, Any] | None] = SimpleQueue()
        self._ended = threading.Event()
        self._link: threading.Thread | None = None
        self._stopped = True

    async def start(self, sink: Sink) -> None:
        self._sink = sink
        self._stopped = False
        self._ended.clear()
        # A thread, so that a queue starts and goes on though no scheduler is there.
        self._link = threading.Thread(target=self._stay_connected, name="fastcore-task-dask", daemon=True)
        self._link.start()
        threading.Thread(target=self._collect, name="fastcore-task-dask-results", daemon=True).start()

    def free(self) -> int:
        if self._stopped or self._client is None:
            return 0
        most = 2 * self._threads if self.size is None or not self._threads else self.size
        return max(0, most - len(self._jobs))

    def run(self, jobs: Sequence[Job]) -> None:
        client = self._client
        for job in jobs:
            if client is None:
                self._sink.returned(job)
                continue
            self._jobs[job] = None
            try:
                future = self._submit(client, job)
            except Exception as error:
                del self._jobs[job]
                self._sink.failed(job, error)
                continue
            self._jobs[job] = future
            future.add_done_callback(lambda ended, job=job: self._results.put((job, ended)))
        if client is not self._client:  # lost meanwhile, and perhaps before all of these were noted
            self._lose()

    def _submit(self, client: Any, job: Job) -> Any:
        task = job.task
        # A task is found by its module on the worker; what no worker can import is sent by value.
        code = task.fn if task.fn.__module__ == "__main__" or "<locals>" in task.fn.__qualname__ else task
        claim = job.claim
        arguments = (
            code,
            job.kind,
            job.payload,
            job.id,
            job.attempt,
            claim.token,
            task.codec,
            task.around,
            self._topic,
        )
        return client.submit(
            run_on_worker,
            *arguments,
            # The token as well: a task that was returned has the same attempt again.
            key=f"{job.id}:{job.attempt}:{claim.token}",
            pure=False,
            retries=0,
            priority=-claim.spec.rank,
            fifo_timeout="0ms",
        )

    def cancel(self, job: Job) -> Stop:
        if job not in self._jobs:
            return Stop.UNKNOWN
        self._withdraw(job, self._jobs.pop(job))
        self._sink.freed()
        return Stop.DETACHED

    async def stop(self, timeout: float) -> None:
        self._stopped = True
        if self._link is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._jobs and loop.time() < deadline:
            await asyncio.sleep(_LOOK)
        for job, future in list(self._jobs.items()):
            if self._jobs.pop(job, None) is not None:
                self._withdraw(job, future)
                self._sink.returned(job)
        self._ended.set()
        self._results.put(None)
        link, self._link = self._link, None
        await asyncio.to_thread(link.join, _CLOSE)

    def _withdraw(self, job: Job, future: Any) -> None:
        if future is not None:
            loop = future.client.loop
            loop.add_callback(future.client.cancel, [future], asynchronous=True, force=True)

    # ---- in the thread of the results ----

    def _collect(self) -> None:
        """Report how futures ended; results are fetched in batches, as each round trip takes milliseconds."""
        while (first := self._results.get()) is not None:
            lot = [first]
            try:
                while (more := self._results.get_nowait()) is not None:
                    lot.append(more)
                self._results.put(None)  # for the next round
            except Empty:
                pass
            lot = [(job, future) for job, future in lot if job in self._jobs]  # not cancelled or returned meanwhile
            results = _gathered([future for _, future in lot if future.status == "finished"])
            for job, future in lot:
                self._settle(job, future, results)
            del first, lot, results

    def _settle(self, job: Job, future: Any, results: dict[Any, Any]) -> None:
        error: BaseException | None = None
        lost = False
        try:
            if future.key not in results:
                error = future.exception(timeout=_GATHER)
                lost = type(error).__name__ == "KilledWorker"
                if error is None:  # it is not with the others, as they could not be fetched together
                    results[future.key] = future.result(timeout=_GATHER)
        except BaseException as failure:  # CancelledError is what is raised when the scheduler is gone
            lost = True
            error = TaskLost(f"{job.kind}: expected an answer from the cluster at {self.address}, got {failure!r}")
        if self._jobs.pop(job, self) is self:
            return
        if error is None:
            result = results[future.key]
            # Bytes lose their class on the way.
            self._sink.done(job, Encoded(result) if isinstance(job.payload, Encoded) else result)
        else:
            self._sink.failed(job, error, lost=lost)

    # ---- in the client's thread ----

    def _heard(self, event: tuple[float, Any]) -> None:
        id, token, fraction, note = event[1]
        for job in self._jobs:
            if job.id == id and job.claim.token == token:
                self._sink.progress(job, fraction, note)
                return

    # ---- in the link's thread ----

    def _stay_connected(self) -> None:
        import distributed

        connect: Any = distributed.Client
        told = False
        while not self._ended.is_set():
            client: Any = None
            try:
                client = connect(
                    self.address,
                    timeout=_CONNECT,
                    set_as_default=False,
                    name="fastcore-tasks",
                    security=self._security,
                )
                client.subscribe_topic(self._topic, self._heard)
                told = False
                self._follow(client)
            except Exception as error:
                if not told:
                    told = True
                    _log.warning("the cluster at %s cannot be reached: %s; the queue tries again", self.address, error)
            self._client = None
            self._lose()
            if client is not None:
                try:
                    client.close(timeout=_PULSE)
                except Exception as error:
                    _log.info("closing the client of %s: %s", self.address, error)
            self._ended.wait(_PULSE)

    def _follow(self, client: Any) -> None:
        """Keep the number of threads current until the connection or the executor ends."""
        while not self._ended.is_set() and client.status == "running":
            threads = sum(client.sync(client.scheduler.ncores).values())
            if threads != self._threads or self._client is None:
                self._threads = threads
                self._client = client
                self._sink.freed()
            self._ended.wait(_PULSE)

    def _lose(self) -> None:
        text = f"expected the scheduler at {self.address} to answer, got the connection lost"
        for job in list(self._jobs):
            if self._jobs.pop(job, self) is not self:
                self._sink.failed(job, TaskLost(f"{job.kind}: {text}"), lost=True)


def _address_of(cluster: Any) -> str:
    found = cluster if isinstance(cluster, str) else getattr(cluster, "scheduler_address", None)
    if found is None:  # a Client
        found = getattr(getattr(cluster, "scheduler", None), "address", None)
    if not isinstance(found, str):
        raise TypeError(f"cluster: expected an address, a cluster or a Client, got {type(cluster).__name__}")
    if not found:
        raise ValueError("cluster: expected an address like 'tcp://host:8786', got ''")
    return found


def _gathered(futures: list[Any]) -> dict[Any, Any]:
    """Return the results of finished futures by key, or none of them if any cannot be had."""
    if len(futures) < 2:
        return {}
    client = futures[0].client
    try:
        coming = client.gather(futures, asynchronous=True)
        results = asyncio.run_coroutine_threadsafe(coming, client.loop.asyncio_loop).result(_GATHER)
    except BaseException:
        return {}
    return {future.key: result for future, result in zip(futures, results, strict=True)}
