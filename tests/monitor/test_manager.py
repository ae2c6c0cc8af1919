"""From a value to a message: managers with rules, real receivers and several processes."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore import metrics
from fastcore._snapshot import Snapshot
from fastcore.dispatch import flags
from fastcore.monitor import DEFAULT_RULES, AlertManager, CallableChannel, LogChannel, Rule, WebhookChannel, WorkerFiles
from fastcore.monitor.leader import Leader
from tests.monitor.conftest import Clock
from tests.monitor.receivers import HttpReceiver, served

Make = Callable[..., AlertManager]


@pytest.fixture
def made() -> Iterator[Make]:
    """``made(...)`` is a manager that is stopped at the end."""
    managers: list[AlertManager] = []

    def make(**kwargs: Any) -> AlertManager:
        managers.append(AlertManager(**kwargs))
        return managers[-1]

    yield make
    for manager in managers:
        assert manager.stop(60)


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    with served(HttpReceiver()) as server:
        yield server


def test_a_gauge_past_its_threshold_alerts_and_resolves(made: Make, hook: HttpReceiver, clock: Clock) -> None:
    gauge = metrics.gauge("test_manager_level", tank="a")
    rule = Rule(name="level", metric="test_manager_level", above=10, hold=30, clear=8, summary="{tank} at {value:g}")
    manager = made(rules=[rule], channels=[WebhookChannel(hook.url)], clock=clock, wall=clock.wall)
    gauge.set(11)
    assert manager.evaluate() == []
    clock.now += 30
    assert [alert.state for alert in manager.evaluate()] == ["firing"]
    assert [alert.summary for alert in manager.firing()] == ["a at 11"]
    assert metrics.gauge("fastcore_alerts_firing", rule="level").value == 1
    gauge.set(9)
    assert manager.evaluate() == []
    gauge.set(8)
    assert [alert.state for alert in manager.evaluate()] == ["resolved"]
    assert manager.firing() == []
    bodies = hook.wait(2)
    assert [(body["state"], body["summary"], body["labels"]) for body in bodies] == [
        ("firing", "a at 11", {"tank": "a"}),
        ("resolved", "a at 8", {"tank": "a"}),
    ]
    assert metrics.counter("fastcore_alerts_total", rule="level", severity="warning", state="firing").value == 1


def test_a_rollback_alerts_at_once_with_its_reason(made: Make, hook: HttpReceiver, own_flags: list[str]) -> None:
    own_flags.append("test.manager.rollback")
    flags.declare("test.manager.rollback")
    manager = made(rules=DEFAULT_RULES, channels=[WebhookChannel(hook.url)])
    manager.start(interval=3600)
    flags.rollback("test.manager.rollback", "3 of 40 answers were wrong", who="guard")

    def told() -> Any:
        """The next message about this flag: a test of another part may have left its own rolled back."""
        while (body := hook.wait(1)[0])["labels"] != {"flag": "test.manager.rollback"}:
            pass
        return body

    body = told()
    assert (body["rule"], body["state"], body["severity"]) == ("rolled back", "firing", "critical")
    assert "3 of 40 answers were wrong" in body["summary"]
    assert (body["details"]["who"], body["details"]["pid"]) == ("guard", os.getpid())
    flags.resume("test.manager.rollback")
    assert told()["state"] == "resolved"


JOURNALED = """
import sys
from fastcore import flags
from fastcore.monitor import AlertManager, WebhookChannel
flags.declare("prices")
manager = AlertManager(channels=[WebhookChannel(sys.argv[1])])
manager.start(interval=3600)
print("ready", flush=True)
sys.stdin.readline()
manager.stop()
"""


def test_a_rollback_in_another_process_alerts_at_once(tmp_path: Path, hook: HttpReceiver) -> None:
    """The one that tells has not called a Switch: it has nothing to follow the journal for but this."""
    env = {**os.environ, "FASTCORE_JOURNAL": str(tmp_path / "journal.jsonl")}
    child = subprocess.Popen(
        [sys.executable, "-c", JOURNALED, hook.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        rolls_back = """
import os
from fastcore import flags
flags.declare("prices")
flags.rollback("prices", "wrong", who="guard")
print(os.getpid())
"""
        command = [sys.executable, "-c", rolls_back]
        other = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60)
        body = hook.wait(1)[0]
        assert (body["rule"], body["labels"], body["details"]["who"]) == ("rolled back", {"flag": "prices"}, "guard")
        assert "wrong" in body["summary"]
        assert body["details"]["pid"] == int(other.stdout)
    finally:
        child.kill()
        child.communicate(timeout=60)


def test_flipping_a_flag_waits_for_no_channel(made: Make, hook: HttpReceiver, own_flags: list[str]) -> None:
    own_flags.append("test.manager.slow")
    flags.declare("test.manager.slow")
    hook.hold.clear()
    manager = made(channels=[WebhookChannel(hook.url, timeout=60)])
    manager.start(interval=3600)
    for n in range(50):
        flags.rollback("test.manager.slow", f"number {n}")
        flags.resume("test.manager.slow")
    assert hook.bodies == []
    hook.hold.set()


def test_channels_of_a_rule(made: Make) -> None:
    told: dict[str, list[str]] = {"all": [], "some": []}
    channels = [CallableChannel(lambda alert, n=name: told[n].append(alert.rule), name) for name in told]
    rules = [
        Rule(name="everywhere", value=lambda snapshot: 1, above=0),
        Rule(name="here", value=lambda snapshot: 1, above=0, channels=("some",)),
    ]
    manager = made(rules=rules, channels=channels)
    manager.evaluate()
    assert manager.stop(60)
    assert told == {"all": ["everywhere"], "some": ["everywhere", "here"]}


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_rule_that_exits_ends_no_thread(made: Make, error: type[BaseException]) -> None:
    told = threading.Event()

    def exits(snapshot: Snapshot) -> float:
        raise error

    def details(labels: dict[str, str]) -> dict[str, str]:
        raise error

    rules = [Rule(name="exits", value=exits, above=0), Rule(name="good", value=lambda s: 1, above=0, details=details)]
    manager = made(rules=rules, channels=[CallableChannel(lambda alert: told.set())])
    manager.start(interval=0.01)
    assert told.wait(60)
    thread = manager._thread
    assert thread is not None
    assert thread.is_alive()


def test_a_rule_that_fails_does_not_hide_others(made: Make, caplog: pytest.LogCaptureFixture) -> None:
    rules = [
        Rule(name="broken", value=lambda snapshot: 1 / 0, above=0),
        Rule(name="well", value=lambda snapshot: 1, above=0),
    ]
    assert [alert.rule for alert in made(rules=rules, channels=[]).evaluate()] == ["well"]
    assert "the rule broken could not be evaluated" in caplog.text


def test_a_cause_and_its_effect_of_one_moment(made: Make) -> None:
    rules = [
        Rule(name="effect", value=lambda snapshot: 1, above=0, unless="cause"),
        Rule(name="cause", value=lambda snapshot: 1, above=0),
    ]
    assert [alert.rule for alert in made(rules=rules, channels=[]).evaluate()] == ["cause"]


def test_many_alerts_of_one_rule_are_one_message(made: Make) -> None:
    got: list[Any] = []
    rule = Rule(name="r", value=lambda snapshot: {str(n): 1 for n in range(1000)}, above=0)
    manager = made(rules=[rule], channels=[CallableChannel(got.append)])
    manager.evaluate()
    assert manager.stop(60)
    assert len(got) == 1
    assert len(got[0].details["alerts"]) == 1000
    assert len(manager.firing()) == 1000


def test_messages_are_sent_once_per_repeat_interval(made: Make, clock: Clock) -> None:
    got: list[Any] = []
    manager = made(rules=(), channels=[CallableChannel(got.append)], repeat="1h", clock=clock, wall=clock.wall)

    async def say() -> list[bool]:
        told = [await manager.send_alert("one", {"x": 1}), await manager.send_alert("one")]
        told.append(await manager.send_alert("two", severity="critical"))
        clock.now += 3600
        return [*told, await manager.send_alert("one")]

    assert asyncio.run(say()) == [True, False, True, True]
    assert manager.stop(60)
    assert [(alert.summary, alert.severity, alert.details) for alert in got] == [
        ("one", "warning", {"x": 1}),
        ("two", "critical", None),
        ("one", "warning", None),
    ]
    assert math.isnan(got[0].value)
    with pytest.raises(ValueError, match="severity: expected one of info, warning, critical, got 'bad'"):
        asyncio.run(manager.send_alert("x", severity="bad"))


def test_stopped_and_started_again(made: Make) -> None:
    got: list[str] = []
    level = [0.0]
    came = threading.Semaphore(0)

    def keep(alert: Any) -> None:
        got.append(alert.state)
        came.release()

    rule = Rule(name="r", value=lambda snapshot: level[0], above=0)
    manager = made(rules=[rule], channels=[CallableChannel(keep)])
    for state, value in (("firing", 1.0), ("resolved", 0.0)):
        level[0] = value
        manager.start(interval=0.01)
        manager.start(interval=0.01)
        assert came.acquire(timeout=60)
        assert got[-1] == state
        assert manager.stop(60)
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("fastcore-rules")]
    assert threads == []


def test_wrong_arguments_are_refused() -> None:
    one = Rule(name="r", metric="m", above=1)
    with pytest.raises(ValueError, match="rules: expected rules of different names"):
        AlertManager(rules=[one, one])
    with pytest.raises(ValueError, match="channels: expected different names, got 'log' twice"):
        AlertManager(channels=[LogChannel(), LogChannel()])
    with pytest.raises(ValueError, match="rule r: channels: expected names of channels, got 'x'"):
        AlertManager(rules=[Rule(name="r", metric="m", above=1, channels=("x",))])
    with pytest.raises(ValueError, match="rule r: unless: expected the name of a rule, got 'x'"):
        AlertManager(rules=[Rule(name="r", metric="m", above=1, unless="x")])
    with pytest.raises(ValueError, match="group: expected an int >= 1, got 0"):
        AlertManager(group=0)
    with pytest.raises(ValueError, match="interval: expected a number above 0, got 0"):
        AlertManager().start(interval=0)


class TestToml:
    def load(self, folder: Path, text: str, **kwargs: Any) -> AlertManager:
        path = folder / "alerts.toml"
        path.write_text(text, encoding="utf-8")
        return AlertManager.from_toml(path, **kwargs)

    def test_rules_and_channels(
        self, tmp_path: Path, hook: HttpReceiver, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        monkeypatch.setenv("TEST_HOOK", f"{hook.url}/from-environment")
        monkeypatch.setenv("TEST_TOKEN", "Bearer hidden")
        manager = self.load(
            tmp_path,
            """
            repeat = "1h"
            group = 2
            default_rules = true

            [[channel]]
            type = "webhook"
            url = "env:TEST_HOOK"
            headers = {authorization = "env:TEST_TOKEN"}

            [[channel]]
            type = "log"
            name = "second"

            [[rule]]
            name = "level"
            metric = "test_toml_level"
            above = 1

            [[rule]]
            name = "memory"
            metric = "test_toml_nothing"
            above = 1
            """,
            clock=clock,
        )
        metrics.gauge("test_toml_level").set(2)
        try:
            told = [alert.rule for alert in manager.evaluate()]  # other tests may have left something to tell
            assert "level" in told
            assert [body["rule"] for body in hook.wait(len(told))] == told
            assert set(hook.paths) == {"/from-environment"}
            assert hook.headers[0]["authorization"] == "Bearer hidden"
            assert set(manager._rules) == {"level", *(rule.name for rule in DEFAULT_RULES)}
            assert manager._rules["memory"].metric == "test_toml_nothing"
        finally:
            assert manager.stop(60)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("rules = 1", "alerts.toml: expected rule, channel, repeat, group, default_rules, got 'rules'"),
            ("default_rules = 1", "alerts.toml: default_rules: expected true or false, got 1"),
            ("\n[[channel]]\ntype = 'pager'\n", "alerts.toml:2: channel: expected a type of log, webhook, .*'pager'"),
            ("[[channel]]\nurl = 'x'\n", "alerts.toml:1: channel: expected a type of"),
            ("[[channel]]\ntype = 'slack'\n", "alerts.toml:1: channel slack: .*url"),
            ("[[channel]]\ntype = 'slack'\nurl = 'ftp://x'\n", "alerts.toml:1: channel slack: url: expected"),
            ("[[channel]]\ntype = 'slack'\nurl = 'env:TEST_NOT_SET'\n", "TEST_NOT_SET, it is not set"),
            ("repeat = 'soon'", "repeat: expected seconds or text"),
        ],
    )
    def test_errors(self, tmp_path: Path, text: str, found: str) -> None:
        with pytest.raises((ValueError, TypeError), match=found):
            self.load(tmp_path, text)

    def test_no_secret_in_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_SECRET", "ftp://hidden/path")
        with pytest.raises(ValueError) as raised:
            self.load(tmp_path, "[[channel]]\ntype = 'webhook'\nurl = 'env:TEST_SECRET'\n")
        assert "hidden" not in str(raised.value)


LEADER = """
import sys
from fastcore import metrics
from fastcore.monitor import AlertManager, Rule, WebhookChannel, WorkerFiles
with WorkerFiles(sys.argv[1], interval=0.05) as files:
    metrics.counter("test_leader_total").add(3)
    files.gather()
    rule = Rule(name="sum", value=lambda found: found.get("test_leader_total"), above=8, summary="{value:g}")
    manager = AlertManager(rules=[rule], channels=[WebhookChannel(sys.argv[2])], workers=files)
    print("ready", flush=True)
    sys.stdin.readline()
    manager.start(interval=0.05)
    print("started", flush=True)
    sys.stdin.readline()
    manager.stop()
"""


def test_one_worker_evaluates_the_counts_of_all(tmp_path: Path, hook: HttpReceiver) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", LEADER, str(tmp_path), hook.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    def line(child: subprocess.Popen[str]) -> str:
        assert child.stdout is not None
        return child.stdout.readline()

    def go(child: subprocess.Popen[str]) -> None:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        assert line(child) == "started\n"

    try:
        assert [line(child) for child in children] == ["ready\n"] * 3
        go(children[0])
        assert hook.wait(1)[0]["summary"] == "9"
        for child in children[1:]:
            go(child)
        time.sleep(0.3)  # several looks of the two that do not lead
        assert len(hook.bodies) == 1
        children[0].kill()
        assert hook.wait(1)[0]["state"] == "firing", "the next one has taken over, and says it again"
    finally:
        for child in children:
            child.kill()
            child.communicate(timeout=60)


def test_another_leader_takes_over(tmp_path: Path) -> None:
    first, second = Leader(tmp_path / "lock"), Leader(tmp_path / "lock")
    assert [first.leads(), second.leads(), first.leads()] == [True, False, True]
    first.resign()
    assert [second.leads(), first.leads()] == [True, False]
    second.resign()


def test_a_manager_that_stops_lets_another_one_judge(made: Make, tmp_path: Path) -> None:
    rule = Rule(name="r", value=lambda snapshot: 1, above=0)
    with WorkerFiles(tmp_path) as files:
        first, second = (made(rules=[rule], channels=[], workers=files) for _ in range(2))
        assert [len(first.evaluate()), len(second.evaluate())] == [1, 0]
        assert first.stop(60)
        assert [alert.rule for alert in second.evaluate()] == ["r"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_hold_the_lock_of_its_parent(tmp_path: Path) -> None:
    code = f"""
import os, time
from fastcore.monitor.leader import Leader
path = {str(tmp_path / "lock")!r}
leader = Leader(path)
assert leader.leads()
here, there = os.pipe()
pid = os.fork()
if not pid:
    os.write(there, b"n" if not leader.leads() else b"y")
    time.sleep(90)
assert os.read(here, 1) == b"n"
leader.resign()
led = Leader(path).leads()
os.kill(pid, 9)
os.waitpid(pid, 0)
assert led
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_the_manager_of_the_child_works() -> None:
    code = """
import os, threading
from fastcore.monitor import AlertManager, CallableChannel, Rule
got = []
inside, leave = threading.Event(), threading.Event()
def value(snapshot):
    inside.set(); leave.wait(60)
    return 1
manager = AlertManager(rules=[Rule(name="r", value=value, above=0)], channels=[CallableChannel(got.append)])
manager.start(interval=0.01)
inside.wait(60)   # the thread holds the manager's lock
pid = os.fork()
leave.set()
if not pid:
    ok = len(manager.evaluate()) == 1 and manager.stop(60) and len(got) == 1
    os._exit(0 if ok else 1)
assert os.waitpid(pid, 0)[1] == 0
assert manager.stop(60)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=100)


def test_workers_give_the_metrics_of_all(tmp_path: Path) -> None:
    with WorkerFiles(tmp_path, source=lambda: Snapshot([])) as files:
        manager = AlertManager(rules=[Rule(name="r", metric="fastcore_workers", above=0)], channels=[], workers=files)
        assert [alert.value for alert in manager.evaluate()] == [1.0]
        manager.stop()


def test_the_log_is_where_alerts_go_by_default(made: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastcore.alerts")
    manager = made(rules=[Rule(name="r", value=lambda snapshot: 1, above=0, severity="critical")])
    manager.evaluate()
    assert manager.stop(60)
    assert caplog.records[-1].getMessage() == "firing [r] r: 1"
