"""What tables take in memory, and what the garbage collector does to a service.

Every figure comes from a fresh process. A table is made as a service would get it, optimised, and the original dropped;
then indicators are computed. The contenders are pandas as it is, what one writes by hand with ``pd.to_numeric``, and
fastcore: lossless, with float32 certified to 0.1 % on the indicators themselves, and with ticks.

Usage: python benchmarks/peers/memory.py [--python PATH ...] [--rounds 10] [--tables desk,prices,symbols,news,collector]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness  # noqa: E402

Samples = dict[str, list[dict[str, Any]]]

TABLES = {
    "desk": (
        "desk: real daily bars of one symbol, 2000 to 2013",
        ("pandas", "to_numeric", "lossless", "float32", "ticks, decimals found"),
    ),
    "prices": ("prices: 100,000 bars of one symbol", ("pandas", "to_numeric", "lossless", "float32", "ticks")),
    "symbols": (
        "prices of 200 symbols with names, 500 bars each",
        ("pandas", "to_numeric", "lossless", "float32", "ticks"),
    ),
    "news": ("news: 5,000 articles with text", ("pandas", "to_numeric", "lossless")),
}
SAVED = {
    ("prices", "float32"),
    ("prices", "ticks"),
    ("symbols", "float32"),
    ("symbols", "ticks"),
    ("news", "lossless"),
    ("desk", "lossless"),
    ("desk", "float32"),
    ("desk", "ticks, decimals found"),
}
GOAL_SAVED = 0.35
GOAL_RUNS = 0.75
ERRORS = {"lossless": 0.0, "ticks": 0.0, "ticks, decimals found": 0.0, "float32": 0.001}
LIMIT = 0.05  # what the requirements allow
FOLDER = tempfile.TemporaryDirectory(prefix="fastcore-tables-")  # what children read their tables from
PAUSES = ("default", "service", "service, frozen")


def child(python: str, script: str, *args: str) -> dict[str, Any]:
    """Run a script of the folder `isolated` in a separate process; it prints JSON."""
    env = {
        **os.environ,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(HERE.parents[1]),
        "FASTCORE_BENCH_TABLES": FOLDER.name,
    }
    ran = subprocess.run(
        [python, str(HERE / "isolated" / script), *args],
        capture_output=True,
        text=True,
        timeout=300,
        env=env,
        check=False,
    )
    if ran.returncode:
        sys.exit(f"{script} {' '.join(args)} failed:\n{ran.stderr}")
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def keeping(kept: Samples, name: str, run: Callable[[], dict[str, Any]], phases: tuple[str, ...]) -> Callable[[], Any]:
    def contender() -> dict[str, float]:
        answer = run()
        kept.setdefault(name, []).append(answer)
        return {phase: float(answer[phase]) for phase in phases}

    return contender


def median(samples: list[dict[str, Any]], key: str) -> float:
    return statistics.median(sample[key] for sample in samples)


def table(report: harness.Report, name: str, rounds: int) -> None:
    title, variants = TABLES[name]
    kept: Samples = {}
    contenders = {
        variant: keeping(kept, variant, lambda v=variant: child(sys.executable, "memory_table.py", name, v), ("took",))
        for variant in variants
    }
    held = child(sys.executable, "memory_table.py", name, "pandas", "files")["files"]
    timings = harness.interleave_phases(contenders, rounds=rounds)["took"]
    errors = {v: child(sys.executable, "memory_table.py", name, v, "errors")["error"] for v in variants}
    base = kept["pandas"]
    ratios: dict[str, harness.Ratio] = {}
    print(f"\n{title}; medians of {rounds} processes")
    print(f"{'':<22}{'bytes':>12}{'saved':>8}{'(deep)':>8}{'held MiB':>10}{'peak MiB':>10}{'time':>10}{'error':>10}")
    for variant in variants:
        size, first = median(kept[variant], "bytes"), median(base, "bytes")
        deep = 1 - median(kept[variant], "deep") / median(base, "deep")
        stays, peak = (median(kept[variant], key) / 2**20 for key in ("held", "peak"))
        saved, error, took = 1 - size / first, errors[variant], timings[variant].median
        line = f"{size:>12,.0f}{saved:>8.1%}{deep:>8.1%}{stays:>10.1f}{peak:>10.1f}{took * 1e3:>8.1f}ms{error:>10.2g}"
        print(f"{variant:<22}{line}")
        report.notes.append(
            f"{title}; {variant}: {size:,.0f} bytes (-{saved:.1%}; by pandas' deep count -{deep:.1%}), {held} such "
            f"tables held {stays:.1f} MiB resident, at the peak {peak:.1f}; largest error of the indicators {error:.2g}"
        )
        if (name, variant) in SAVED:
            ratios[f"{variant}: share of bytes saved"] = harness.Ratio(saved, GOAL_SAVED)
        if variant in ERRORS:
            ratios[f"{variant}: largest error"] = harness.Ratio(error, ERRORS[variant], at_least=False)
        elif variant == "to_numeric":
            ratios[f"{variant}: largest error"] = harness.Ratio(error, LIMIT, at_least=False)
    report.add(title, timings, ratios)


def collector(report: harness.Report, python: str, rounds: int) -> None:
    kept: Samples = {}
    phases = ("pauses", "longest", "took")
    contenders = {
        name: keeping(kept, name, lambda n=name: child(python, "memory_collector.py", n), phases) for name in PAUSES
    }
    timings = harness.interleave_phases(contenders, rounds=rounds)
    version = kept["default"][0]["version"]
    title = f"collector, Python {version}"
    print(f"\n{title}; medians of {rounds} processes")
    runs = {name: sum(statistics.median(s["runs"][g] for s in kept[name]) for g in range(3)) for name in PAUSES}
    for name in PAUSES:
        by_generation = [statistics.median(s["runs"][g] for s in kept[name]) for g in range(3)]
        text = (
            f"{title}, {name}: {runs[name]:,.0f} runs ({' / '.join(f'{n:g}' for n in by_generation)} by generation), "
            f"pauses {timings['pauses'][name].median * 1e3:.1f} ms in all, the longest "
            f"{timings['longest'][name].median * 1e3:.2f} ms; resident memory "
            f"{median(kept[name], 'resident') / 2**20:.1f} MiB, drift over the second half "
            f"{median(kept[name], 'drift') / 2**20:+.2f} MiB"
        )
        print(text)
        report.notes.append(text)
    ratios = {
        f"{name}: share of runs saved": harness.Ratio(1 - runs[name] / runs["default"], GOAL_RUNS)
        for name in PAUSES[1:]
    }
    report.add(f"{title}: the load", timings["took"], ratios)
    report.add(f"{title}: sum of pauses", timings["pauses"])
    report.add(f"{title}: longest pause", timings["longest"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="*", default=[], help="further interpreters to run the collector's load on")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tables", default="desk,prices,symbols,news,collector")
    options = parser.parse_args()
    report = harness.Report(
        "memory",
        "Memory: tables and the garbage collector",
        harness.versions("pandas", "numpy"),
        notes=[
            "Every figure comes from a fresh process; contenders alternate in an order shuffled each round.",
            "Bytes count each object once: a string that many rows share is one string. pandas' deep count is added.",
            "to_numeric is the usual hand-written code: integers downcast to unsigned, floats to float32 whatever that "
            "does, text to categories.",
        ],
    )
    wanted = options.tables.split(",")
    for name in TABLES:
        if name in wanted:
            table(report, name, options.rounds)
    if "collector" in wanted:
        for python in [sys.executable, *options.python]:
            collector(report, python, options.rounds)
    if set(wanted) >= {*TABLES, "collector"}:
        report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
