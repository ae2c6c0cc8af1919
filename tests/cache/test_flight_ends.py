"""How a flight ends for its waiters: separate errors, cancellation, loops that stop, recursion by executors."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import cached
from python_fallback.shared.cache.errors import as_kept, copy_error

Make = Callable[..., Any]


class ApiError(Exception):
    """Its constructor takes more than its args."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Marked:
    """Something to look for."""


def test_a_computation_that_is_cancelled_itself_ends_its_callers(make: Make) -> None:
    cache = make("LRUCache", 10)
    calls: list[int] = []

    async def compute() -> None:
        calls.append(1)
        inner = asyncio.ensure_future(asyncio.sleep(3600))
        await asyncio.sleep(0)
        inner.cancel()
        await inner

    async def main() -> list[Any]:
        waiters = [asyncio.create_task(cache.aget_or_compute("k", compute)) for _ in range(5)]
        return await asyncio.gather(*waiters, return_exceptions=True)

    ended = asyncio.run(main())
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 5
    assert len(calls) == 1
    assert len(cache._flights) == 0

    def plainly() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        cache.get_or_compute("k", plainly)


def test_a_caller_that_comes_as_the_last_one_is_cancelled_is_served(make: Make) -> None:
    cache = make("LRUCache", 10)

    async def main() -> None:
        first = asyncio.create_task(cache.aget_or_compute("k", functools.partial(asyncio.sleep, 3600)))
        await asyncio.sleep(0.01)
        first.cancel()
        second = asyncio.create_task(cache.aget_or_compute("k", lambda: "second"))
        assert await asyncio.wait_for(second, 20) == "second"

    asyncio.run(main())


@pytest.mark.parametrize("close", [True, False])
def test_the_flight_of_a_loop_that_ended_is_no_flight(make: Make, close: bool) -> None:
    cache = make("LRUCache", 10)
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        loop.create_task(cache.aget_or_compute("k", functools.partial(asyncio.sleep, 3600)))  # noqa: RUF006
        await asyncio.sleep(0.01)

    loop.run_until_complete(begin())
    if close:
        loop.close()
    assert asyncio.run(asyncio.wait_for(cache.aget_or_compute("k", lambda: "again"), 20)) == "again"
    cache.clear()
    assert cache.get_or_compute("k", lambda: "by a thread") == "by a thread"
    if not close:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_each_waiter_gets_an_error_of_its_own(make: Make) -> None:
    cache = make("LRUCache", 10)

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ApiError(404, "no such symbol")

    async def ask(name: str) -> ApiError:
        try:
            try:
                raise KeyError(name)
            except KeyError:
                await cache.aget_or_compute("k", fail)
        except ApiError as error:
            error.add_note(name)
            return error
        raise AssertionError

    async def main() -> list[ApiError]:
        return await asyncio.gather(*(ask(f"request {n}") for n in range(50)))

    errors = asyncio.run(main())
    assert len(set(map(id, errors))) == 50
    for n, error in enumerate(errors):
        assert (type(error), error.args, error.code) == (ApiError, ("no such symbol",), 404)
        assert error.__notes__ == [f"request {n}"]
        told = "".join(traceback.format_exception(error))
        assert told.count("request") == 2  # its own context and its own note
        assert len(told.splitlines()) < 60


def test_a_lone_caller_gets_the_error_itself(make: Make) -> None:
    cache = make("LRUCache", 10)
    error = LookupError("this one")

    def fail() -> None:
        raise error

    with pytest.raises(LookupError) as raised:
        cache.get_or_compute("k", fail)
    assert raised.value is error
    with pytest.raises(LookupError) as raised:
        asyncio.run(cache.aget_or_compute("k", fail))
    assert raised.value is error


def test_errors_make_no_cycles_and_keep_nothing_alive(make: Make, backend: str) -> None:
    cache = make("LRUCache", 10)
    alive: list[Any] = []

    def fail() -> None:
        local = Marked()
        alive.append(weakref.ref(local))
        raise LookupError

    async def afail() -> None:
        fail()

    def request(ask: Callable[[], object]) -> None:
        local = Marked()
        alive.append(weakref.ref(local))
        try:
            ask()
        except LookupError:
            pass

    with flags.override("cache", backend):
        plain, kept, later = cached(fail), cached(negative_ttl=60)(fail), cached(negative_ttl=60)(afail)
    gc.collect()
    gc.disable()
    try:
        request(lambda: cache.get_or_compute("k", fail))
        request(plain), request(kept), request(kept)
        assert [each() for each in alive] == [None] * len(alive)
    finally:
        gc.enable()
    request(lambda: asyncio.run(cache.aget_or_compute("k", fail)))
    request(lambda: asyncio.run(later())), request(lambda: asyncio.run(later()))
    gc.collect()
    assert [each() for each in alive] == [None] * len(alive)


def test_a_result_is_not_kept_alive_by_tasks_that_its_computation_started(make: Make) -> None:
    cache = make("LRUCache", 1)

    async def main() -> None:
        async def compute() -> Marked:
            started.append(asyncio.create_task(asyncio.sleep(3600)))
            return Marked()

        started: list[Any] = []
        result = weakref.ref(await cache.aget_or_compute("k", compute))
        cache.clear()
        gc.collect()
        assert result() is None
        started[0].cancel()

    asyncio.run(main())


def test_a_kept_error_says_where_it_was_raised_and_nothing_of_other_callers(backend: str) -> None:
    with flags.override("cache", backend):

        @cached(negative_ttl=60)
        def fail() -> None:
            raise ApiError(404, "no such symbol")

    def ask(name: str) -> None:
        try:
            raise KeyError(name)
        except KeyError:
            fail()

    for name in ("first", "second"):
        with pytest.raises(ApiError, match="no such symbol") as raised:
            ask(name)
        assert raised.value.code == 404
        raised.value.add_note(f"note of {name}")
    told = "".join(traceback.format_exception(raised.value))
    assert "first" not in told
    assert "kept from an earlier call; raised in" in told


def test_copies_of_errors_have_the_fields_of_the_original() -> None:
    class Slotted(Exception):
        __slots__ = ("extra",)

    slotted = Slotted("s")
    slotted.extra = 5
    made = [ApiError(1, "x"), slotted, OSError(2, "gone", "file"), UnicodeDecodeError("utf-8", b"x", 0, 1, "why")]
    made += [ExceptionGroup("several", [ValueError(1), ApiError(2, "y")]), KeyError((1, 2)), StopIteration(3)]
    for error in made:
        copied = copy_error(error)
        assert (type(copied), repr(copied), str(copied)) == (type(error), repr(error), str(error))
        assert copied is not error
    assert copy_error(slotted).extra == 5  # type: ignore[attr-defined]
    assert copy_error(made[2]).filename == "file"  # type: ignore[attr-defined]
    assert as_kept(made[0]).__traceback__ is None


@pytest.mark.parametrize("by", ["submit", "map", "wait", "as_completed", "shutdown", "thread"])
def test_a_computation_that_asks_for_its_own_key_through_other_threads(make: Make, by: str) -> None:
    cache = make("LRUCache", 10)
    pool = ThreadPoolExecutor(2)

    def inner() -> int:
        return cache.get_or_compute("k", lambda: 1)  # type: ignore[no-any-return]

    def outer() -> int:
        if by == "thread":
            answers: list[int] = []
            thread = threading.Thread(target=lambda: answers.append(inner()))
            thread.start()
            thread.join()
            return answers[0] + 10
        if by == "map":
            return sum(pool.map(lambda _: inner(), range(2))) + 10
        if by == "shutdown":
            with ThreadPoolExecutor(1) as own:
                asked = own.submit(inner)
        else:
            asked = pool.submit(inner)
        if by == "wait":
            wait([asked])
        if by == "as_completed":
            next(as_completed([asked]))
        return asked.result() + 10

    with pool, ThreadPoolExecutor(1) as callers:
        assert callers.submit(cache.get_or_compute, "k", outer).result(30) in (11, 12)
    assert cache.peek("k") in (11, 12)


def test_recursion_gets_half_as_deep_as_with_lru_cache_or_deeper(backend: str) -> None:
    def deepest(decorate: Callable[[Any], Any]) -> int:
        low, high = 1, 2000
        while low < high:
            middle = (low + high + 1) // 2

            @decorate
            def count(n: int) -> int:
                return 0 if n == 0 else 1 + count(n - 1)  # type: ignore[no-any-return]

            try:
                count(middle)
                low = middle
            except RecursionError:
                high = middle - 1
        return low

    found: list[tuple[int, int]] = []

    def measure() -> None:
        with flags.override("cache", backend):
            found.append((deepest(cached(maxsize=5000)), deepest(functools.lru_cache(None))))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        thread = threading.Thread(target=measure)  # a stack of its own, as pytest's is deep
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
    ours, theirs = found[0]
    frames = 3 if backend == "python" and sys.version_info >= (3, 12) else 2  # what a call counts for, at most
    assert frames * ours >= theirs - 20


@pytest.mark.parametrize("decorated", [False, True])
def test_a_result_computed_after_all_callers_left_is_not_cached(make: Make, backend: str, decorated: bool) -> None:
    ends: list[str] = []

    async def main() -> None:
        begun = asyncio.Event()

        async def compute() -> str:
            begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ends.append("cancelled, and goes on")
            return "late"

        if decorated:
            with flags.override("cache", backend):
                quote = cached(ttl=60)(compute)
                callers = [asyncio.create_task(quote()) for _ in range(2)]
            cache = quote.cache._cache
        else:
            cache = make("TTLCache", 10, 60)
            callers = [asyncio.create_task(cache.aget_or_compute("k", compute)) for _ in range(2)]
        await begun.wait()
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        for _ in range(10):
            await asyncio.sleep(0)
        assert (list(cache), len(cache._flights)) == ([], 0)

    asyncio.run(main())
    assert ends == ["cancelled, and goes on"]


def test_caches_follow_a_replaced_monotonic_clock(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As freezegun replaces it."""
    before = make("TTLCache", 10, 600)
    before["a"] = 1
    now = [5_000_000_000.0]
    with monkeypatch.context() as patch:
        patch.setattr("time.monotonic", lambda: now[0])
        cache, tlru = make("TTLCache", 10, 600), make("TLRUCache", 10, lambda key, value, time: time + 5)
        cache["a"] = tlru["a"] = 1
        assert (cache.ttl_remaining("a"), tlru.ttl_remaining("a")) == (600, 5)
        assert before.get("a") is None
        now[0] += 599
        assert (cache.get("a"), tlru.get("a")) == (1, None)
        now[0] += 1
        assert cache.get("a") is None
        assert cache.pop("a", None) is None
        assert cache.expire() == [("a", 1)]
    assert before.get("a") == 1
    cache["b"] = 1
    assert 599 < cache.ttl_remaining("b") <= 600 + 1e-6
