"""Switches for the dashboard: flags, both arms, the evidence of experiments, and the journal."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastcore import flags, metrics
from fastcore.dispatch import controller
from fastcore.dispatch.journal import KEPT, Entry
from fastcore.dispatch.state import HOT_PATHS, STATEFUL
from fastcore.service.dashboard.queries import searched_text
from fastcore.service.dashboard.sources import Section, Sources
from fastcore.service.dashboard.values import masked

__all__ = ["journal", "measured", "switches"]

LEVELS = [0.01, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.99]
ENTRIES = 200  # of an answer about the journal


def switches(sources: Sources) -> Section:
    """Flags, both arms of the Switches in use, and what was changed."""
    from fastcore.dispatch.modes import PATH_WORDS, SERVICE_WORDS

    return {
        "at": time.time(),
        "writable": sources.writable,
        "flags": [
            {
                "name": flag.name,
                "mode": flag.mode,
                "state": flag.state,
                "source": flag.source,
                "since": flag.since.timestamp(),
                "reason": flag.reason,
                "words": list(PATH_WORDS if flag.name in HOT_PATHS else SERVICE_WORDS),
                "trials": flag.name not in STATEFUL,
                "canary": _canary(flag.name),
                "evidence": _evidence(flag.name),
            }
            for flag in flags.snapshot().values()
        ],
        "switches": measured(),
        "journal": [_entry(entry) for entry in reversed(flags.journal())],
    }


def _canary(flag: str) -> dict[str, Any] | None:
    watching = controller.find(flag)
    return None if watching is None else watching.progress()


def measured() -> list[dict[str, Any]]:
    """Both arms of every Switch that was called; of a hot path's hundreds, those of most calls."""
    from fastcore.dispatch.switch import live

    found = []
    for switch in live().values():
        if not any(calls for calls, _ in switch._calls()):  # a report costs much, and hot paths have hundreds
            continue
        report = switch.report()
        body = report.to_dict()
        row: dict[str, Any] = {"name": switch.name, "flag": switch.flag, "mode": report.mode, "levels": LEVELS}
        row |= {"improvement": _finite(body["improvement"]), "verdict": body["verdict"]}
        for index, name in enumerate(("control", "candidate")):
            sketch = metrics.Sketch()
            sketch.merge(switch._counts(index)[2])
            quantiles = [sketch.quantile(q) for q in LEVELS] if sketch.count else []
            row[name] = {**{k: _finite(v) for k, v in body[name].items()}, "name": name, "quantiles": quantiles}
        found.append(row)
    found.sort(key=lambda row: (row["flag"] in HOT_PATHS, -row["control"]["calls"] - row["candidate"]["calls"]))
    return found[:50]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _evidence(flag: str) -> dict[str, Any] | None:
    """Return what is known of a flag's experiment, the last one's too, and how much would decide."""
    watching = controller.find(flag)
    if watching is None:
        return None
    found, trial, guard = watching.evidence(), watching.trial, watching.limits
    if "pairs" not in found:
        return None
    live = trial is not None and trial.kind == "live"
    enough = guard.run_length if live else guard.enough
    return {
        **{name: _finite(value) for name, value in found.items() if name not in ("notes", "decision")},
        "notes": [masked(note, 300) for note in found["notes"]],
        "decision": masked(found["decision"], 300),
        "kind": None if trial is None or trial.ended else trial.kind,
        "slowdown": guard.slowdown,
        "is_slower": _share(found["slower"], enough),
        "is_not_slower": _share(found["not_slower"], guard.enough),
    }


def _share(value: float, enough: float) -> float:
    """Return how far an e-value is on the way to deciding, by its logarithm."""
    if not value > 1:
        return 0.0
    return min(1.0, math.log(value) / math.log(enough)) if math.isfinite(value) else 1.0


def journal(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the newest entries of the journal that a query asks for, the latest first.

    Parameters
    ----------
    query : mapping
        `flag`, `what` and `who` as they are in an entry, and `text` in any of its words.
    """
    text = searched_text(query, "flag", "what", "who", "text")
    entries = [_entry(entry) for entry in reversed(flags.journal(query.get("flag", ""), KEPT))]
    found = [
        entry
        for entry in entries
        if all(query.get(name, "") in ("", entry[name]) for name in ("what", "who"))
        and (not text or any(text in str(value).casefold() for value in entry.values()))
    ]
    known = {name: sorted({entry[name] for entry in entries}) for name in ("what", "who")}
    return {"at": time.time(), "count": len(found), "journal": found[:ENTRIES], **known}


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "when": datetime.fromisoformat(entry.when).timestamp(),
        "flag": entry.flag,
        "who": entry.who,
        "what": entry.what,
        "old": entry.old.get("mode", "–"),
        "new": entry.new.get("mode", "–"),
        "why": entry.why,
    }
