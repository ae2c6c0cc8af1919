"""Alerts for the dashboard: firing alerts, rules, silences and past alerts; and actions that silence a rule."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastcore._threads import on_own_thread
from fastcore.monitor.rules import SEVERITIES
from fastcore.service.dashboard.actions import text_of
from fastcore.service.dashboard.sources import Section, Sources
from fastcore.service.dashboard.values import masked

if TYPE_CHECKING:
    from fastcore.monitor import Alert, AlertManager, Rule

__all__ = ["alerts", "silence", "unsilence"]

HISTORY = 100  # shown, the latest
FIRING = 200


def alerts(sources: Sources) -> Section:
    """The alerts that fire, the rules that are evaluated, the silences, and the latest alerts that began or ended."""
    manager = sources.alerts
    if manager is None:
        return {"at": time.time(), "installed": False}
    now = manager.firing()
    now.sort(key=lambda alert: (-SEVERITIES.index(alert.severity), alert.since))
    firing = []
    for alert in now[:FIRING]:
        silence = manager.silenced(alert)
        firing.append({**_shown(alert), "silenced": None if silence is None else silence.until})
    named = {alert.rule for alert in now}
    return {
        "at": time.time(),
        "installed": True,
        "writable": sources.writable,
        "shared": manager.shared,
        "count": len(now),
        "firing": firing,
        "rules": [
            {"name": r.name, "severity": r.severity, "firing": r.name in named, "condition": _condition(r)}
            for r in manager.rules
        ],
        "silences": [{**one._asdict(), "labels": dict(one.labels)} for one in manager.silences()],
        "history": [
            {"at": event.at.timestamp(), "silenced": event.silenced, "state": event.alert.state, **_shown(event.alert)}
            for event in manager.history(HISTORY)
        ],
    }


def _shown(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.fingerprint,
        "rule": alert.rule,
        "severity": alert.severity,
        "summary": masked(alert.summary, 500),
        "labels": dict(alert.labels),
        "since": alert.since.timestamp(),
    }


def _condition(rule: Rule) -> str:
    """Return when a rule fires, in words."""
    what = rule.metric or "its value"
    limit = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below:g}"
    held = f" for {rule.hold:g} s" if isinstance(rule.hold, (int, float)) and rule.hold else ""
    held = f" for {rule.hold}" if isinstance(rule.hold, str) else held
    return f"{what} {limit}{held}"


def _manager(sources: Sources) -> AlertManager:
    if sources.alerts is None:
        raise LookupError("alerts: expected installed alerts, got none")
    return sources.alerts


async def silence(sources: Sources, body: dict[str, Any]) -> dict[str, Any]:
    """Silence a rule, or its alerts with some labels, for a while."""
    labels = body.get("labels", {})
    if not isinstance(labels, dict) or len(labels) > 50:
        raise TypeError("labels: expected an object of at most 50 names")
    rule, duration = text_of(body, "rule", required=True), text_of(body, "duration", required=True)
    reason, manager = text_of(body, "reason"), _manager(sources)
    made = await on_own_thread(lambda: manager.silence(rule, duration, labels=labels, reason=reason, who="dashboard"))
    return {"id": made.id, "until": made.until, "note": f"silenced for {duration}"}


async def unsilence(sources: Sources, id: str, body: dict[str, Any]) -> dict[str, Any]:
    """End a silence."""
    if not await on_own_thread(_manager(sources).unsilence, id):
        raise LookupError(f"silence: expected the id of one in force, got {id!r}")
    return {"ended": id}
