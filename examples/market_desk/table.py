"""What the demo prints: the work, the table, and what may be concluded from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from examples.market_desk.flags import HOT_PATHS, SERVICES, Arm
from examples.market_desk.prices import SYMBOLS

__all__ = ["TOLERANCE", "Agreement", "Measured", "compare", "opening", "render"]

TOLERANCE = 1e-6
FEW = 20  # below this many times a percentile is marked
KEPT_UP = 0.99  # the share of the messages from which on an arm has kept up
GRACE = 3.0  # seconds that late messages are waited for
WIDTHS = (34, 20, 20, 18)


@dataclass(frozen=True)
class Measured:
    """What was measured of one arm.

    Attributes
    ----------
    arm : {"before", "after"}
    seconds : float
        The length of the window.
    clients : int
        WebSocket connections.
    cores, others : float
        Cores that the server, and what has nothing to do with the demo, kept busy on average.
    resident : int
        The server's peak, in bytes.
    result : dict
        What the load told.
    """

    arm: Arm
    seconds: float
    clients: int
    cores: float
    others: float
    resident: int
    result: dict[str, Any]


@dataclass(frozen=True)
class Agreement:
    """How far the values that both arms gave lie apart.

    `largest` is relative to the value, or absolute where the value is below 1; infinite where only one arm has it.
    """

    values: int
    largest: float

    @property
    def good(self) -> bool:
        """Whether something was compared, and nothing lies apart."""
        return self.values > 0 and self.largest <= TOLERANCE


def compare(before: Measured, after: Measured) -> Agreement:
    """Compare every streamed indicator and every analysis that both arms gave."""
    values, largest = 0, 0.0
    for kind in ("indicators", "analyses"):
        left, right = before.result[kind], after.result[kind]
        for key in left.keys() & right.keys():
            for column in left[key].keys() | right[key].keys():
                values += 1
                largest = max(largest, apart(left[key].get(column), right[key].get(column)))
    return Agreement(values, largest)


def apart(a: float | None, b: float | None) -> float:
    """Return the distance of two values; both missing are equal."""
    a, b = (math.nan if value is None else value for value in (a, b))
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    return abs(a - b) / max(1.0, abs(a), abs(b))


def opening(tick_rate: float, request_rate: float, report_rate: float) -> str:
    """Return the text printed before the work begins."""
    lines = [
        f"Real daily prices of {', '.join(SYMBOLS)}, replayed at {tick_rate:g} ticks a second (a tick is a",
        f"trading day of every symbol), with {request_rate:g} analyses and {report_rate:g} reports a second.",
        "What each flag switches:",
    ]
    return "\n".join([*lines, *(f"  {name:<20} {what}" for name, what in SERVICES.items()), ""])


def render(before: Measured, after: Measured) -> str:
    """Return the table and the notes under it."""
    old, new = before.result, after.result
    resident = [f"{measured.resident / 2**20:.0f} MiB" for measured in (before, after)]
    busy = [f"{measured.cores:.0%} of a core" for measured in (before, after)]
    lines = [
        row("", "before", "after", "before / after"),
        "-" * sum(WIDTHS),
        *times("Indicators of a tick", old["status"]["indicator_ms"], new["status"]["indicator_ms"], "p50", "p95"),
        *times("Fan-out of a tick", old["status"]["fan_out_ms"], new["status"]["fan_out_ms"], "p50", "p95"),
        *times("Analysis request", old["requests"], new["requests"], "p50", "p95"),
        row("Cache hit ratio", hit_ratio(old), hit_ratio(new), ""),
        *times("Report, first answer", old["report_answered"], new["report_answered"], "p50"),
        *times("Report, finished", old["report_ready"], new["report_ready"], "p50"),
        row("Ticks delivered to clients", delivered(old), delivered(new), ""),
        *latencies(old, new),
        row("Server CPU", *busy, ratio(before.cores, after.cores)),
        row("Server memory, peak", *resident, ratio(before.resident, after.resident)),
    ]
    return "\n".join(["", *lines, "", *notes(before, after)])


def notes(before: Measured, after: Measured) -> list[str]:
    """Return what a reader needs in order to judge the table."""
    old, new = before.result["load_cpu"], after.result["load_cpu"]
    lines = [
        f"Each column: {before.seconds:g} s on a fresh server, {before.clients:,} WebSocket connections on loopback",
        "from another process. A delivery takes from when the tick was due until a client has read its bytes, a",
        "request from when it was due until its answer. Every message was decoded and checked for gaps.",
        f"The load process was busy {old:.0%} and {new:.0%} of the time.",
        "",
    ]
    agreement = compare(before, after)
    verdict = "agree" if agreement.good else "DIFFER"
    lines.append(f"Answers: {agreement.values:,} values of both {verdict}, largest difference {agreement.largest:.1g}")
    for measured in (before, after):
        paths = measured.result["status"]["hot_paths"]
        lines.append(f"Hot paths {measured.arm}: " + ", ".join(f"{name} {paths[name]['runs']}" for name in HOT_PATHS))
    lines += [f"Pure Python after: {', '.join(names)} ({why})" for why, names in not_compiled(after).items()]
    for name, what in after.result["status"]["not_yet"].items():
        lines.append(f"Not optimised yet, {name}: {what}")
    return lines + trouble(before) + trouble(after)


def not_compiled(measured: Measured) -> dict[str, list[str]]:
    """Return the hot paths that ran in pure Python, by the reason why."""
    found: dict[str, list[str]] = {}
    for name in HOT_PATHS:
        path = measured.result["status"]["hot_paths"][name]
        if path["runs"] == "python":
            found.setdefault(path["cause"] or path["why"], []).append(name)
    return found


def trouble(measured: Measured) -> list[str]:
    """Return what went wrong in an arm, and what may have bent its figures."""
    result, found = measured.result, []
    flags = result["status"]["flags"]
    wanted = "control" if measured.arm == "before" else "candidate"
    odd = [name for name in SERVICES if flags[name] != wanted]
    if odd:
        found.append(f"{measured.arm}: expected {wanted} of {', '.join(odd)}, which ran otherwise")
    if result["errors"]:
        found.append(f"{measured.arm}: {len(result['errors'])} requests failed, as {result['errors'][0]}")
    if result["lost_connections"]:
        found.append(f"{measured.arm}: {result['lost_connections']} connections were lost")
    share = arrived(result)
    if share < KEPT_UP:
        found.append(
            f"{measured.arm}: could not keep up: {1 - share:.0%} of what was due had not come {GRACE:g} s after the"
            " end; latencies are of what came, and would grow with a longer run"
        )
    if measured.others > 0.3:
        found.append(f"{measured.arm}: other work kept {measured.others:.1f} cores busy, which bends these figures")
    if result["load_cpu"] > 0.9:
        found.append(f"{measured.arm}: the load process was itself near its limit")
    return found


def row(label: str, *cells: str) -> str:
    """Return one line of the table."""
    return f"{label:<{WIDTHS[0]}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS[1:]))


def times(label: str, before: Mapping[str, Any], after: Mapping[str, Any], *percentiles: str) -> list[str]:
    """Return a line for each of the `percentiles`; it says so where they come from a few times only."""
    n = min(before["n"], after["n"])
    few = f" of {n}" if n < FEW else ""
    return [
        row(f"{label}, {p}{few}", milliseconds(before[p]), milliseconds(after[p]), ratio(before[p], after[p]))
        for p in percentiles
    ]


def latencies(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the lines of the delivery latency; without a ratio where an arm fell behind, as it would mean little."""
    kept_up = min(arrived(before), arrived(after)) >= KEPT_UP
    lines = times("Delivery latency", before["delivery"], after["delivery"], "p50", "p99")
    return lines if kept_up else [line[: -WIDTHS[-1]] + f"{'see below':>{WIDTHS[-1]}}" for line in lines]


def milliseconds(value: float | None) -> str:
    """Return a time with three digits that matter."""
    if value is None:
        return "nothing measured"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def ratio(before: float | None, after: float | None) -> str:
    """Return how many times `before` is of `after`."""
    if not before or not after:
        return ""
    return f"{before / after:.3g}x" if before / after < 1000 else f"{before / after:,.0f}x"


def hit_ratio(result: Mapping[str, Any]) -> str:
    """Return the hits in a hundred look-ups."""
    hits, misses = result["cache"]["hits"], result["cache"]["misses"]
    return f"{hits / (hits + misses):.1%}" if hits + misses else "no cache"


def delivered(result: Mapping[str, Any]) -> str:
    """Return how many messages arrived, and how many of those that were due this is."""
    return f"{result['delivered']:,} ({arrived(result):.1%})"


def arrived(result: Mapping[str, Any]) -> float:
    """Return the share of the messages due in the window that arrived."""
    share: float = result["delivered"] / max(1, result["offered"])
    return share
