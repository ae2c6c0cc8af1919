"""The targets of the mission: how each is computed from what was measured, and whether it is met."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ARMS", "SESSION", "TARGETS", "Row", "rows"]

ARMS = ("plain", "tuned", "fast", "fast_python")
SESSION = 6.5 * 3600  # seconds of a trading day, for which a subscriber stays connected
LIMIT = 512 * 2**20  # bytes of the memory limit that the share refers to
CORES = 2
PROMPT = 300.0  # milliseconds of p95

Result = Mapping[str, Any]  # one round of one arm


@dataclass(frozen=True)
class Target:
    """One row: its target, how its value is found, and how it is judged.

    `change` is the wanted change against plain (-0.35 is 35 % less), `most` and `least` are bounds of fast's own value.
    """

    name: str
    target: str
    value: Callable[[Result, float], float | None]
    unit: str = ""
    change: float | None = None
    most: float = math.inf
    least: float = -math.inf


@dataclass(frozen=True)
class Row:
    """What is printed of a target; `values` are medians over the rounds, by arm, and `spread` their range."""

    name: str
    target: str
    unit: str
    values: dict[str, float | None]
    spread: dict[str, tuple[float, float]]
    change: float | None
    met: bool | None


def steady(result: Result, *path: str) -> Any:
    """Return a value of the steady load."""
    found: Any = result["steady"]
    for name in path:
        found = found[name]
    return found


def at_rate(result: Result, rate: float) -> Any:
    """Return the step at a rate, or None."""
    return next((step for step in result["steps"] if step["rate"] == rate), None)


def step_value(name: str, scale: float = 1.0) -> Callable[[Result, float], float | None]:
    """Return what reads a value of the step at plain's highest rate."""

    def read(result: Result, rate: float) -> float | None:
        step = at_rate(result, rate)
        return None if step is None or step[name] is None else step[name] * scale

    return read


def highest(result: Result, rate: float = 0.0) -> float | None:
    """Return the highest rate that was sustained."""
    return max((step["rate"] for step in result["steps"] if step["sustained"]), default=None)


def highest_prompt(result: Result, rate: float) -> float | None:
    """Return the highest rate at which nearly all answers came within the time that the mission allows."""
    return max((step["rate"] for step in result["steps"] if step["sustained"] and step["p95"] <= PROMPT), default=None)


def per_cpu(result: Result, rate: float) -> float | None:
    """Return the analyses answered for each second of CPU at plain's highest rate."""
    step = at_rate(result, rate)
    return None if step is None or not step["cpu"] else step["n"] / step["cpu"]


def saturated(result: Result, by: str) -> float | None:
    """Return the analyses that clients without a pause got, a second or for each second of CPU."""
    found = result["saturated"]
    return found["n"] / found[by] if found[by] else None


def collections(name: str) -> Callable[[Result, float], float]:
    """Return what reads a figure of the garbage collector, a minute."""

    def read(result: Result, rate: float) -> float:
        used = steady(result, "after", "gc")[name] - steady(result, "before", "gc")[name]
        return float(used * 60 / steady(result, "seconds"))

    return read


def age(result: Result, rate: float) -> float | None:
    """Return the mean age of the newest price that a client has: on arrival, and half the time to the next one."""
    prices = steady(result, "prices")
    mean = prices["ages"]["mean"]
    return None if mean is None else mean / 1e3 + prices["gap"] / 2


def requests(result: Result, rate: float) -> float:
    """Return the requests of one client in a session: one connection, or a poll each interval."""
    return 1.0 if result["stream"] else SESSION / float(steady(result, "prices", "gap"))


def bytes_read(result: Result, rate: float) -> float | None:
    """Return the bytes for each price that a client read."""
    prices = steady(result, "prices")
    return prices["bytes"] / prices["readings"] if prices["readings"] else None


def gzipped(result: Result, rate: float) -> float | None:
    """Return the same, the polled answers compressed."""
    prices = steady(result, "prices")
    return prices.get("gzipped", prices["bytes"]) / prices["readings"] if prices["readings"] else None


def failed(result: Result, rate: float) -> float:
    """Return the share of errors of every request of the steady load."""
    kinds = [steady(result, name) for name in ("analysis", "batch", "report")]
    return float(sum(kind["failed"] for kind in kinds) / max(1, sum(kind["failed"] + kind["n"] for kind in kinds)))


def hits(result: Result, rate: float) -> float | None:
    """Return the cache's hit ratio at the highest rate that was sustained."""
    best = at_rate(result, highest(result) or 0.0)
    if best is None or not sum(best["cache"].values()):
        return None
    return float(best["cache"]["hits"] / sum(best["cache"].values()))


def tasks(result: Result, rate: float) -> float:
    """Return reports a minute."""
    return float(result["tasks"]["reports"]["n"] * 60 / result["tasks"]["seconds"])


def task_failures(result: Result, rate: float) -> float:
    """Return the share of tasks that failed."""
    parts = [result["tasks"][name] for name in ("reports", "short") if name in result["tasks"]]
    return float(sum(part["failed"] for part in parts) / sum(part["failed"] + part["n"] for part in parts))


def many(result: Result, rate: float) -> float | None:
    """Return how many of the short tasks that were ordered at once succeeded."""
    short = result["tasks"].get("short")
    return None if short is None else float(short["n"])


def delivered(result: Result, rate: float) -> float | None:
    """Return prices delivered for each second of CPU, nothing else being asked."""
    alone = result["stream"]
    return alone["delivered"] / alone["cpu"] if alone and alone["cpu"] else None


def delivered_alone(result: Result, rate: float) -> float | None:
    """Return the same for each second of CPU that the server uses with subscribers and not without."""
    alone, idle = result["stream"], result["without_subscribers"]
    cpu = alone["cpu"] - idle["cpu"] if alone else 0.0
    return alone["delivered"] / cpu if cpu > 0 else None


def connections(result: Result, rate: float) -> float | None:
    """Return the subscribers that were connected to the end."""
    prices = steady(result, "prices")
    return float(result["clients"] - prices["lost"]) if "lost" in prices else None


TARGETS = (
    Target("DataFrame memory, KiB", "-35 %", lambda result, rate: result["frames"] / 1024, ".0f", change=-0.35),
    Target("Memory, MiB", "-29 %", lambda r, rate: steady(r, "after", "resident") / 2**20, ".0f", change=-0.29),
    Target(
        "Memory above an idle import, MiB",
        "-29 %",
        lambda r, rate: (steady(r, "after", "resident") - r["idle"]) / 2**20,
        ".0f",
        change=-0.29,
    ),
    Target("GC runs a minute", "-75 %", collections("runs"), ".0f", change=-0.75),
    Target("GC pauses a minute, ms", "", lambda r, rate: collections("seconds")(r, rate) * 1e3, ".0f"),
    Target("GC longest pause, ms", "", lambda r, rate: steady(r, "after", "gc", "longest") * 1e3, ".0f"),
    Target("API p50 at plain's highest rate, ms", "-70 %", step_value("p50"), ".1f", change=-0.7),
    Target("API p95 at plain's highest rate, ms", "-70 %, < 300", step_value("p95"), ".1f", change=-0.7, most=300),
    Target("Highest rate sustained, req/s", "+300 %, >= 200", highest, ".0f", change=3.0, least=200),
    Target("Highest rate with p95 <= 300 ms, req/s", "", highest_prompt, ".0f"),
    Target("Analyses per CPU second", "+40 %", per_cpu, ".0f", change=0.4),
    Target("Analyses a second without a pause", "", lambda r, rate: saturated(r, "seconds"), ".0f"),
    Target("Their p95, ms", "", lambda r, rate: r["saturated"]["p95"], ".1f"),
    Target("Analyses per CPU second without a pause", "", lambda r, rate: saturated(r, "cpu"), ".0f"),
    Target("Age of the newest price, s", "-95 %", age, ".2f", change=-0.95),
    Target("Price latency p95, s", "< 2", lambda r, rate: p95(steady(r, "prices", "ages")), ".3f", most=2),
    Target("Requests of a client a session", "-99.7 %", requests, ".0f", change=-0.997),
    Target("Bytes per price read, against JSON", "-92 %", bytes_read, ".0f", change=-0.92),
    Target("Bytes per price read, against gzip", "-92 %", gzipped, ".0f", change=-0.92),
    Target("Reports a minute", ">= 100", tasks, ".0f", least=100),
    Target("Task failures", "< 1 %", task_failures, ".2%", most=0.01),
    Target("Task completion, mean s", "< 30", lambda r, rate: r["tasks"]["reports"]["mean"] / 1e3, ".2f", most=30),
    Target("Tasks at once that succeeded", ">= 1000", many, ".0f", least=1000),
    Target("One symbol p95, s", "< 5", lambda r, rate: p95(steady(r, "analysis")), ".3f", most=5),
    Target("Ten symbols p95, s", "< 30", lambda r, rate: p95(steady(r, "batch")), ".3f", most=30),
    Target("Subscribers", ">= 1000", connections, ".0f", least=1000),
    Target("Prices delivered per CPU second", "", delivered, ".0f"),
    Target("Prices delivered per CPU second of delivery", "", delivered_alone, ".0f"),
    Target("Cache hits at the highest rate", "> 85 %", hits, ".1%", least=0.85),
    Target(
        "CPU of 2 cores, steady load",
        "< 80 %",
        lambda r, rate: (steady(r, "after", "cpu") - steady(r, "before", "cpu")) / steady(r, "seconds") / CORES,
        ".0%",
        most=0.8,
    ),
    Target("Memory of 512 MiB", "< 70 %", lambda r, rate: steady(r, "after", "resident") / LIMIT, ".0%", most=0.7),
    Target("Memory of the machine in use", "< 70 %", lambda r, rate: steady(r, "after", "machine"), ".0%", most=0.7),
    Target("Errors, steady load", "< 1 %", failed, ".2%", most=0.01),
    Target("Recovery after kill -9, s", "< 30", lambda r, rate: r["recovery"], ".1f", most=30),
    Target("Largest difference of an indicator", "< 5 %", lambda r, rate: r["difference"], ".1e", most=0.05),
)


def p95(summary: Mapping[str, Any]) -> float | None:
    """Return a p95 in seconds."""
    return None if summary["p95"] is None else summary["p95"] / 1e3


def rows(results: Mapping[str, Sequence[Result]]) -> tuple[float, list[Row]]:
    """Return plain's highest rate, and every row over the rounds of each arm."""
    rates = [found for result in results.get("plain", ()) if (found := highest(result)) is not None]
    rate = statistics.median_low(rates) if rates else 0.0
    return rate, [judged(target, results, rate) for target in TARGETS]


def judged(target: Target, results: Mapping[str, Sequence[Result]], rate: float) -> Row:
    """Return the row of a target."""
    values: dict[str, float | None] = {}
    spread: dict[str, tuple[float, float]] = {}
    for arm, rounds in results.items():
        found = [value for result in rounds if (value := target.value(result, rate)) is not None]
        values[arm] = statistics.median(found) if found else None
        if found:
            spread[arm] = (min(found), max(found))
    before, after = values.get("plain"), values.get("fast")
    change = after / before - 1 if before and after is not None else None
    return Row(target.name, target.target, target.unit, values, spread, change, is_met(target, after, change))


def is_met(target: Target, value: float | None, change: float | None) -> bool | None:
    """Return whether fast meets a target; None where there is no target, or nothing was measured."""
    if value is None or not target.target or (target.change is not None and change is None):
        return None
    enough = True
    if target.change is not None and change is not None:
        enough = change >= target.change if target.change > 0 else change <= target.change
    return enough and target.least <= value <= target.most
