"""The results of a soak, as rows with their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from examples.market_desk.soak.faults import Told
from examples.market_desk.soak.probes import Probe, answered
from examples.market_desk.soak.resources import Sample, Slope
from examples.market_desk.soak.traffic import Ledger

__all__ = ["Outcome", "Row", "rows", "table"]

GROWTH = 12.0  # MiB an hour that a server may grow
MEMORY = 512 * 2**20  # bytes of the memory limit that the share refers to
CORES = 2
SILENCE = 15.0  # seconds that a subscriber may be without a price, reconnecting included


@dataclass
class Outcome:
    """Everything that a soak has measured; times are those of `time.perf_counter`."""

    began: float
    seconds: float
    probes: list[Probe]
    outside: list[Probe]
    outages: list[tuple[float, float]]
    gap: float
    requests: int
    errors: list[tuple[float, str]]
    ledger: Ledger
    silences: list[float]
    ages: list[float]
    told: list[Told]
    recoveries: list[float]
    canaries: list[float]
    rolling: int
    lost: int
    samples: list[Sample]
    slope: Slope | None
    cpu: float
    system: float


class Row(NamedTuple):
    """One line: a name, its bound, the measured value, and whether it keeps the bound; None if it is not judged."""

    name: str
    bound: str
    value: str
    met: bool | None


def rows(found: Outcome) -> list[Row]:
    """Return every row."""
    ledger, memory = found.ledger, max((sample.resident for sample in found.samples), default=0)
    share, outside = answered(found.probes), answered(found.outside)
    latency = quantile([one.seconds for one in found.probes if not one.error], 0.95)
    failed = len(found.errors) / max(1, found.requests)
    back, canary = found.recoveries, found.canaries
    bad = [one for one in found.told if not one.well]
    tasks = (len(ledger.failed) + len(ledger.lost)) / max(1, ledger.acknowledged)
    age, silence = quantile(found.ages, 0.95), max(found.silences, default=0.0)
    cpu = found.cpu / found.seconds / CORES
    return [
        Row("Uptime: probes answered outside announced outages", ">= 99.9 %", f"{outside:.3%}", outside >= 0.999),
        Row("Probes answered in all", "", f"{share:.3%} of {len(found.probes):,}", None),
        Row("Probe latency p95", "< 1 s", seconds(latency), latency is not None and latency < 1),
        Row("Longest time between two answers", "< 30 s", f"{found.gap:.1f} s", found.gap < 30),
        Row("Requests that failed", "< 1 %", f"{failed:.3%} of {found.requests:,}", failed < 0.01),
        Row("Tasks acknowledged, lost", "0 lost", f"{ledger.acknowledged:,}, {len(ledger.lost)}", not ledger.lost),
        Row("Orders refused, not acknowledged", "", f"{ledger.refused:,}", None),
        Row("Tasks failed", "< 1 %", f"{tasks:.2%}", tasks < 0.01),
        Row("Task completion p95", "< 30 s", seconds(quantile(ledger.seconds, 0.95)), below(ledger.seconds, 30)),
        Row("Requests lost in rolling restarts", "0", *counted(found.lost, found.rolling)),
        Row("Recovery after kill -9, longest", "< 30 s", longest(back), below(back, 30, 1.0)),
        Row("Canary of a bad version: rollback, longest", "< 30 s", longest(canary), below(canary, 30, 1.0)),
        Row("Faults that passed", "all", f"{len(found.told) - len(bad)} of {len(found.told)}", not bad),
        Row("Price latency p95", "< 2 s", seconds(age), age is not None and age < 2),
        Row("Longest silence of a subscriber", f"< {SILENCE:g} s", f"{silence:.1f} s", silence < SILENCE),
        Row("Memory of a server, most", "< 70 % of 512 MiB", f"{memory / 2**20:.0f} MiB", memory < 0.7 * MEMORY),
        Row("Memory growth of a server", f"< {GROWTH:g} MiB/h", *grown(found.slope)),
        Row("Memory of the machine in use, most", "< 70 %", f"{found.system:.0%}", found.system < 0.7),
        Row(f"CPU of {CORES} cores, both servers", "< 80 %", f"{cpu:.0%}", cpu < 0.8),
    ]


def grown(slope: Slope | None) -> tuple[str, bool | None]:
    """Return the growth as text, and whether it keeps the bound with two standard errors to spare for chance."""
    if slope is None:
        return "too short to say", None
    text = f"{slope.value:+.1f} +/- {slope.error:.1f} MiB/h"
    return text, slope.value - 2 * slope.error < GROWTH


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return a quantile; None of nothing."""
    return float(np.quantile(values, share)) if values else None


def seconds(value: float | None) -> str:
    """Return seconds as text."""
    return "none" if value is None else f"{value:.3f} s"


def longest(values: Sequence[float]) -> str:
    """Return the longest of some times, and of how many."""
    return f"{max(values):.1f} s of {len(values)}" if values else "none made"


def below(values: Sequence[float], bound: float, share: float = 0.95) -> bool | None:
    """Return whether a quantile is below a bound; None of nothing."""
    found = quantile(values, share)
    return None if found is None else found < bound


def counted(lost: int, restarts: int) -> tuple[str, bool | None]:
    """Return the lost requests as text, and whether there were none; None without restarts."""
    return (f"{lost} in {restarts} restarts", lost == 0) if restarts else ("none made", None)


def table(found: Outcome, judged: Sequence[Row]) -> str:
    """Return the rows as text, and below them every failure."""
    lines = [line("", "bound", "measured", "met")]
    lines.append("-" * len(lines[0]))
    for row in judged:
        lines.append(line(row.name, row.bound, row.value, {None: "-", True: "yes", False: "NO"}[row.met]))
    lines += [f"fault {one.name} at {one.at:.0f} s: {one.text}" for one in found.told if not one.well]
    lines += [f"request failed at {at - found.began:.0f} s: {text}" for at, text in found.errors[:10]]
    lines += [f"probe failed at {one.due - found.began:.0f} s: {one.error}" for one in found.outside if one.error][:10]
    lines += [f"task failed: {text}" for text in found.ledger.failed[:10]]
    return "\n".join(lines)


def line(name: str, bound: str, value: str, met: str) -> str:
    """Return one line of the table."""
    return f"{name:<52}{bound:>20}{value:>28}{met:>6}"
