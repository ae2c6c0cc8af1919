"""CPU work off the event loop: on threads, where the work releases the GIL, or on processes, where it does not."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, TypeVar

from fastcore.concurrency.checks import called, one_of
from fastcore.concurrency.child_process import ChildProcess, name_of

__all__ = ["Call", "Processes", "cpus", "on_process", "on_thread", "processes", "run_cpu", "settled", "shutdown"]

R = TypeVar("R")

_SECONDS_TO_END = 2.0


def cpus() -> int:
    """Return the number of CPUs this process may use."""
    if hasattr(os, "process_cpu_count"):  # 3.13; obeys PYTHON_CPU_COUNT
        return int(os.process_cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def run_cpu(fn: Callable[..., R], /, *args: Any, on: Literal["thread", "process"] = "thread") -> R:
    """Run ``fn(*args)`` on another CPU while the event loop keeps running, and return its result.

    Both pools are shared by the whole process, have a worker for each CPU, start it when it is first needed and end it
    at exit. Calls beyond that number wait in a queue.

    Parameters
    ----------
    fn : callable
        A plain function; ``functools.partial`` carries keywords.
    *args
        Its arguments.
    on : {"thread", "process"}
        "thread" costs some 50 us and copies nothing; it suits code that releases the GIL: fastcore's indicators,
        numpy, compression. "process" is for Python code that holds it: function, arguments and result are pickled, and
        globals of the parent are not there (spawn, not fork; a script's own work belongs under
        ``if __name__ == "__main__":``).

    Raises
    ------
    ProcessDied
        If the process was killed or crashed under the call; a new one starts for the next call.
    RemoteError
        If the call in a process failed with an error that cannot be pickled, or with ``SystemExit``.
    TypeError
        If `fn` is a coroutine function, or something to be pickled cannot be.

    Notes
    -----
    Cancelling a call that waits withdraws it. One that runs on a process is killed with it. One that runs on a thread
    cannot be stopped: it runs on, and its result is dropped. Threads get context variables, processes do not.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.concurrency import run_cpu
    >>> asyncio.run(run_cpu(sum, range(1000)))
    499500
    """
    called("fn", fn, plain=True)
    if one_of("on", on, ("thread", "process")) == "thread":
        result: R = await settled(on_thread(_threads(), fn, args), abandon=True)
    else:
        result = await settled(on_process(processes(), fn, args))
    return result


class Call:
    """A call that was handed to a pool: its future, and what stops it once it runs."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.future: Future[Any]
        self._fn = fn
        self._args = args

    def run(self) -> Any:
        return self._fn(*self._args)

    def kill(self) -> None:
        """Stop the call if possible; a thread cannot be stopped."""

    def run_soundly(self) -> Any:
        """Run the call; StopIteration, which no future may carry, becomes a RuntimeError as in a coroutine."""
        try:
            return self.run()
        except StopIteration as error:
            raise RuntimeError(f"{name_of(self._fn)} raised StopIteration") from error


class _ProcessCall(Call):
    def __init__(self, pool: Processes, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        super().__init__(fn, args)
        self._pool = pool
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None

    def run(self) -> Any:
        child = self._pool.idle.pop()  # there are as many children as threads that come here
        with self._lock:
            self._child = child
        try:
            return child.call(self._fn, self._args)
        finally:
            with self._lock:  # from here on a kill would hit the next call
                self._child = None
                child.spare()
            self._pool.idle.append(child)

    def kill(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.kill()


class Processes:
    """Slots for calls in child processes, and a thread to wait on each."""

    def __init__(self, size: int) -> None:
        self.children = [ChildProcess() for _ in range(size)]
        self.idle = list(self.children)  # last in, first out: no more children than are busy at once
        self.threads = ThreadPoolExecutor(size, "fastcore-process")

    def close(self) -> None:
        """End every child, at once where a call runs."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        for child in self.children:
            child.hang_up() if child in self.idle else child.kill()
        self.threads.shutdown(wait=True)
        deadline = time.monotonic() + _SECONDS_TO_END
        for child in self.children:
            child.hang_up()
            child.join(max(0.0, deadline - time.monotonic()))


def on_thread(pool: ThreadPoolExecutor, fn: Callable[..., Any], args: tuple[Any, ...]) -> Call:
    """Submit a call to a pool of threads, with the caller's context."""
    call = Call(fn, args)
    call.future = pool.submit(contextvars.copy_context().run, call.run_soundly)
    return call


def on_process(pool: Processes, fn: Callable[..., Any], args: tuple[Any, ...]) -> Call:
    """Submit a call to a pool of processes."""
    call = _ProcessCall(pool, fn, args)
    call.future = pool.threads.submit(call.run_soundly)
    return call


async def settled(call: Call, *, abandon: bool = False) -> Any:
    """Return a call's result; when cancelled, stop the call and wait for its end, unless it may be abandoned."""
    waiter = asyncio.wrap_future(call.future)
    try:
        await asyncio.wait([waiter])
    except asyncio.CancelledError:
        if not call.future.cancel():
            call.kill()
            while not abandon and not waiter.done():
                try:
                    await asyncio.wait([waiter])
                except asyncio.CancelledError:
                    continue  # cancelled again: the first one is raised below
        waiter.add_done_callback(_forget)
        raise
    return waiter.result()


def _forget(waiter: asyncio.Future[Any]) -> None:
    if not waiter.cancelled():
        waiter.exception()  # asked for, so that asyncio does not report it as never retrieved


# ---- the shared pools ----

_lock = threading.Lock()
_shared_threads: ThreadPoolExecutor | None = None
_shared_processes: Processes | None = None


def _threads() -> ThreadPoolExecutor:
    global _shared_threads
    with _lock:
        if _shared_threads is None:
            _shared_threads = ThreadPoolExecutor(cpus(), "fastcore-cpu")
        return _shared_threads


def processes() -> Processes:
    """Return the shared pool of processes."""
    global _shared_processes
    with _lock:
        if _shared_processes is None:
            from multiprocessing import util

            _shared_processes = Processes(cpus())
            # Runs at exit before multiprocessing joins its children, also in a spawned child, and never after a fork.
            util.Finalize(None, shutdown, exitpriority=100)
        return _shared_processes


def shutdown() -> None:
    """End the shared pools: idle processes exit, busy ones are killed, running threads are awaited.

    It is called at exit; the next call starts new ones.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.concurrency import run_cpu, shutdown
    >>> asyncio.run(run_cpu(sum, [1, 2], on="thread"))
    3
    >>> shutdown()
    """
    global _shared_threads, _shared_processes
    with _lock:
        threads, _shared_threads = _shared_threads, None
        children, _shared_processes = _shared_processes, None
    if children is not None:
        children.close()
    if threads is not None:
        threads.shutdown(wait=True, cancel_futures=True)


def _after_fork() -> None:
    global _lock, _shared_threads, _shared_processes
    _lock = threading.Lock()
    pool, _shared_threads, _shared_processes = _shared_processes, None, None
    if pool is not None:
        for child in pool.children:
            child.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
