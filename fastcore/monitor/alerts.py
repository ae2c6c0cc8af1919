"""When an alert is pending, fires, and is resolved: rules and values in, notifications out. No clock, no network."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from fastcore._snapshot import Labels
from fastcore._text import storable
from fastcore.monitor.rules import Rule

__all__ = ["Alert", "AlertBook", "AlertEvent", "fingerprint", "grouped"]

State = Literal["firing", "resolved"]
_log = logging.getLogger("fastcore.monitor")


@dataclass(frozen=True)
class Alert:
    """An alert as channels get it.

    Attributes
    ----------
    rule : str
    state : {'firing', 'resolved'}
    severity : {'info', 'warning', 'critical'}
    summary : str
    labels : tuple of pairs
    value : float
    since : datetime
        When it began to fire.
    fingerprint : str
        The same for the same rule and labels, in every process and after every restart.
    details : object
        Further values for people; JSON must be able to hold them.

    Examples
    --------
    >>> from fastcore import metrics
    >>> from fastcore.monitor import AlertManager, Rule
    >>> metrics.gauge("alert_depth").set(500)
    >>> alert = AlertManager([Rule(name="deep", metric="alert_depth", above=100)], []).evaluate()[0]
    >>> alert.rule, alert.state, alert.severity, alert.value
    ('deep', 'firing', 'warning', 500.0)
    """

    rule: str
    state: State
    severity: str
    summary: str
    labels: Labels
    value: float
    since: datetime
    fingerprint: str
    details: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON can hold."""
        value = self.value if self.value == self.value and abs(self.value) != float("inf") else None
        return {
            "rule": self.rule,
            "state": self.state,
            "severity": self.severity,
            "summary": self.summary,
            "labels": dict(self.labels),
            "value": value,
            "since": self.since.isoformat(),
            "fingerprint": self.fingerprint,
            "details": self.details,
        }


class AlertEvent(NamedTuple):
    """An alert that began or ended, or was repeated."""

    at: datetime
    alert: Alert
    silenced: bool
    """Whether a silence kept it from the channels."""


def fingerprint(rule: str, labels: Labels) -> str:
    """Return what tells an alert from others."""
    text = "\0".join([rule, *(f"{name}={value}" for name, value in sorted(labels))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class _Held:
    """An alert that is pending or firing."""

    rule: Rule
    pending_since: float
    firing: bool = False
    since: datetime | None = None
    told_at: float = 0.0
    told: bool = False
    well_since: float | None = None
    value: float = 0.0
    details: Any = None


class AlertBook:
    """The alerts of all rules, by rule and labels.

    Parameters
    ----------
    repeat : float, default 14400
        Seconds after which an alert that still fires is sent again.

    Examples
    --------
    >>> from fastcore.monitor import AlertBook
    >>> AlertBook(repeat=3600).firing()
    []
    """

    def __init__(self, repeat: float = 4 * 3600.0) -> None:
        if not repeat > 0:
            raise ValueError(f"repeat: expected a number above 0, got {repeat!r}")
        self._repeat = repeat
        self._held: dict[tuple[str, Labels], _Held] = {}

    def pending(self) -> int:
        return sum(not held.firing for held in self._held.values())

    def firing(self, rule: str | None = None) -> list[tuple[str, Labels]]:
        """Return the alerts that fire, of one rule or of all."""
        return [key for key, held in self._held.items() if held.firing and rule in (None, key[0])]

    def alerts(self, wall: datetime) -> list[Alert]:
        """Return the firing alerts as a notification would contain them now."""
        return [self._alert(key[1], held, "firing", wall) for key, held in self._held.items() if held.firing]

    def evaluate(self, rule: Rule, values: Mapping[Labels, float], now: float, wall: datetime) -> list[Alert]:
        """Evaluate a rule with new values; return the notifications to send.

        Parameters
        ----------
        rule : Rule
        values : mapping of labels to float
            A series that is missing here is neither past the threshold nor well; it ends a pending alert, and a firing
            one after `keep_firing`.
        now : float
            Seconds on any clock that only grows.
        wall : datetime
            What the notifications say.
        """
        out = []
        for labels, value in values.items():
            held = self._held.get((rule.name, labels))
            if held is None and rule.breached(value):
                held = self._held[rule.name, labels] = _Held(rule, now)
            if held is not None:
                held.rule = rule
                held.value = value if value == value else held.value
                out += self._step(labels, held, value, now, wall)
        for name, labels in list(self._held):
            if name == rule.name and labels not in values:
                out += self._step(labels, self._held[name, labels], None, now, wall)
        return out

    def forget(self, rule: str, now: float, wall: datetime) -> list[Alert]:
        """Resolve the firing alerts of a removed rule."""
        out = []
        for name, labels in list(self._held):
            if name == rule:
                held = self._held.pop((name, labels))
                if held.firing and held.told:
                    out.append(self._alert(labels, held, "resolved", wall))
        return out

    def _step(self, labels: Labels, held: _Held, value: float | None, now: float, wall: datetime) -> list[Alert]:
        rule = held.rule
        if not held.firing:
            if value is None or not rule.breached(value):
                del self._held[rule.name, labels]
                return []
            if now - held.pending_since < float(rule.hold):
                return []
            held.firing, held.since, held.details = True, wall, _details(rule, labels)
            return self._tell(labels, held, now, wall)
        if value is None or rule.well(value):
            held.well_since = now if held.well_since is None else held.well_since
            if now - held.well_since < float(rule.keep_firing):
                return []
            del self._held[rule.name, labels]
            return [self._alert(labels, held, "resolved", wall)] if held.told else []
        held.well_since = None
        if not held.told or now - held.told_at >= self._repeat:
            return self._tell(labels, held, now, wall)
        return []

    def _tell(self, labels: Labels, held: _Held, now: float, wall: datetime) -> list[Alert]:
        if held.rule.unless and self.firing(held.rule.unless):
            return []  # told when the other one is over, if it still fires then
        held.told, held.told_at = True, now
        return [self._alert(labels, held, "firing", wall)]

    def _alert(self, labels: Labels, held: _Held, state: State, wall: datetime) -> Alert:
        rule = held.rule
        return Alert(
            rule.name,
            state,
            rule.severity,
            rule.text(held.value, labels, held.details),
            labels,
            held.value,
            held.since or wall,
            fingerprint(rule.name, labels),
            held.details,
        )


def grouped(alerts: list[Alert], most: int) -> list[Alert]:
    """Return the alerts of one rule, those of one state as one where they are more than `most`."""
    out = []
    for state in ("firing", "resolved"):
        same = [alert for alert in alerts if alert.state == state]
        out += [_as_one(same)] if len(same) > most else same
    return out


def _as_one(alerts: list[Alert]) -> Alert:
    """One alert that lists others; its labels are those that all have."""
    first = alerts[0]
    labels = tuple(pair for pair in first.labels if all(pair in alert.labels for alert in alerts))
    members = hashlib.sha256("".join(sorted(alert.fingerprint for alert in alerts)).encode()).hexdigest()[:16]
    shown = "; ".join(alert.summary for alert in alerts[:3])
    return replace(
        first,
        summary=f"{len(alerts)} alerts: {shown}" + ("; ..." if len(alerts) > 3 else ""),
        labels=labels,
        value=float(len(alerts)),
        since=min(alert.since for alert in alerts),
        fingerprint=members,
        details={"alerts": [alert.to_dict() for alert in alerts]},
    )


def plain(value: Any) -> Any:
    """What JSON and UTF-8 can hold: no NaN, and no lone surrogates."""
    if isinstance(value, Mapping):
        return {storable(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return storable(value) if isinstance(value, str) else value


def _details(rule: Rule, labels: Labels) -> Any:
    if rule.details is None:
        return None
    try:
        return plain(dict(rule.details(dict(labels))))
    except KeyboardInterrupt:
        raise
    except BaseException:  # an alert without its details is better than none
        _log.exception("the details of the rule %s could not be computed", rule.name)
        return None
