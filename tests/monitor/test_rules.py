"""Rules: what they refuse, what they read of a snapshot, and their TOML form."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore import metrics
from fastcore._snapshot import Sample, Snapshot
from fastcore.dispatch import flags
from fastcore.monitor import DEFAULT_RULES, Rule, load_rules
from fastcore.monitor.rules import Reader, seconds

OK: dict[str, Any] = {"name": "r", "metric": "m", "above": 1.0}


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"name": ""}, ValueError, "name: expected a str that is not empty, got ''"),
        ({"metric": ""}, ValueError, "rule r: expected one of metric and value, got neither"),
        ({"value": len}, ValueError, "rule r: expected one of metric and value, got both"),
        ({"metric": 3}, TypeError, "rule r: metric: expected a str, got int"),
        ({"metric": "", "value": 3}, TypeError, "rule r: value: expected a callable, got int"),
        ({"above": None}, ValueError, "rule r: expected one of above and below, got neither"),
        ({"below": 1}, ValueError, "rule r: expected one of above and below, got both"),
        ({"above": "1"}, TypeError, "rule r: above: expected a number, got str"),
        ({"above": True}, TypeError, "rule r: above: expected a number, got bool"),
        ({"above": math.nan}, ValueError, "rule r: above: expected a finite number, got nan"),
        ({"clear": 2}, ValueError, r"rule r: clear: expected at most above \(1\), got 2"),
        ({"above": None, "below": 1, "clear": 0}, ValueError, r"rule r: clear: expected at least below \(1\), got 0"),
        ({"quantile": 95}, ValueError, "rule r: quantile: expected a number from 0 to 1, got 95"),
        ({"quantile": "0.5"}, TypeError, "rule r: quantile: expected a number, got str"),
        ({"severity": "bad"}, ValueError, "rule r: severity: expected one of info, warning, critical, got 'bad'"),
        ({"hold": "3 weeks"}, ValueError, "rule r: hold: expected seconds or text like 30s, 5m, 4h, got '3 weeks'"),
        ({"hold": -1}, ValueError, "rule r: hold: expected a number >= 0, got -1"),
        ({"keep_firing": None}, TypeError, "rule r: keep_firing: expected seconds or text like 30s, got NoneType"),
        ({"labels": {"status": 500}}, TypeError, "rule r: labels: expected a mapping of str to str"),
        ({"labels": "x"}, TypeError, "rule r: labels: expected a mapping of str to str, got 'x'"),
        ({"channels": "slack"}, TypeError, "rule r: channels: expected names in a list, got 'slack'"),
        ({"summary": 3}, TypeError, "rule r: summary: expected a str, got int"),
        ({"details": 3}, TypeError, "rule r: details: expected a callable, got int"),
    ],
)
def test_wrong_rules_are_refused(changed: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Rule(**{**OK, **changed})


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30), ("5m", 300), ("4h", 14400), ("250ms", 0.25), ("1.5 d", 129600), (7, 7), (0.5, 0.5)]
)
def test_durations(text: Any, value: float) -> None:
    assert seconds(text, "x") == pytest.approx(value)


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(-1e7, 1e7), st.booleans())
def test_no_value_is_breached_and_well_at_once(limit: float, gap: float, value: float, upwards: bool) -> None:
    bound = {"above": limit, "clear": limit - gap} if upwards else {"below": limit, "clear": limit + gap}
    rule = Rule(name="r", metric="m", **bound)  # type: ignore[arg-type]
    assert not (rule.breached(value) and rule.well(value))
    assert not rule.breached(math.nan)
    assert not rule.well(math.nan)


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ("{rule} {value:.1f} {symbol} {why}", "r 2.0 A w"),
        ("{unknown}", "{unknown} (2)"),
        ("{value:d}", "{value:d} (2)"),
        ("{", "{ (2)"),
        ("{symbol.nothing}", "{symbol.nothing} (2)"),
        ("{0}", "{0} (2)"),
    ],
)
def test_summaries(summary: str, text: str) -> None:
    assert Rule(**OK, summary=summary).text(2.0, (("symbol", "A"),), {"why": "w"}) == text


def counter(value: int, **labels: str) -> Sample:
    return Sample("m", "counter", tuple(sorted(labels.items())), value)


class TestReader:
    def test_a_gauge_by_its_value(self) -> None:
        samples = [Sample("m", "gauge", (("a", x),), 0.5) for x in "xy"]
        assert Reader().read(Rule(**OK, labels={"a": "x"}), Snapshot(samples), 0) == {(("a", "x"),): 0.5}

    def test_a_counter_by_its_rate_since_the_last_look(self) -> None:
        reader, rule = Reader(), Rule(**OK)
        assert reader.read(rule, Snapshot([counter(100)]), 0) == {}
        assert reader.read(rule, Snapshot([counter(150)]), 10) == {(): 5.0}
        assert reader.read(rule, Snapshot([counter(150)]), 20) == {(): 0.0}
        assert reader.read(rule, Snapshot([counter(30)]), 30) == {(): 3.0}, "the counter was reset"
        assert reader.read(rule, Snapshot([counter(40)]), 30) == {}, "no time has passed"

    def test_a_new_series_starts_at_zero(self) -> None:
        reader, rule = Reader(), Rule(**OK)
        reader.read(rule, Snapshot([]), 0)
        assert reader.read(rule, Snapshot([counter(20, status="500")]), 10) == {(("status", "500"),): 2.0}

    def test_a_latency_rule_reads_the_quantile_since_the_last_reading(self) -> None:
        sketch, reader, rule = metrics.Sketch(), Reader(), Rule(**OK, quantile=0.5)

        def read() -> Any:
            return reader.read(rule, Snapshot([Sample("m", "latency", (), sketch.state())]), 0).get(())

        for _ in range(1000):
            sketch.observe(1.0)
        assert read() == pytest.approx(1.0, rel=0.02)
        assert read() is None
        for _ in range(10):
            sketch.observe(5.0)
        assert read() == pytest.approx(5.0, rel=0.02)

    def test_rules_do_not_share_readings(self) -> None:
        reader = Reader()
        one, two = Rule(**OK), Rule(**{**OK, "name": "two"})
        reader.read(one, Snapshot([counter(0)]), 0)
        assert reader.read(two, Snapshot([counter(10)]), 10) == {}
        assert reader.read(one, Snapshot([counter(10)]), 10) == {(): 1.0}

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (3, {(): 3.0}),
            (None, {}),
            ({"a": 1}, {(("name", "a"),): 1.0}),
            ({(("z", "1"), ("a", "2")): 1}, {(("a", "2"), ("z", "1")): 1.0}),
        ],
    )
    def test_a_callable(self, given: Any, expected: Any) -> None:
        rule = Rule(name="r", value=lambda snapshot: given, above=0)
        assert Reader().read(rule, Snapshot([]), 0) == expected

    def test_a_callable_with_an_invalid_result_is_refused(self) -> None:
        with pytest.raises(TypeError, match="rule r: expected a number, a mapping or None as its value, got str"):
            Reader().read(Rule(name="r", value=lambda snapshot: "x", above=0), Snapshot([]), 0)


def test_a_rollback_alert_names_the_user_and_the_reason(own_flags: list[str]) -> None:
    own_flags.append("test.rules.rollback")
    flags.declare("test.rules.rollback")
    rule = next(rule for rule in DEFAULT_RULES if rule.name == "rolled back")
    labels = (("flag", "test.rules.rollback"),)
    assert labels not in Reader().read(rule, Snapshot([]), 0)
    flags.rollback("test.rules.rollback", "it answered nonsense", who="somebody")
    assert Reader().read(rule, Snapshot([]), 0)[labels] == 1.0
    assert rule.details is not None
    details = rule.details(dict(labels))
    assert (details["who"], details["source"]) == ("somebody", "rollback")
    assert "it answered nonsense" in rule.text(1.0, labels, details)


class TestToml:
    def load(self, folder: Path, text: str) -> list[Rule]:
        path = folder / "rules.toml"
        path.write_text(text, encoding="utf-8")
        return load_rules(path)

    def test_all_keys(self, tmp_path: Path) -> None:
        rules = self.load(
            tmp_path,
            """
            [[rule]]
            name = "slow requests"
            metric = "fastcore_http_request_duration_seconds"
            labels = {route = "/prices/{symbol}"}
            quantile = 0.99
            above = 5
            clear = 4.5
            for = "2m"
            keep_firing_for = "30s"
            severity = "critical"
            summary = "{route} takes {value:.1f} s"
            channels = ["slack"]
            unless = "other"

            [[rule]]
            name = "other"
            metric = "m"
            below = 1
            """,
        )
        assert [rule.name for rule in rules] == ["slow requests", "other"]
        assert (rules[0].hold, rules[0].keep_firing, rules[0].channels) == (120.0, 30.0, ("slack",))
        assert (rules[0].quantile, rules[0].clear, rules[0].unless) == (0.99, 4.5, "other")

    @pytest.mark.parametrize(
        ("text", "error", "found"),
        [
            ("[[rule]\n", ValueError, r"rules.toml: .*line 1, column 7"),
            ("a = 1\na = 2\n", ValueError, r"rules.toml: .*line 2"),
            ("rule = 3\n", ValueError, r"rules.toml: expected \[\[rule\]\] tables, got rule of type int"),
            ("[[rule]]\nmetric = 'm'\n", ValueError, r"rules.toml:1: expected a \[\[rule\]\] with a name"),
            (
                "[[rule]]\nname = 'a'\nmetric = 'm'\nabove = 1\nabov = 2\n",
                ValueError,
                r"rules.toml:5: rule a: .*'abov'",
            ),
            (
                "\n[[rule]]\nname = 'a'\nmetric = 'm'\nabove = '1'\n",
                TypeError,
                r"rules.toml:5: rule a: above: expected",
            ),
            (
                "[[rule]]\nname='a'\nmetric='m'\nabove=1\nfor='1y'\n",
                ValueError,
                r"rules.toml:5: rule a: hold: expected",
            ),
            ("[[rule]]\nname='a'\nmetric='m'\nabove=1\nhold=1\n", ValueError, r"rules.toml:5: rule a: .*got 'hold'"),
            ("[[rule]]\nname='a'\nvalue='m'\nabove=1\n", ValueError, r"rules.toml:3: rule a: .*got 'value'"),
            ("[[rule]]\nname='a'\nmetric='m'\n", ValueError, r"rules.toml:1: rule a: expected one of above and below"),
            ("rule = [{name='a', metric='m', above='x'}]\n", TypeError, r"rules.toml: rule a: above"),
            (
                "[[rule]]\nname='a'\nmetric='m'\nabove=1\n\n[[rule]]\nname='a'\nmetric='m'\nabove=1\n",
                ValueError,
                r"rules.toml:6: expected rules of different names, got 'a' twice",
            ),
        ],
    )
    def test_errors_name_the_line(self, tmp_path: Path, text: str, error: type[Exception], found: str) -> None:
        with pytest.raises(error, match=found):
            self.load(tmp_path, text)
