"""Retry: the schedule's laws, what is tried again, and both kinds of functions, on a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
import functools
import math
import pickle
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.concurrency import Attempt, Retry


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Flaky:
    """Fails with the errors given, in turn, then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, value: int = 1, *, add: int = 0) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return value + add

    async def later(self, value: int = 1, *, add: int = 0) -> int:
        await asyncio.sleep(0)
        return self(value, add=add)


def policy(clock: Clock, attempts: int | None = 5, **options: Any) -> Retry:
    return Retry(attempts, clock=clock, sleep=clock.sleep, rng=options.pop("rng", lambda: 1.0), **options)


@pytest.fixture(params=["def", "async def"])
def caller(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Call a Flaky under a policy, as a function or as a coroutine function."""

    def plain(retry: Retry, flaky: Flaky, *args: Any, **kwargs: Any) -> Any:
        return retry(flaky)(*args, **kwargs)

    def awaited(retry: Retry, flaky: Flaky, *args: Any, **kwargs: Any) -> Any:
        return asyncio.run(retry(flaky.later)(*args, **kwargs))  # type: ignore[arg-type]

    return plain if request.param == "def" else awaited


# ---- the schedule ----


@given(
    st.floats(1e-3, 1e3), st.floats(1.0, 1e6), st.integers(1, 5000), st.integers(0, 2**32)
)  # bases, how much larger the cap is, the n-th failure, seeds
def test_a_delay_is_within_half_and_all_of_the_capped_power(base: float, times: float, n: int, seed: int) -> None:
    cap = base * times
    delay = Retry(None, base=base, cap=cap, rng=random.Random(seed).random).delay(n)
    full = cap if n > 64 else min(cap, base * 2 ** (n - 1))
    assert full / 2 <= delay <= full


def test_the_jitter_is_uniform_over_the_upper_half() -> None:
    retry = Retry(base=8, cap=8, rng=random.Random(3).random)
    draws = sorted(retry.delay(1) / 8 for _ in range(4000))
    distance = max(abs(x - (0.5 + 0.5 * (i + 0.5) / 4000)) for i, x in enumerate(draws))
    assert distance < 0.5 * 1.63 / math.sqrt(4000)  # Kolmogorov-Smirnov at 1 %, on a width of 0.5


def test_iterating_yields_the_waits_between_the_attempts() -> None:
    retry = Retry(6, base=1, cap=10, rng=lambda: 1.0)
    assert list(retry) == [1, 2, 4, 8, 10]
    assert list(retry) == [1, 2, 4, 8, 10]
    assert list(Retry(1)) == []


def test_iterating_stops_where_the_next_wait_would_pass_the_timeout() -> None:
    clock = Clock()
    waits = []
    for delay in policy(clock, None, base=1, timeout=10):
        waits.append(delay)
        clock.sleep(delay)
    assert waits == [1, 2, 4]  # 8 more would end at 15


def test_calling_and_iterating_follow_one_schedule() -> None:
    clock = Clock()
    with pytest.raises(OSError):
        policy(clock, 5, rng=random.Random(1).random).call(Flaky(*[OSError()] * 9))
    assert clock.slept == list(Retry(5, rng=random.Random(1).random))


@given(st.integers(1, 8), st.integers(1, 10), st.floats(0, 100), st.floats(0.01, 100))
def test_next_delay_never_goes_past_attempts_or_timeout(n: int, attempts: int, elapsed: float, timeout: float) -> None:
    delay = Retry(attempts, timeout=timeout, rng=lambda: 0.0).next_delay(n, OSError(), elapsed)
    expected = min(300.0, 2.0 ** (n - 1)) / 2
    if n >= attempts or elapsed + expected >= timeout:
        assert delay is None
    else:
        assert delay == expected


# ---- calling ----


def test_it_retries_until_success_with_the_same_arguments(caller: Callable[..., Any]) -> None:
    clock, flaky = Clock(), Flaky(OSError(), OSError())
    assert caller(policy(clock), flaky, 5, add=2) == 7
    assert (flaky.calls, clock.slept) == (3, [1, 2])


def test_the_last_error_is_raised_unchanged(caller: Callable[..., Any]) -> None:
    clock, errors = Clock(), [OSError(i) for i in range(9)]
    flaky = Flaky(*errors)
    with pytest.raises(OSError) as caught:
        caller(policy(clock, 3), flaky)
    assert caught.value is errors[2]
    assert (flaky.calls, clock.slept) == (3, [1, 2])


@pytest.mark.parametrize(
    ("retry_on", "give_up_on", "again"),
    [
        (OSError, (), True),
        ((KeyError, OSError), (), True),
        (KeyError, (), False),
        (OSError, ConnectionError, False),  # what is given up on wins
        (lambda error: "later" in str(error), (), True),
        (lambda error: "never" in str(error), (), False),
        (Exception, lambda error: "later" in str(error), False),
        ((), (), False),
    ],
)
def test_which_errors_are_tried_again(caller: Callable[..., Any], retry_on: Any, give_up_on: Any, again: bool) -> None:
    flaky = Flaky(ConnectionError("later"))
    retry = policy(Clock(), retry_on=retry_on, give_up_on=give_up_on)
    if again:
        assert caller(retry, flaky) == 1
    else:
        with pytest.raises(ConnectionError):
            caller(retry, flaky)
    assert flaky.calls == (2 if again else 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
def test_exits_and_cancellation_are_never_retried(error: BaseException) -> None:
    clock, flaky = Clock(), Flaky(error)
    with pytest.raises(type(error)):
        policy(clock).call(flaky)
    assert (flaky.calls, clock.slept) == (1, [])


def told(after: object) -> OSError:
    error = OSError()
    error.retry_after = after  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("after", "waited"),
    [
        (7, 7.0),
        (7.5, 7.5),
        (timedelta(seconds=9), 9.0),
        (1000, 1000.0),  # past the cap
        (0.1, 1.0),  # never sooner than the backoff
        (-3, 1.0),
        ("soon", 1.0),
        (math.nan, 1.0),
        (None, 1.0),
        (True, 1.0),
    ],
)
def test_an_errors_own_retry_after_is_honoured(caller: Callable[..., Any], after: object, waited: float) -> None:
    clock = Clock()
    assert caller(policy(clock), Flaky(told(after))) == 1
    assert clock.slept == [waited]


@pytest.mark.parametrize("after", [50, math.inf, 10**400])
def test_a_retry_after_beyond_the_timeout_ends_it_at_once(caller: Callable[..., Any], after: float) -> None:
    clock = Clock()
    with pytest.raises(OSError):
        caller(policy(clock, timeout=50), Flaky(told(after)))
    assert clock.slept == []


def test_retry_after_can_be_read_from_elsewhere() -> None:
    clock = Clock()
    assert policy(clock, retry_after=lambda error: error.args[0]).call(Flaky(OSError(30))) == 1
    assert clock.slept == [30]


def test_the_time_that_calls_take_counts_towards_the_timeout(caller: Callable[..., Any]) -> None:
    clock = Clock()

    class Slow(Flaky):
        def __call__(self, value: int = 1, *, add: int = 0) -> int:
            clock.now += 4
            return super().__call__(value, add=add)

    slow = Slow(*[OSError()] * 9)
    with pytest.raises(OSError):
        caller(policy(clock, timeout=10, base=1, cap=1), slow)
    assert slow.calls == 2  # 4 + 1 + 4, and another second would end at 10


def test_on_retry_is_called_before_every_wait_and_its_errors_are_ignored(
    caller: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Attempt] = []

    def hear(attempt: Attempt) -> None:
        heard.append(attempt)
        raise ValueError("a bad listener")

    errors = [OSError(1), OSError(2)]
    assert caller(policy(Clock(), on_retry=hear), Flaky(*errors)) == 1
    assert heard == [Attempt(1, errors[0], 1.0), Attempt(2, errors[1], 2.0)]
    assert caplog.messages == ["on_retry raised"] * 2


def test_an_async_sleep_is_awaited() -> None:
    clock = Clock()
    retry = Retry(clock=clock, sleep=clock.sleep_async, rng=lambda: 1.0)
    assert asyncio.run(retry.acall(Flaky(OSError()).later)) == 1
    assert clock.slept == [1]


def test_a_wait_can_be_cancelled() -> None:
    async def main() -> int:
        flaky = Flaky(*[OSError()] * 9)
        task = asyncio.create_task(Retry(base=300).acall(flaky.later))
        while not flaky.calls:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return flaky.calls

    assert asyncio.run(main()) == 1


def test_methods_partials_and_names() -> None:
    class Service:
        @Retry(2, base=0)
        def ask(self, n: int) -> int:
            """Ask."""
            return n

        @Retry(2, base=0)
        async def ask_later(self, n: int) -> int:
            return n

    assert Service().ask(3) == 3
    assert asyncio.run(Service().ask_later(4)) == 4
    assert (Service.ask.__name__, Service.ask.__doc__) == ("ask", "Ask.")
    flaky = Flaky(OSError())
    assert asyncio.run(Retry(2, base=0)(functools.partial(flaky.later, 3))()) == 3  # type: ignore[arg-type]


def test_a_policy_can_be_pickled_and_compared() -> None:
    retry = Retry(3, base=0.5, retry_on=(OSError, KeyError))
    assert pickle.loads(pickle.dumps(retry)) == retry
    assert retry != Retry(4, base=0.5, retry_on=(OSError, KeyError))
    with pytest.raises(AttributeError):
        retry.attempts = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"attempts": 0}, ValueError, "attempts: expected an int >= 1, got 0"),
        ({"attempts": 1.5}, TypeError, "attempts: expected an int >= 1, got float"),
        ({"attempts": True}, TypeError, "attempts: expected an int >= 1, got bool"),
        ({"base": -1}, ValueError, "base: expected a finite number >= 0, got -1"),
        ({"base": "1"}, TypeError, "base: expected a finite number >= 0, got str"),
        ({"cap": math.nan}, ValueError, "cap: expected a finite number >= 0, got nan"),
        ({"base": 2, "cap": 1}, ValueError, r"cap: expected a number >= base \(2\), got 1"),
        ({"timeout": 0}, ValueError, "timeout: expected a finite number > 0, got 0"),
        ({"retry_on": BaseException}, TypeError, "retry_on: expected subclasses of Exception, got BaseException"),
        ({"retry_on": (OSError, int)}, TypeError, "retry_on: expected subclasses of Exception, got int"),
        (
            {"give_up_on": 5},
            TypeError,
            "give_up_on: expected an exception type, a tuple of them, or a callable, got int",
        ),
        ({"clock": 5}, TypeError, "clock: expected a callable, got int"),
        ({"on_retry": Clock().sleep_async}, TypeError, "on_retry: expected a plain function, got a coroutine function"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$"):
        Retry(**options)


def test_generators_are_refused() -> None:
    def numbers() -> Any:
        yield 1

    with pytest.raises(TypeError, match="got a generator function"):
        Retry()(numbers)
    with pytest.raises(TypeError, match="fn: expected a callable, got int"):
        Retry()(5)  # type: ignore[arg-type]
