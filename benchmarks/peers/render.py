"""Render ``benchmarks/results/*.json`` into ``docs/performance.md``: every row, the losing ones too.

Usage: python benchmarks/peers/render.py
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import RESULTS  # noqa: E402

TARGET = HERE.parent.parent / "docs" / "performance.md"

INTRO = """\
# Performance

Every number here was written by a script in `benchmarks/peers/` and rendered by `make bench`; none was typed in.
Each script runs all contenders interleaved in one process, in another random order each round. A cell is the median
over the rounds with the quartiles around it. Ratios decide, never absolute times: compare within a row, not between
machines. Rows that lose are kept. The parts of a long script may be run one after the other, as
`python benchmarks/peers/cache.py decorator_cases`; the contenders of a row are always run together.
"""


def render(reports: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    parts = [INTRO, overview(reports)]
    parts += [section(report) for report in reports]
    return "\n".join(parts)


def overview(reports: Sequence[dict[str, Any]]) -> str:
    """Goals met and missed by script, then every missed one by name."""
    rows = []
    missed = []
    for report in reports:
        found = [one for one in ratios(report) if one[2]["goal"] is not None]
        lost = [(case, label, ratio) for case, label, ratio in found if not met(ratio)]
        rows.append([f"[{report['title']}](#{anchor(report)})", len(found), len(found) - len(lost), len(lost)])
        missed += [[report["name"], case, label, *measured(ratio)] for case, label, ratio in lost]
    text = "## Goals\n\n" + table(["benchmark", "goals", "met", "missed"], rows)
    if missed:
        text += "\nMissed:\n\n" + table(["benchmark", "case", "ratio", "measured", "goal", ""], missed)
    return text


def section(report: dict[str, Any]) -> str:
    """One script: its command, machine, results and rows."""
    about = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        f"## {report['title']}",
        "",
        f"`{report['command']}` on {about['cpu']}, {about['cores']} cores, {about['system']}, "
        f"Python {about['python']}; {versions}.",
        "",
    ]
    lines += [f"* {note}" for note in report["notes"]]
    if report["notes"]:
        lines.append("")
    if report["summary"]:
        rows = [[label, *measured(ratio)] for label, ratio in report["summary"].items()]
        lines += [table(["over the whole run", "measured", "goal", ""], rows)]
    timed = [row for row in report["rows"] if row["timings"]]
    for names, group in grouped(timed):
        cells = [[row["case"], *(timing(row["timings"][name]) for name in names)] for row in group]
        lines += [table(["case", *names], cells)]
    goals = [[row["case"], label, *measured(ratio)] for row in report["rows"] for label, ratio in row["ratios"].items()]
    if goals:
        lines += [table(["case", "ratio", "measured", "goal", ""], goals)]
    return "\n".join(lines)


def grouped(rows: Iterable[dict[str, Any]]) -> list[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    """Rows by the contenders they timed, in order of appearance: one table each."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row["timings"]), []).append(row)
    return list(found.items())


def ratios(report: dict[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for row in report["rows"]:
        for label, ratio in row["ratios"].items():
            yield row["case"], label, ratio
    for label, ratio in report["summary"].items():
        yield "whole run", label, ratio


def met(ratio: dict[str, Any]) -> bool:
    value, goal = ratio["value"], ratio["goal"]
    return goal is None or bool(value >= goal if ratio["at_least"] else value <= goal)


def measured(ratio: dict[str, Any]) -> list[str]:
    if ratio["goal"] is None:
        return [f"{ratio['value']:.3g}", "", ""]
    bound = "at least" if ratio["at_least"] else "at most"
    return [f"{ratio['value']:.3g}", f"{bound} {ratio['goal']:g}", "met" if met(ratio) else "**missed**"]


def timing(value: dict[str, Any]) -> str:
    unit, scale = unit_of(value["median"])
    return f"{value['median'] / scale:.3g} {unit} [{value['low'] / scale:.3g}, {value['high'] / scale:.3g}]"


def unit_of(seconds: float) -> tuple[str, float]:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= scale:
            return unit, scale
    return "ns", 1e-9


def anchor(report: dict[str, Any]) -> str:
    """The link target that MyST and code forges make of the section's heading."""
    return re.sub(r"[^\w\- ]", "", report["title"].strip().lower()).replace(" ", "-")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def load(path: Path) -> dict[str, Any]:
    """One script's results; those of its parts in one."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for part in report.pop("parts", {}).values():
        report["notes"] += part["notes"]
        report.setdefault("rows", []).extend(part["rows"])
        report.setdefault("summary", {}).update(part["summary"])
    return report


def main() -> int:
    reports = [load(path) for path in sorted(RESULTS.glob("*.json"))]
    if not reports:
        print(f"render: expected *.json in {RESULTS}, found none: run `make bench`", file=sys.stderr)
        return 1
    TARGET.write_text(render(reports), encoding="utf-8")
    print(f"render: wrote {TARGET.relative_to(HERE.parent.parent)} from {len(reports)} reports")
    return 0


if __name__ == "__main__":
    sys.exit(main())
