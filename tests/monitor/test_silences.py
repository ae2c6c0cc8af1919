"""Silenced alerts: what channels hear meanwhile and afterwards, and what is kept of the past."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastcore.monitor import Alert, AlertManager, CallableChannel, Rule, WorkerFiles
from fastcore.monitor.manager import HISTORY
from fastcore.monitor.silences import MOST, Silences
from tests.monitor.conftest import Clock

Values = dict[tuple[tuple[str, str], ...], float]


def manager_of(clock: Clock, values: Callable[[], Values], **options: Any) -> AlertManager:
    rule = Rule(name="tank level", value=lambda _: values(), above=10, summary="{tank} at {value:g}")
    channels: list[Any] = [CallableChannel(lambda alert: None)]
    return AlertManager([rule], channels, clock=clock, wall=clock.wall, **options)


def said(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(dict(alert.labels)["tank"], alert.state) for alert in alerts]


def test_a_silenced_alert_is_shown_but_not_told_and_told_when_the_silence_ends(clock: Clock) -> None:
    level: Values = {(("tank", "a"),): 11.0, (("tank", "b"),): 11.0}
    manager = manager_of(clock, lambda: level)
    made = manager.silence("tank level", "10m", labels={"tank": "a"}, reason="being cleaned", who="me")
    assert said(manager.evaluate()) == [("b", "firing")]
    assert said(manager.firing()) == [("a", "firing"), ("b", "firing")]
    assert [manager.silenced(alert) for alert in manager.firing()] == [made, None]
    assert [(dict(e.alert.labels)["tank"], e.silenced) for e in manager.history()] == [("b", False), ("a", True)]
    clock.now += 599
    assert manager.evaluate() == []
    clock.now += 2
    assert manager.silences() == []
    assert said(manager.evaluate()) == [("a", "firing")]
    level.update(dict.fromkeys(level, 1.0))
    assert said(manager.evaluate()) == [("a", "resolved"), ("b", "resolved")]


def test_an_alert_that_began_and_ended_in_a_silence_is_never_told(clock: Clock) -> None:
    level: Values = {(("tank", "a"),): 11.0}
    manager = manager_of(clock, lambda: level)
    manager.silence("tank level", 600)
    assert manager.evaluate() == []
    level[(("tank", "a"),)] = 1.0
    assert manager.evaluate() == []
    clock.now += 601
    assert manager.evaluate() == []
    assert [(e.alert.state, e.silenced) for e in manager.history()] == [("resolved", True), ("firing", True)]


def test_the_end_of_an_alert_that_was_told_is_told_though_it_is_silenced(clock: Clock) -> None:
    level: Values = {(("tank", "a"),): 11.0}
    manager = manager_of(clock, lambda: level, repeat=60)
    assert said(manager.evaluate()) == [("a", "firing")]
    made = manager.silence("tank level", 600)
    clock.now += 120
    assert manager.evaluate() == []  # it would be repeated now
    level[(("tank", "a"),)] = 1.0
    assert said(manager.evaluate()) == [("a", "resolved")]
    assert manager.unsilence(made.id)
    assert not manager.unsilence(made.id)


def test_messages_can_be_silenced(clock: Clock) -> None:
    manager = manager_of(clock, dict)

    async def send() -> list[bool]:
        made = manager.silence("message", 60)
        first = await manager.send_alert("disk")
        manager.unsilence(made.id)
        return [first, await manager.send_alert("disk"), await manager.send_alert("disk")]

    assert asyncio.run(send()) == [False, True, False]


def test_workers_share_their_silences(clock: Clock, tmp_path: Path) -> None:
    level: Values = {(("tank", "a"),): 11.0}
    workers = WorkerFiles(tmp_path)
    workers.start()
    leads, other = (manager_of(clock, lambda: level, workers=workers) for _ in range(2))
    made = other.silence("tank level", 600, reason="ünï \ud800")
    assert leads.evaluate() == []
    assert [one.id for one in leads.silences()] == [made.id]
    assert leads.unsilence(made.id)
    assert other.silences() == []
    assert said(leads.evaluate()) == [("a", "firing")]
    (tmp_path / "silences.json").write_text('[{"id": 1}]')
    assert leads.silences() == []  # a file that cannot be read silences nothing
    assert json.loads((tmp_path / "silences.json").read_text()) == [{"id": 1}]
    leads.stop()
    workers.stop()


def test_workers_show_the_alerts_of_the_one_that_evaluates(
    clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    level: Values = {(("tank", "a"),): 11.0}
    workers = WorkerFiles(tmp_path)
    workers.start()
    leads, other = (manager_of(clock, lambda: level, workers=workers) for _ in range(2))
    assert (other.shared, other.firing(), other.history()) == (True, [], [])
    leads.evaluate()
    assert other.evaluate() == []
    assert said(other.firing()) == [("a", "firing")]
    assert other.firing() == leads.firing()
    assert other.history() == leads.history()
    clock.now += 1
    assert asyncio.run(other.send_alert("disk"))
    assert [event.alert.rule for event in other.history()] == ["message", "tank level"]
    (tmp_path / "alerts.json").write_text('{"events": [], "firing": [{"state": "on fire"}]}')
    assert said(other.firing()) == [("a", "firing")]  # what was read last stays
    assert "alerts.json" in caplog.text
    level[(("tank", "a"),)] = 1.0
    leads.evaluate()
    assert other.firing() == []
    leads.stop()
    clock.now += 1
    assert other.evaluate() == []  # it leads now, and keeps the history
    assert [(event.alert.rule, event.alert.state) for event in other.history()] == [
        ("message", "firing"),
        ("tank level", "resolved"),
        ("tank level", "firing"),
    ]
    other.stop()
    workers.stop()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"rule": "tank levle", "duration": 60}, LookupError, "did you mean tank level"),
        ({"rule": "tank level", "duration": 0}, ValueError, "above 0"),
        ({"rule": "tank level", "duration": "31d"}, ValueError, "30 days"),
        ({"rule": "tank level", "duration": "long"}, ValueError, "duration: expected seconds or text"),
        (
            {"rule": "tank level", "duration": 60, "reason": "x" * 501},
            ValueError,
            "reason: expected a str of at most 500",
        ),
        ({"rule": "tank level", "duration": 60, "labels": {"tank": 1}}, ValueError, "tank: expected a str"),
    ],
)
def test_a_silence_that_cannot_be_says_why(clock: Clock, options: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        manager_of(clock, dict).silence(**options)


def test_silences_and_history_are_bounded(clock: Clock) -> None:
    silences = Silences(None, clock.wall)
    for _ in range(MOST):
        silences.add("tank level", 60, {}, "", "")
    with pytest.raises(ValueError, match="at most 200"):
        silences.add("tank level", 60, {}, "", "")
    level: Values = {}
    manager = manager_of(clock, lambda: level)
    for n in range(HISTORY):
        level[(("tank", "a"),)] = 11.0 if n % 2 == 0 else 1.0
        level[(("tank", "b"),)] = level[(("tank", "a"),)]
        manager.evaluate()
    assert len(manager.history(10**6)) == HISTORY
    assert len(manager.history(3)) == 3
