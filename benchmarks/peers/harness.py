"""One interleaved run of several contenders: what every script in this folder measures with.

A contender is a callable without arguments that does the work `loops` times or once. Rounds run the contenders in
a random order, so that drift of the machine meets all alike; the median over the rounds and the spread between the
quartiles are kept. Ratios decide, never absolute times.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "results"


@dataclass(frozen=True)
class Timing:
    """Seconds a call: median over the rounds and the quartiles around it."""

    median: float
    low: float
    high: float
    rounds: int


@dataclass
class Row:
    """One case: what every contender took, and the ratios held against their goals."""

    case: str
    timings: dict[str, Timing]
    ratios: dict[str, Ratio] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """A measured ratio and its goal, if it has one; `at_least` says in which direction the goal lies."""

    value: float
    goal: float | None = None
    at_least: bool = True

    @property
    def met(self) -> bool:
        return self.goal is None or (self.value >= self.goal if self.at_least else self.value <= self.goal)


def interleave(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    target: float = 0.02,
    per_call: Mapping[str, int] | int = 1,
    seed: int = 0,
    clock: Callable[[], float] | None = None,
) -> dict[str, Timing]:
    """Time `contenders` against each other.

    Parameters
    ----------
    contenders : mapping of name to callable without arguments
    rounds : int, default 15
        How often each is timed, in an order shuffled each round.
    target : float, default 0.02
        Seconds one timing should take; the number of calls in it follows from that.
    per_call : int or mapping, default 1
        Units of work in one call; times are divided by it.
    clock : callable, default time.perf_counter
        ``time.thread_time`` where contenders only compute and a small difference of two of them counts.

    Returns
    -------
    dict of name to Timing, in seconds a unit of work.
    """
    clock = clock or time.perf_counter
    rng = random.Random(seed)
    loops = {name: _calibrate(fn, target) for name, fn in contenders.items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            rng.shuffle(order)
            for name in order:
                fn, n = contenders[name], loops[name]
                start = clock()
                for _ in range(n):
                    fn()
                samples[name].append((clock() - start) / n)
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    units = per_call if isinstance(per_call, Mapping) else dict.fromkeys(contenders, per_call)
    return {name: _timing([s / units[name] for s in values]) for name, values in samples.items()}


def interleave_phases(
    contenders: Mapping[str, Callable[[], Mapping[str, float]]], *, rounds: int = 5, seed: int = 0
) -> dict[str, dict[str, Timing]]:
    """Time contenders that time themselves: one call is a whole run and returns seconds a unit of work by phase.

    Returns
    -------
    dict of phase to what :func:`interleave` returns; a contender without a phase is left out of it.
    """
    rng = random.Random(seed)
    order = list(contenders)
    samples: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        rng.shuffle(order)
        for name in order:
            gc.collect()
            for phase, seconds in contenders[name]().items():
                samples.setdefault(phase, {}).setdefault(name, []).append(seconds)
    return {phase: {name: _timing(of[name]) for name in contenders if name in of} for phase, of in samples.items()}


def _calibrate(fn: Callable[[], object], target: float) -> int:
    fn()
    n = 1
    while True:
        start = time.perf_counter()
        for _ in range(n):
            fn()
        took = time.perf_counter() - start
        if took >= target / 4:
            return max(1, round(n * target / took))
        n = max(n * 2, round(n * target / max(took, 1e-9) / 2))


def _timing(values: Sequence[float]) -> Timing:
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return Timing(statistics.median(ordered), ordered[quarter], ordered[-1 - quarter], len(ordered))


def loop_overhead() -> float:
    """Seconds that an empty contender costs: subtract it where calls take nanoseconds."""
    return interleave({"empty": lambda: None}, rounds=9)["empty"].median


def machine() -> dict[str, str]:
    """Return what a reader needs to know of the machine and the Python."""
    return {
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def versions(*distributions: str) -> dict[str, str]:
    """Return the installed version of each distribution; one that is not installed is left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@dataclass
class Report:
    """The rows of one script: printed as they come, written to ``benchmarks/results/<name>.json`` at the end."""

    name: str
    title: str
    peers: dict[str, str]
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    summary: dict[str, Ratio] = field(default_factory=dict)

    def __post_init__(self) -> None:
        about = machine()
        print(f"{self.title}\n{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
        print(", ".join(f"{name} {version}" for name, version in self.peers.items()), flush=True)

    def add(self, case: str, timings: dict[str, Timing], ratios: dict[str, Ratio] | None = None) -> Row:
        """Add a case and print it."""
        row = Row(case, timings, ratios or {})
        self.rows.append(row)
        cells = "  ".join(
            f"{name} {_human(t.median)} [{_human(t.low)}..{_human(t.high)}]" for name, t in timings.items()
        )
        print(f"{case:<34} {cells}")
        for label, ratio in row.ratios.items():
            print(f"{'':<34}   {_verdict(label, ratio)}", flush=True)
        return row

    def conclude(self, label: str, ratio: Ratio) -> None:
        """Add a ratio over the whole run and print it."""
        self.summary[label] = ratio
        print(_verdict(label, ratio), flush=True)

    def run(self, parts: Sequence[Callable[[Report], None]], names: Sequence[str] = ()) -> Path:
        """Run the parts that are `names` (all of them without names) and write the results after each.

        Parts that are not run keep the results they have from this machine and these versions, if any.
        """
        known = [part.__name__ for part in parts]
        for name in names:
            if name not in known:
                raise SystemExit(f"{self.name}: expected parts out of {', '.join(known)}, got {name!r}")
        kept = self._kept()
        for part in parts:
            if names and part.__name__ not in names:
                continue
            self.rows, self.summary, general = [], {}, list(self.notes)
            part(self)
            kept[part.__name__] = {
                "notes": self.notes[len(general) :],
                "rows": [asdict(row) for row in self.rows],
                "summary": {label: asdict(ratio) for label, ratio in self.summary.items()},
            }
            self.notes = general
            path = self._store({"parts": {name: kept[name] for name in known if name in kept}})
        missing = [name for name in known if name not in kept]
        if missing:
            print(f"no results yet of {', '.join(missing)}")
        return path

    def write(self) -> Path:
        """Write the results of a script without parts; returns the path."""
        return self._store(
            {
                "rows": [asdict(row) for row in self.rows],
                "summary": {label: asdict(ratio) for label, ratio in self.summary.items()},
            }
        )

    def _kept(self) -> dict[str, Any]:
        path = RESULTS / f"{self.name}.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        alike = stored.get("machine") == machine() and stored.get("versions") == self.peers
        return dict(stored.get("parts", {})) if alike else {}

    def _store(self, results: Mapping[str, Any]) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        body: dict[str, Any] = {
            "name": self.name,
            "title": self.title,
            "command": f"python benchmarks/peers/{self.name}.py",
            "machine": machine(),
            "versions": self.peers,
            "notes": self.notes,
            **results,
        }
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        missed = [label for row in self.rows for label, r in row.ratios.items() if not r.met]
        missed += [label for label, r in self.summary.items() if not r.met]
        print(f"wrote {path.relative_to(RESULTS.parent.parent)}; goals missed: {len(missed)}", flush=True)
        return path


def _verdict(label: str, ratio: Ratio) -> str:
    if ratio.goal is None:
        return f"{label}: {ratio.value:.2f}"
    bound = "at least" if ratio.at_least else "at most"
    return f"{label}: {ratio.value:.2f} (goal: {bound} {ratio.goal:g}) {'met' if ratio.met else 'MISSED'}"


def _human(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(seconds) >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
