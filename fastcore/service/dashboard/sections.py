"""The figures of each page of the dashboard, as values that JSON and msgpack can hold."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable
from typing import Any

from fastcore import __version__, flags, metrics
from fastcore._threads import on_own_thread
from fastcore.dispatch import status
from fastcore.dispatch.state import HOT_PATHS
from fastcore.service.dashboard.alerts import alerts
from fastcore.service.dashboard.observed import label, latencies, requests
from fastcore.service.dashboard.sources import Section, Sources
from fastcore.service.dashboard.streaming import streaming
from fastcore.service.dashboard.switches import measured, switches
from fastcore.service.dashboard.tasks import in_all, tasks

__all__ = ["SECTIONS", "read"]


def overview(sources: Sources) -> Section:
    """The implementations that run, what they gain, and problems."""
    paths = status.paths()
    arms = measured()
    held = [flag for flag in flags.snapshot().values() if flag.rolled_back]
    memory_now = memory(sources)
    hits = misses = 0
    for cache in caches(sources)["caches"]:
        hits, misses = hits + cache["hits"], misses + cache["misses"]
    counts = {} if sources.tasks is None else in_all(sources.tasks.counts())
    return {
        "at": time.time(),
        "version": __version__,
        "python": status.python_version(),
        "pid": os.getpid(),
        "uptime": time.time() - sources.started,
        "paths": [
            {"name": p.name, "runs": p.runs, "why": p.why, "isa": p.instruction_set, "cause": p.cause} for p in paths
        ],
        "tiles": {
            "compiled": sum(p.runs == "compiled" for p in paths),
            "rolled_back": len(held),
            "rss": memory_now["rss"],
            "used_ratio": memory_now["used_ratio"],
            "hit_ratio": hits / (hits + misses) if hits + misses else None,
            "clients": None if sources.hub is None else len(sources.hub),
            "tasks_waiting": counts.get("queued"),
            "tasks_running": counts.get("running"),
        },
        "gains": [
            {
                "name": arm["name"],
                "mode": arm["mode"],
                "control_p50": arm["control"]["p50"],
                "candidate_p50": arm["candidate"]["p50"],
                "improvement": arm["improvement"],
                "verdict": arm["verdict"],
            }
            for arm in arms
            if arm["flag"] not in HOT_PATHS or arm["improvement"] is not None
        ],
        "wrong": _wrong(sources, paths, held, arms, memory_now, counts),
    }


def _wrong(
    sources: Sources, paths: Any, held: Any, arms: Any, memory_now: Section, counts: Any
) -> list[dict[str, str]]:
    wrong = []

    def add(severity: str, page: str, text: str, what: str = "") -> None:
        wrong.append({"severity": severity, "page": page, "what": what, "text": text})

    for flag in held:
        why = flag.reason or "no reason given"
        add("critical", "switches", f"{flag.name} is rolled back to {flag.mode}: {why}", flag.name)
    for path in paths:
        if path.runs == "unavailable":
            add(
                "critical",
                "switches",
                f"{path.name}: the compiled twin is insisted on and may not run: {path.cause}",
                path.name,
            )
        elif path.cause:
            add("warning", "overview", f"{path.name} has no compiled twin: {path.cause}")
    for arm in arms:
        if arm["verdict"] == "fail":
            add("warning", "switches", f"{arm['name']}: the candidate does worse than the control", arm["name"])
    if memory_now["watch"] in ("firing", "pending"):
        severity = "critical" if memory_now["watch"] == "firing" else "warning"
        add(severity, "memory", f"memory is short: {memory_now['used_ratio']:.0%} in use")
    if sources.alerts is not None:
        for alert in sources.alerts.firing():
            if sources.alerts.silenced(alert) is not None:
                continue
            add(alert.severity, "alerts", f"{alert.rule}: {alert.summary}", alert.rule)
    if counts.get("dead"):
        add("warning", "tasks", f"{_count(counts['dead'], 'dead task')} to be looked at", "dead")
    if sources.hub is not None:
        ready = sources.hub.readiness()
        if ready["detail"] != "ok":
            add("warning", "streaming", str(ready["detail"]))
        if blocked := sources.hub.stats().blocked:
            add("info", "streaming", f"{_count(blocked, 'client')} behind what is sent")
    return wrong


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def caches(sources: Sources) -> Section:
    """The named caches."""
    from fastcore.cache.registry import named_caches

    rows = []
    for name, cache in sorted(named_caches().items()):
        found = cache.stats()
        maxsize = getattr(cache, "maxsize", None)
        rows.append(
            {
                "name": name,
                "size": found.size,
                "weight": found.weight,
                "maxsize": None if maxsize is None or math.isinf(maxsize) else maxsize,
                "hits": found.hits,
                "misses": found.misses,
                "hit_ratio": found.hits / (found.hits + found.misses) if found.hits + found.misses else None,
                "evictions": dict(found.evictions),
            }
        )
    return {"at": time.time(), "writable": sources.writable, "caches": rows}


def memory(sources: Sources) -> Section:
    """The process's memory, its limit, and the garbage collector."""
    from fastcore.memory import memory_usage
    from fastcore.memory.usage import resident_bytes

    usage = memory_usage()
    watch = sources.watch
    pauses = {label(labels, "generation"): sketch for labels, sketch in latencies("fastcore_gc_pause_seconds")}
    generations = []
    for number, counts in enumerate(gc.get_stats()):
        sketch = metrics.Sketch()
        if str(number) in pauses:
            sketch.merge(pauses[str(number)])
        known = sketch.count > 0
        generations.append(
            {
                "generation": number,
                **counts,
                "pause_sum": sketch.total if known else None,
                "pause_max": sketch.quantile(1.0) if known else None,
            }
        )
    return {
        "at": time.time(),
        "writable": sources.writable,
        "rss": resident_bytes(),
        "used_ratio": usage.fraction,
        "limit": usage.limit,
        "limited_by": usage.source,
        "watch": "off" if watch is None else watch.state,
        "high": None if watch is None else watch.threshold,
        "low": None if watch is None else watch.clear,
        "gc": {
            "enabled": gc.isenabled(),
            "thresholds": list(gc.get_threshold()),
            "frozen": gc.get_freeze_count(),
            "generations": generations,
        },
    }


def prices(sources: Sources) -> Section:
    """The newest prices, with indicators."""
    return {"at": time.time(), **sources.prices.section()}


async def read(name: str, sources: Sources) -> Section:
    """Read a section: off the loop, as stores and files may take their time; but what belongs to the loop, there."""
    section = SECTIONS[name]
    return section(sources) if section is streaming else await on_own_thread(section, sources)


SECTIONS: dict[str, Callable[[Sources], Section]] = {
    "overview": overview,
    "requests": requests,
    "alerts": alerts,
    "switches": switches,
    "tasks": tasks,
    "caches": caches,
    "memory": memory,
    "streaming": streaming,
    "prices": prices,
}
