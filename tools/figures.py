"""Writes the figures of README and docs from ``benchmarks/results``, so that none of them can grow old.

A figure stands between two comments, which readers do not see::

    <!--= cache ; hit, str, zipf, 1,000 ; cachetools / fastcore ; .0f -->34<!--/-->

Its parts are the script, the case (the start of its name is enough where only one begins so; "summary" for what is
about all cases), what was measured, and how it is written: a format of Python's for ratios and numbers, or a unit (ns,
us, ms, s) for times, to three digits. What was measured is a ratio or a number of the row, a contender, whose time is
taken, or two contenders with " / ". Vertical bars between the parts would end the cell of a table.

Usage: python tools/figures.py [--check]
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
FIGURE = re.compile(r"<!--= (.*?) -->(.*?)<!--/-->", re.S)
UNITS = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}


def pages() -> list[Path]:
    """Return the files that may have figures."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rows(node: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a report, wherever they are in it."""
    if isinstance(node, dict):
        if "case" in node:
            yield node
        else:
            for child in node.values():
                yield from rows(child)
    elif isinstance(node, list):
        for child in node:
            yield from rows(child)


@functools.cache
def read(path: Path) -> dict[str, Any]:
    """Return the report in a file, which is read once."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def summaries(report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a report, or its parts, say about all their rows."""
    for part in (report, *report.get("parts", {}).values()):
        if part.get("summary"):
            yield dict(part["summary"])


def figure(reference: str) -> str:
    """Return what a reference stands for.

    Raises
    ------
    ValueError
        If it has not four parts, or there is no such script, case or measurement.
    """
    parts = [part.strip() for part in reference.split(" ; ")]
    if len(parts) != 4:
        raise ValueError(f"{reference}: expected script ; case ; measured ; format")
    script, case, measured, form = parts
    path = RESULTS / f"{script}.json"
    if not path.exists():
        raise ValueError(f"{reference}: expected one of {', '.join(p.stem for p in sorted(RESULTS.glob('*.json')))}")
    report = read(path)
    if case == "summary":
        found: list[Mapping[str, Any]] = [
            {"case": case, "ratios": {name: r for s in summaries(report) for name, r in s.items()}}
        ]
    else:
        found = list(rows(report))
    exact = [row for row in found if row["case"] == case]
    chosen = exact or [row for row in found if row["case"].startswith(case)]
    if len(chosen) != 1:
        raise ValueError(f"{reference}: expected one case of that name, got {len(chosen)}")
    return written(value_of(chosen[0], measured, reference), form)


def value_of(row: Mapping[str, Any], measured: str, reference: str) -> float:
    """Return a ratio, a time, or a quotient of two times of a row."""
    timings = row.get("timings", {})
    if measured in row.get("ratios", {}):
        return float(row["ratios"][measured]["value"])
    if measured in timings:
        return float(timings[measured]["median"])
    above, _, below = measured.partition(" / ")
    if above in timings and below in timings:
        return float(timings[above]["median"] / timings[below]["median"])
    known = ", ".join([*row.get("ratios", {}), *timings])
    raise ValueError(f"{reference}: expected one of {known}, got {measured!r}")


def written(value: float, form: str) -> str:
    """Return a value in a unit with three digits, or by a format."""
    if form not in UNITS:
        return format(value, form)
    text = f"{value * UNITS[form]:.3g}"
    return f"{float(text):,.0f}" if "e" in text else text


def renewed(text: str) -> str:
    """Return a page with the figures of the results."""
    return FIGURE.sub(lambda match: f"<!--= {match[1]} -->{figure(match[1])}<!--/-->", text)


def main() -> int:
    """Write the pages, or with ``--check`` name those that are old; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a figure is old")
    check = parser.parse_args().check
    old = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = renewed(text)
        if new == text:
            continue
        if check:
            old += 1
            for was, now in zip(FIGURE.findall(text), FIGURE.findall(new), strict=True):
                if was != now:
                    print(f"{page.relative_to(ROOT)}: {was[0]}: expected {now[1]}, got {was[1]}")
        else:
            page.write_text(new, encoding="utf-8", newline="\n")
            print(f"wrote {page.relative_to(ROOT)}")
    if old:
        print("run python tools/figures.py")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
