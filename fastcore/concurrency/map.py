"""map_async: a function over many items, a bounded number at a time, with results in order."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Generic, Literal, TypeVar, overload

from fastcore.concurrency.cancellation import absolve
from fastcore.concurrency.checks import called, count, is_async, one_of
from fastcore.concurrency.context import begin, in_context
from fastcore.concurrency.cpu import on_process, on_thread, processes, settled
from fastcore.concurrency.retry import Retry

__all__ = ["map_async"]

T = TypeVar("T")
R = TypeVar("R")
Items = Iterable[T] | AsyncIterable[T]
Where = Literal["async", "thread", "process"]
Progress = Callable[[int, int | None], object]

_log = logging.getLogger("fastcore.concurrency")
_SLICE = 0.01  # seconds a map may run without letting the loop's other tasks in
_END: Any = object()


@overload
async def map_async(
    fn: Callable[[T], Awaitable[R]],
    items: Items[T],
    *,
    limit: int = ...,
    on: Literal["async"] | None = ...,
    retry: Retry | None = ...,
    progress: Progress | None = ...,
    return_exceptions: Literal[False] = ...,
) -> list[R]: ...
@overload
async def map_async(
    fn: Callable[[T], Awaitable[R]],
    items: Items[T],
    *,
    limit: int = ...,
    on: Literal["async"] | None = ...,
    retry: Retry | None = ...,
    progress: Progress | None = ...,
    return_exceptions: bool,
) -> list[R | BaseException]: ...
@overload
async def map_async(
    fn: Callable[[T], R],
    items: Items[T],
    *,
    limit: int = ...,
    on: Literal["thread", "process"] | None = ...,
    retry: Retry | None = ...,
    progress: Progress | None = ...,
    return_exceptions: Literal[False] = ...,
) -> list[R]: ...
@overload
async def map_async(
    fn: Callable[[T], R],
    items: Items[T],
    *,
    limit: int = ...,
    on: Literal["thread", "process"] | None = ...,
    retry: Retry | None = ...,
    progress: Progress | None = ...,
    return_exceptions: bool,
) -> list[R | BaseException]: ...
@overload
async def map_async(
    fn: Callable[[T], Any],
    items: Items[T],
    *,
    limit: int = ...,
    on: Where | None,
    retry: Retry | None = ...,
    progress: Progress | None = ...,
    return_exceptions: bool = ...,
) -> list[Any]: ...
async def map_async(
    fn: Callable[[Any], Any],
    items: Items[Any],
    *,
    limit: int = 32,
    on: Where | None = None,
    retry: Retry | None = None,
    progress: Progress | None = None,
    return_exceptions: bool = False,
) -> list[Any]:
    """Return ``[fn(item) for item in items]``, up to `limit` calls at a time, in the order of the items.

    At most `limit` items are taken and unfinished at any moment, so `items` may be a generator that costs memory as it
    goes. It runs on `limit` worker coroutines at most, not on one for each item.

    Parameters
    ----------
    fn : callable
        Of one item: a coroutine function with ``on="async"``, else a plain function.
    items : iterable or async iterable
        Consumed one at a time, on the event loop.
    limit : int, default 32
        Calls at a time. With ``on="process"`` the shared pool's size, one for each CPU, is a further bound.
    on : {"async", "thread", "process"}, optional
        Where the calls run: on the event loop; on threads of this map; on the processes of :func:`run_cpu`, which
        says when processes are right. By default "async" for coroutine functions and "thread" for others.
    retry : Retry, optional
        Applied to each item's call. An item that waits for its next attempt holds its place among the `limit`.
    progress : callable, optional
        ``progress(done, total)`` on the event loop after every item; total is None if `items` has no length. If it
        raises, that is logged, and it is not called again.
    return_exceptions : bool, default False
        True: a call that failed gives its exception as its result, and the others continue.

    Returns
    -------
    list

    Raises
    ------
    Exception
        Without `return_exceptions`, the first one that a call raised, the other calls having been cancelled. What
        `items` itself raises ends the map in either case.

    Notes
    -----
    After any end, by result, error or cancellation, no call is left running: coroutines are cancelled and
    awaited, processes in the middle of a call are killed, threads in the middle of one are waited for.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.concurrency import map_async
    >>> async def double(n): return 2 * n
    >>> asyncio.run(map_async(double, range(5), limit=2))
    [0, 2, 4, 6, 8]
    """
    called("fn", fn)
    where = one_of("on", on or ("async" if is_async(fn) else "thread"), ("async", "thread", "process"))
    count("limit", limit)
    if where != "async":
        called("fn", fn, plain=True)
    if retry is not None and not isinstance(retry, Retry):
        raise TypeError(f"retry: expected a Retry or None, got {type(retry).__name__}")
    if progress is not None:
        called("progress", progress, plain=True)
    source: _Source[Any] = _Source(items)
    if where == "thread":
        plain = _plain(fn)
        with ThreadPoolExecutor(limit, "fastcore-map") as pool:  # idle by the time it is left: nothing blocks here

            async def in_thread(item: Any) -> Any:
                return await settled(on_thread(pool, plain, (item,)))

            return await _Map(in_thread, source, limit, retry, progress, return_exceptions).run()
    call = _on_process(fn) if where == "process" else _on_loop(fn)
    return await _Map(call, source, limit, retry, progress, return_exceptions).run()


class _Source(Generic[T]):
    """The items, taken one at a time, whichever way they come."""

    def __init__(self, items: Items[T]) -> None:
        self.total = len(items) if isinstance(items, Sized) else None
        self._later: AsyncIterator[T] | None = None
        self._now: Iterator[T] = iter(())
        if isinstance(items, AsyncIterable):
            self._later = aiter(items)
            self._turn = asyncio.Lock()  # async generators refuse to be asked twice at a time
        elif isinstance(items, Iterable) or hasattr(items, "__getitem__"):
            self._now = iter(items)
        else:
            raise TypeError(f"items: expected an iterable or an async iterable, got {type(items).__name__}")

    async def take(self) -> T:
        """Return the next item, or the mark of the end."""
        if self._later is None:
            return next(self._now, _END)
        async with self._turn:
            return await anext(self._later, _END)


class _Map:
    """One run: its results so far, and the workers that fill them in."""

    def __init__(
        self,
        call: Callable[[Any], Awaitable[Any]],
        source: _Source[Any],
        limit: int,
        retry: Retry | None,
        progress: Progress | None,
        return_exceptions: bool,
    ) -> None:
        self._call = call
        self._source = source
        self._limit = limit
        self._retry = retry
        self._progress = progress
        self._return_exceptions = return_exceptions
        self._results: list[Any] = []
        self._done = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._started = 0
        self._idle = 0  # workers that wait for an item: while there is one, no other is needed
        self._ended = False
        self._stopping = False  # the workers were cancelled, by this map
        self._error: BaseException | None = None
        self._over: asyncio.Future[None] | None = None
        self._slice_began = 0.0

    async def run(self) -> list[Any]:
        # Not a TaskGroup: before Python 3.13 a failed one leaves a request to cancel with the caller's task.
        loop = asyncio.get_running_loop()
        cancelled: BaseException | None = None
        self._grow()
        while self._workers:
            self._over = loop.create_future()
            try:
                await self._over
            except BaseException as error:
                cancelled = error
                self._stop(None)
                if isinstance(error, GeneratorExit):  # nothing can be waited for any more
                    break
        failure = self._error if cancelled is None else cancelled
        self._error = cancelled = None
        if failure is None:
            return self._results
        try:
            raise failure
        finally:
            del failure  # else this frame and its traceback would hold each other

    def _grow(self) -> None:
        if self._started < self._limit and not self._idle and not self._ended:
            self._started += 1
            self._idle += 1
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if worker.cancelled():  # before its first step, or between two items
            self._stop(asyncio.CancelledError())
        elif (error := worker.exception()) is not None:
            self._stop(error)
        if not self._workers and self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _stop(self, error: BaseException | None) -> None:
        """End the workers; the first error is the map's."""
        self._ended = True
        if not self._stopping:
            self._stopping = True
            self._error = error
            for worker in self._workers:
                worker.cancel()

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        try:
            await self._take_items(me)
        except BaseException as error:
            self._workers.discard(me)  # it needs no cancelling
            self._stop(error)
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise

    async def _take_items(self, me: asyncio.Task[Any]) -> None:
        clock = time.monotonic  # a loop's own may be coarse: uvloop's counts milliseconds
        while not self._ended:
            item = await self._source.take()
            self._idle -= 1
            if item is _END or self._ended:
                self._ended = True
                return
            index = len(self._results)
            self._results.append(None)
            self._grow()
            self._results[index] = await self._outcome(item, me)
            self._done += 1
            self._report()
            self._idle += 1
            if clock() - self._slice_began > _SLICE:
                await asyncio.sleep(0)  # a function that never waits must not keep the loop to itself
                self._slice_began = clock()

    async def _outcome(self, item: Any, me: asyncio.Task[Any]) -> Any:
        try:
            if self._retry is None:
                return await self._attempt(item, me)
            return await self._retry.acall(self._attempt, item, me)
        except (Exception, asyncio.CancelledError) as error:
            if self._return_exceptions and not self._stopping:
                return error
            raise

    async def _attempt(self, item: Any, me: asyncio.Task[Any]) -> Any:
        try:
            return await self._call(item)
        finally:
            if me.cancelling() and not self._stopping:
                await absolve(me)
            if self._stopping:  # the function may have made something else of it, which is not to be tried again
                raise asyncio.CancelledError

    def _report(self) -> None:
        if self._progress is not None:
            try:
                self._progress(self._done, self._source.total)
            except Exception:
                self._progress = None
                _log.exception("progress raised; it is not called again")


def _on_loop(fn: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    def coroutine(item: Any) -> Awaitable[Any]:
        result = fn(item)
        if not inspect.isawaitable(result):
            raise TypeError(f"fn: expected a coroutine function with on='async', got one that returned {_kind(result)}")
        return result

    async def call(item: Any) -> Any:
        run = copy_context().run  # what a call leaves in context variables is not the next one's
        try:
            begun = run(begin, coroutine, item)
        except StopIteration as stop:
            return stop.value
        return await in_context(run, *begun)

    return call


def _on_process(fn: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    async def call(item: Any) -> Any:
        return await settled(on_process(processes(), fn, (item,)))

    return call


def _plain(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(fn)
    def call(item: Any) -> Any:
        result = fn(item)
        if inspect.iscoroutine(result):
            result.close()  # here, where it is seen even if the result is no longer awaited
            raise TypeError("fn: expected a plain function with on='thread', got one that returned a coroutine")
        return result

    return call


def _kind(value: Any) -> str:
    return type(value).__name__
