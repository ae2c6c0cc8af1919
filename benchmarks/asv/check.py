"""Says whether this commit is slower than another, and exits with 1 if it is.

Usage: python benchmarks/asv/check.py BASE [BENCH]

Two measures. Instructions of kernels and calls are counted by callgrind, so 2 % more is a slowdown. Times of everything
are taken by ``asv continuous`` in rounds, the two commits in turns; where one looks slower it is measured again, in
more rounds, and counts only if it looks slower each time. BENCH is a regular expression for names of benchmarks.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from driver import SCRATCH, Driver, git, resolved, selected  # noqa: E402
from measured import COUNT_FACTOR, TIME_FACTOR, Measured, measured, shown  # noqa: E402

from benchmarks import instructions  # noqa: E402

BYTES_FACTOR = 1.1
FOLDER = SCRATCH / "check"
ROUNDS = {"rounds": 3, "repeat": 4, "warmup_time": 0.03, "sample_time": 0.005}
AGAIN = ({**ROUNDS, "rounds": 4, "repeat": 6}, {**ROUNDS, "rounds": 6, "repeat": 8})


class Change(NamedTuple):
    """A benchmark that differs between two commits."""

    benchmark: str
    backend: str
    before: str
    after: str
    ratio: float | None  # None where it failed

    @property
    def slower(self) -> bool:
        return self.ratio is None or self.ratio > 1.0


def ratio_of(before: Measured, after: Measured) -> float | None:
    """How many times as slow, 1.0 where that is within what the measure allows, None where it fails now."""
    if before.value is None or before.value != before.value or (after.value is not None and after.value != after.value):
        return 1.0  # nothing to compare with: it failed before, or one of the commits lacks it
    if after.value is None:
        return None
    if before.value == 0:
        return 1.0
    ratio = after.value / before.value
    if after.counted:
        return ratio if ratio >= COUNT_FACTOR or ratio <= 1 / COUNT_FACTOR else 1.0
    if not after.samples:
        return ratio if ratio >= BYTES_FACTOR else 1.0
    slower = min(ratio, after.least / before.least) >= TIME_FACTOR and after.differs(before)
    return ratio if slower else 1.0


def compared(driver: Driver, base: str, head: str) -> list[Change]:
    """What differs between two commits, in the results of `driver`."""
    found: dict[tuple[str, str], dict[str, Measured]] = {}
    for one in measured(driver.conf()):
        if one.commit in (base, head):
            found.setdefault((one.benchmark, one.backend), {})[one.commit] = one
    changes = []
    for (benchmark, backend), of in sorted(found.items()):
        if base in of and head in of:
            before, after = of[base], of[head]
            ratio = ratio_of(before, after)
            if ratio != 1.0:
                texts = shown(before.value, before.unit), shown(after.value, after.unit)
                changes.append(Change(benchmark, backend, *texts, ratio))
    return changes


def counted(base: str, head: str, bench: str) -> list[Change]:
    """What takes another number of instructions."""
    if lacking := instructions.missing():
        print(f"asv-check: instructions are not counted: expected {lacking}, found none (Debian: valgrind, gcc)")
        return []
    driver = fresh("counted")
    for commit in (base, head):
        driver.measure("run", f"{commit}^!", bench=selected(bench, counted=True), rounds=1)
    return compared(driver, base, head) if list(Path(driver.conf().results_dir).glob("*/*-*.json")) else []


def timed(base: str, head: str, bench: str, name: str, attributes: dict[str, float]) -> list[Change]:
    """What takes longer in one measurement by ``asv continuous``."""
    driver = fresh(name)
    options = ("--interleave-rounds", "--factor", str(TIME_FACTOR), base, head)
    driver.measure("continuous", *options, bench=bench, **attributes)
    if not list(Path(driver.conf().results_dir).glob("*/*-*.json")):
        return []
    return compared(driver, base, head)


def slower_each_time(base: str, head: str, bench: str) -> list[Change]:
    """What is slower in the first measurement and in each of those that look again."""
    changes = timed(base, head, selected(bench, counted=False), "timed", ROUNDS)
    for turn, attributes in enumerate(AGAIN):
        suspects = {(change.benchmark, change.backend) for change in changes}
        if not suspects:
            break
        print(f"asv-check: {len(suspects)} may be slower; they are measured again")
        again = timed(base, head, any_of(change.benchmark for change in changes), f"again-{turn}", attributes)
        changes = [change for change in again if (change.benchmark, change.backend) in suspects]
    return changes


def any_of(names: Iterable[str]) -> str:
    return f"^(?:{'|'.join(sorted({re.escape(name) for name in names}))})$"


def fresh(name: str) -> Driver:
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    driver = Driver(folder)
    driver.register()
    return driver


def table(changes: list[Change]) -> str:
    head = ("benchmark", "backend", "before", "after", "ratio")
    lines = [head] + [
        (one.benchmark, one.backend, one.before, one.after, "failed" if one.ratio is None else f"{one.ratio:.3f}")
        for one in changes
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))
        )
        for line in lines
    )


def main(base_name: str, bench: str = "") -> int:
    base, head = resolved(base_name), resolved("HEAD")
    if base == head:
        print(f"asv-check: expected a BASE other than HEAD, got {base_name}: both are {head[:8]}", file=sys.stderr)
        return 2
    if git("status", "--porcelain", "--untracked-files=no"):
        print("asv-check: what is not committed is not measured")
    changes = [*counted(base, head, bench), *slower_each_time(base, head, bench)]
    slower = [change for change in changes if change.slower]
    faster = [change for change in changes if not change.slower]
    if faster:
        print(f"\n{head[:8]} takes fewer instructions than {base[:8]}:\n\n{table(faster)}")
    if slower:
        print(f"\n{head[:8]} is slower than {base[:8]}:\n\n{table(slower)}")
        return 1
    print(f"\nasv-check: {head[:8]} is nowhere slower than {base[:8]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
