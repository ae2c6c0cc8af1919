"""When an alert is pending, fires, is sent, repeated and resolved, with a manual clock."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC
from typing import Any

import pytest

from fastcore.monitor import Alert, AlertBook, AlertManager, CallableChannel, Rule
from fastcore.monitor.alerts import fingerprint, grouped
from tests.monitor.conftest import Clock

A = (("name", "a"),)
B = (("name", "b"),)


class Book:
    """A book, and the states it told at each step."""

    def __init__(self, clock: Clock, **kwargs: Any) -> None:
        self.book, self.clock = AlertBook(**kwargs), clock

    def look(self, rule: Rule, value: float | None, labels: Any = A, after: float = 1.0) -> list[str]:
        self.clock.now += after
        values = {} if value is None else {labels: value}
        return [alert.state for alert in self.book.evaluate(rule, values, self.clock.now, self.clock.wall())]


@pytest.fixture
def book(clock: Clock) -> Book:
    return Book(clock)


def test_fires_at_once_and_is_resolved_at_the_threshold(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=10)
    assert [book.look(rule, value) for value in (10, 10.1, 11, 10.0, 10)] == [[], ["firing"], [], ["resolved"], []]
    assert book.book.firing() == []


def test_a_rule_below_a_threshold_fires(book: Book) -> None:
    rule = Rule(name="r", metric="m", below=2, clear=3)
    assert [book.look(rule, value) for value in (2, 1.9, 2.9, 3)] == [[], ["firing"], [], ["resolved"]]


def test_an_alert_is_pending_for_the_time_of_its_rule(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=10, hold="30s")
    assert book.look(rule, 11) == []
    assert (book.book.pending(), book.book.firing()) == (1, [])
    assert book.look(rule, 11, after=29) == []
    assert book.look(rule, 11, after=1) == ["firing"]
    assert (book.book.pending(), book.book.firing("r"), book.book.firing("other")) == (0, [("r", A)], [])


@pytest.mark.parametrize("between", [10.0, None, math.nan])
def test_an_interruption_restarts_the_wait(book: Book, between: float | None) -> None:
    rule = Rule(name="r", metric="m", above=10, hold=30)
    book.look(rule, 11)
    assert book.look(rule, between, after=29) == []
    assert book.book.pending() == 0
    assert book.look(rule, 11, after=2) == []
    assert book.look(rule, 11, after=29) == []
    assert book.look(rule, 11, after=1) == ["firing"]


def test_between_the_thresholds_the_state_does_not_change(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=85, clear=80)
    assert [book.look(rule, v) for v in (84, 86, 84, 81, 86, 80, 84)] == [[], ["firing"], [], [], [], ["resolved"], []]


def test_a_flapping_value_alerts_once(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=85, clear=80, keep_firing=60)
    told = [state for value in [86, 79] * 50 for state in book.look(rule, value)]
    assert told == ["firing"]
    assert book.look(rule, 79, after=59) == []
    assert book.look(rule, 79, after=1) == ["resolved"]


def test_missing_values_end_it_after_its_time_and_nan_does_not(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=1, keep_firing=10)
    assert book.look(rule, 2) == ["firing"]
    for _ in range(30):
        assert book.look(rule, math.nan) == []
    assert book.look(rule, None) == []
    assert book.look(rule, None, after=10) == ["resolved"]


def test_repeated_after_the_repeat_interval(clock: Clock) -> None:
    book = Book(clock, repeat=3600)
    rule = Rule(name="r", metric="m", above=1)
    assert book.look(rule, 2) == ["firing"]
    assert book.look(rule, 2, after=3599) == []
    assert book.look(rule, 2, after=1) == ["firing"]
    assert book.look(rule, 2, after=1) == []


def test_each_series_has_its_own_alert(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=1, summary="{name} at {value:g}")
    found = book.book.evaluate(rule, {A: 2.0, B: 3.0, (("name", "c"),): 0.0}, 1.0, book.clock.wall())
    assert [(alert.labels, alert.summary) for alert in found] == [(A, "a at 2"), (B, "b at 3")]
    assert len({alert.fingerprint for alert in found}) == 2
    found = book.book.evaluate(rule, {A: 2.0, B: 0.0}, 2.0, book.clock.wall())
    assert [(alert.labels, alert.state) for alert in found] == [(B, "resolved")]


def test_suppressed_while_another_rule_fires(book: Book) -> None:
    cause, effect = Rule(name="cause", metric="c", above=0), Rule(name="effect", metric="e", above=0, unless="cause")
    assert book.look(cause, 1) == ["firing"]
    assert book.look(effect, 1, B) == []
    assert book.book.firing("effect") == [("effect", B)]
    assert book.look(cause, 0) == ["resolved"]
    assert book.look(effect, 1, B) == ["firing"]
    assert book.look(effect, 0, B) == ["resolved"]
    assert book.look(cause, 1) == ["firing"]
    assert book.look(effect, 1, B) == []
    assert book.look(effect, 0, B) == [], "an alert that was never reported is not resolved"


def test_alerts_of_a_removed_rule_are_resolved(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=1)
    book.look(rule, 2)
    assert [alert.state for alert in book.book.forget("r", 3.0, book.clock.wall())] == ["resolved"]
    assert book.book.firing() == []


def test_an_alert_keeps_the_details_it_began_with(book: Book) -> None:
    seen: list[dict[str, str]] = []

    def details(labels: dict[str, str]) -> dict[str, Any]:
        seen.append(labels)
        return {"reason": f"reason {len(seen)}"}

    rule = Rule(name="r", metric="m", above=0, summary="{name}: {reason}", details=details)
    wall = book.clock.wall()
    told = [book.book.evaluate(rule, {A: value}, now, wall)[0] for now, value in ((1.0, 1.0), (2.0, 0.0))]
    assert [(alert.state, alert.summary, alert.details) for alert in told] == [
        ("firing", "a: reason 1", {"reason": "reason 1"}),
        ("resolved", "a: reason 1", {"reason": "reason 1"}),
    ]
    assert seen == [{"name": "a"}]


def test_details_that_raise_leave_the_alert(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    rule = Rule(name="r", metric="m", above=0, details=lambda labels: 1 / 0)  # type: ignore[arg-type, return-value]
    assert book.look(rule, 1) == ["firing"]
    assert "details of the rule r" in caplog.text


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    assert (
        fingerprint("r", (("b", "2"), ("a", "1"))) == fingerprint("r", (("a", "1"), ("b", "2"))) == "ac97e42ad4b3eb5e"
    )


def test_as_json_holds_it(clock: Clock) -> None:
    alert = Alert("r", "firing", "info", "s", A, math.nan, clock.wall().astimezone(UTC), "f", {"k": 1})
    assert alert.to_dict() == {
        "rule": "r",
        "state": "firing",
        "severity": "info",
        "summary": "s",
        "labels": {"name": "a"},
        "value": None,
        "since": "2024-01-01T00:16:40+00:00",
        "fingerprint": "f",
        "details": {"k": 1},
    }


def test_many_alerts_of_a_rule_are_sent_as_one(book: Book) -> None:
    rule = Rule(name="r", metric="m", above=0, summary="{name}")
    values = {(("job", "x"), ("name", str(n))): 1.0 for n in range(6)}
    found = book.book.evaluate(rule, values, 1.0, book.clock.wall())
    assert grouped(found, 6) == found
    one = grouped(found, 5)
    assert len(one) == 1
    assert (one[0].summary, one[0].labels, one[0].value) == ("6 alerts: 0; 1; 2; ...", (("job", "x"),), 6.0)
    assert [entry["labels"]["name"] for entry in one[0].details["alerts"]] == list("012345")
    ended = grouped(book.book.evaluate(rule, dict.fromkeys(values, 0.0), 2.0, book.clock.wall()), 5)
    assert (ended[0].state, ended[0].fingerprint) == ("resolved", one[0].fingerprint)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="repeat: expected a number above 0, got 0"):
        AlertBook(repeat=0)


def test_no_text_or_number_prevents_an_alert() -> None:
    """Lone surrogates, as of undecodable file names, and NaN: what channels send is UTF-8 and JSON."""
    seen: list[Alert] = []
    rule = Rule(
        name="odd",
        value=lambda snapshot: {(("file", "a\udce9"),): 2.0},
        above=1.0,
        summary="{file} is {value} {share}",
        details=lambda labels: {"share": math.nan, "names": ["b\udce9", math.inf], "n\udce9": 1},
    )
    manager = AlertManager([rule], [CallableChannel(seen.append)])
    given = manager.evaluate()
    assert asyncio.run(manager.send_alert("c\udce9", {"ratio": math.nan}))
    assert asyncio.run(manager.resolve_alert("c\udce9"))
    assert [alert.summary for alert in given] == ["a\\udce9 is 2.0 None"]
    for alert in given:
        text = json.dumps(alert.to_dict(), allow_nan=False, ensure_ascii=False)
        assert text.encode()
    assert given[0].details == {"share": None, "names": ["b\\udce9", None], "n\\udce9": 1}


def test_a_firing_alert_keeps_firing_while_its_value_is_nan() -> None:
    value = 2.0
    rule = Rule(name="nan", value=lambda snapshot: value, above=1.0)
    manager = AlertManager([rule], [])
    assert [alert.state for alert in manager.evaluate()] == ["firing"]
    value = math.nan
    assert manager.evaluate() == []
    assert [alert.value for alert in manager.firing()] == [2.0]
    value = 0.0
    assert [alert.state for alert in manager.evaluate()] == ["resolved"]
