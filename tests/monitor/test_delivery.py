"""Delivery outside the evaluating thread: order, bounds, retries, shutdown, and what is never logged."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fastcore import metrics
from fastcore.concurrency import Retry
from fastcore.monitor import Alert, CallableChannel, WebhookChannel
from fastcore.monitor.delivery import Delivery
from tests.monitor.conftest import Clock
from tests.monitor.receivers import HttpReceiver, served

QUICK = Retry(3, base=0.0, cap=0.0)
Make = Callable[..., Delivery]


def alert(number: int = 0) -> Alert:
    return Alert(f"r{number}", "firing", "info", "s", (), 0.0, datetime(2024, 1, 1, tzinfo=UTC), "f")


class Collecting:
    """A channel that records alerts, fails a given number of times, and waits while it is held."""

    def __init__(self, name: str = "collecting") -> None:
        self.name = name
        self.got: list[str] = []
        self.fail = 0
        self.attempts = 0
        self.error: Exception = ConnectionError("no")
        self.open = threading.Event()
        self.open.set()
        self.busy = threading.Event()

    def send(self, alert: Alert) -> None:
        self.busy.set()
        assert self.open.wait(60)
        self.attempts += 1
        if self.fail:
            self.fail -= 1
            raise self.error
        self.got.append(alert.rule)


@pytest.fixture
def made() -> Iterator[Make]:
    """``made(channel, ...)`` is a delivery that is stopped at the end."""
    all_of_them: list[Delivery] = []

    def make(channel: Any, **kwargs: Any) -> Delivery:
        all_of_them.append(Delivery(channel, **{"retry": QUICK, **kwargs}))
        return all_of_them[-1]

    yield make
    for delivery in all_of_them:
        if isinstance(delivery.channel, Collecting):
            delivery.channel.open.set()
        assert delivery.stop(60)


def counted(name: str, channel: str) -> int:
    return metrics.counter(name, channel=channel).value


def test_alerts_are_delivered_in_order_on_a_separate_thread(made: Make) -> None:
    channel = Collecting()
    delivery = made(channel)
    assert all(delivery.put(alert(n)) for n in range(20))
    assert delivery.stop(60)
    assert channel.got == [f"r{n}" for n in range(20)]


def test_a_full_queue_drops_and_counts_and_never_blocks(made: Make) -> None:
    channel = Collecting("full")
    channel.open.clear()
    delivery = made(channel, limit=3)
    before = counted("fastcore_alerts_dropped_total", "full")
    delivery.put(alert(0))
    assert channel.busy.wait(60)
    assert [delivery.put(alert(n)) for n in range(1, 7)] == [True, True, True, False, False, False]
    assert counted("fastcore_alerts_dropped_total", "full") == before + 3
    channel.open.set()
    assert delivery.stop(60)
    assert channel.got == ["r0", "r1", "r2", "r3"]


def test_a_hanging_channel_does_not_delay_others(made: Make) -> None:
    stuck, well = Collecting("stuck"), Collecting("well")
    stuck.open.clear()
    first, second = made(stuck), made(well)
    first.put(alert())
    second.put(alert())
    assert second.stop(60)
    assert well.got == ["r0"]
    assert not first.stop(0.05)


def test_retried_then_given_up(made: Make, caplog: pytest.LogCaptureFixture) -> None:
    channel = Collecting("failing")
    before = counted("fastcore_alert_failures_total", "failing")
    channel.fail = 2 + 3
    delivery = made(channel)
    for n in range(3):
        delivery.put(alert(n))
    assert delivery.stop(60)
    assert channel.got == ["r1", "r2"]
    assert channel.attempts == 3 + 3 + 1
    assert counted("fastcore_alert_failures_total", "failing") == before + 1
    assert "alert channel failing: r0 was not delivered: ConnectionError: no" in caplog.text


def test_permanent_refusals_are_not_retried_by_default() -> None:
    with served(HttpReceiver()) as hook:
        hook.statuses += [403]
        delivery = Delivery(WebhookChannel(hook.url))
        delivery.put(alert(0))
        delivery.put(alert(1))
        assert delivery.stop(60)
        assert [body["rule"] for body in hook.bodies] == ["r0", "r1"]


def test_no_more_than_so_many_a_minute(made: Make, clock: Clock) -> None:
    channel = Collecting()
    delivery = made(channel, per_minute=2, clock=clock)
    for n in range(3):
        delivery.put(alert(n))
    while delivery._queue.qsize() > 1 or len(channel.got) < 2:
        threading.Event().wait(0.001)
    assert not delivery._stopping.wait(0.05)
    assert channel.got == ["r0", "r1"]
    assert delivery.stop(60), "what waits for its minute is sent when it ends"
    assert channel.got == ["r0", "r1", "r2"]


def test_messages_beyond_the_limit_per_minute_wait(made: Make, clock: Clock) -> None:
    waited, channel = [], Collecting()

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waited.append(timeout)
            clock.now += timeout
            return False

    delivery = made(channel, per_minute=3, clock=clock)
    delivery._stopping = Waiting()
    begun = clock.now
    for n in range(8):
        delivery.put(alert(n))
        while len(channel.got) <= n:
            threading.Event().wait(0.001)
        clock.now += 5
    assert waited == [45, 45]  # the fourth, a minute after the first, and the seventh after the fourth
    assert clock.now == begun + 8 * 5 + 90


def test_a_closed_channel_refuses_alerts_and_can_be_restarted(made: Make) -> None:
    channel = Collecting()
    delivery = made(channel)
    delivery.put(alert(0))
    assert delivery.stop(60)
    assert not delivery.put(alert(1))
    assert delivery.stop(60)
    delivery.start()
    assert delivery.put(alert(2))
    assert delivery.stop(60)
    assert channel.got == ["r0", "r2"]


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_channel_that_exits_sends_the_next_alert(made: Make, error: type[BaseException]) -> None:
    got: list[str] = []

    async def sends(alert: Alert) -> None:
        got.append(alert.rule)
        if len(got) == 1:
            raise error

    delivery = made(CallableChannel(sends))
    delivery.put(alert(0))
    delivery.put(alert(1))
    assert delivery.stop(60)
    assert got == ["r0", "r1"]


def test_secrets_are_not_logged(made: Make, caplog: pytest.LogCaptureFixture) -> None:
    channel: Any = Collecting()
    channel.secrets = ("hunter2", "hunter2-and-more")
    channel.fail, channel.error = 3, ConnectionError("refused hunter2-and-more, and hunter2")
    delivery = made(channel)
    delivery.put(alert())
    assert delivery.stop(60)
    assert "ConnectionError: refused ***, and ***" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_the_child_sends_its_own() -> None:
    code = """
import os, sys, threading
from tests.monitor.test_delivery import Collecting, alert
from fastcore.monitor.delivery import Delivery
channel = Collecting(); channel.open.clear()
delivery = Delivery(channel)
delivery.put(alert(0)); channel.busy.wait(60); delivery.put(alert(1))
pid = os.fork()
channel.open.set()
if not pid:
    delivery.put(alert(2))
    ok = delivery.stop(60) and channel.got == ["r2"]
    os._exit(0 if ok else 1)
assert os.waitpid(pid, 0)[1] == 0
assert delivery.stop(60) and channel.got == ["r0", "r1"], channel.got
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=100, cwd=os.getcwd())


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="limit: expected an int >= 1, got 0"):
        Delivery(Collecting(), limit=0)
    with pytest.raises(ValueError, match="per_minute: expected an int >= 1, got 0"):
        Delivery(Collecting(), per_minute=0)
