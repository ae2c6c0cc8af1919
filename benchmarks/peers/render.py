"""Render ``benchmarks/results/*.json``: ``docs/performance.md`` with charts, and a page of tables for each script.

The pages below ``docs/performance`` have every row, the losing ones too; the charts are in ``docs/images``.

Usage: python benchmarks/peers/render.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import charts  # noqa: E402
from harness import RESULTS  # noqa: E402

TARGET = HERE.parent.parent / "docs" / "performance.md"

INTRO = """\
# Performance

Every chart and number here comes from a script in `benchmarks/peers/`; `make bench` runs them all. A script runs its
contenders interleaved in one process, in another random order each round, and keeps the median and the quartiles.
Compare within a row, not between machines. What loses is shown: on the charts it is in the red zone, left of 1x, and
each part names its missed goals. A page for each script has the tables of every row.

```{toctree}
:hidden:
:glob:

performance/*
```
"""
SHOWN = 6  # missed goals of a script on the page; its tables have them all


def render(reports: Sequence[dict[str, Any]]) -> str:
    """Return the page with the charts."""
    return "\n".join([INTRO, overview(reports), *(summary(report) for report in reports)])


def overview(reports: Sequence[dict[str, Any]]) -> str:
    """Goals met and missed by script."""
    rows = []
    for report in reports:
        found, lost = list(goals(report)), missed(report)
        link = f"[{report['title']}](performance/{report['name']}.md)"
        rows.append([link, len(found), len(found) - len(lost), f"**{len(lost)}**" if lost else 0])
    return "## Goals\n\n" + table(["all tables of", "goals", "met", "missed"], rows)


def summary(report: dict[str, Any]) -> str:
    """One script on the page: its charts, and the goals that it misses by most."""
    found, lost = list(goals(report)), missed(report)
    lines = [f"## {report['title']}", ""]
    for chart in charts.of(report):
        for theme in charts.THEMES:
            alt = " ".join(f"{chart.title}: {chart.says}".split())
            lines += [
                f"```{{image}} images/performance-{chart.name}-{theme}.svg",
                f":class: only-{theme}",
                f":alt: {alt}",
                ":width: 520px",
                "```",
                "",
            ]
    about = f"`{report['command']}`: {len(found) - len(lost)} of {len(found)} goals are met. " if found else ""
    lines += [f"{about}[Every row](performance/{report['name']}.md).", ""]
    if lost:
        worst = sorted(lost, key=lambda one: -shortfall(one[2]))[:SHOWN]
        rows = [[case, label, *measured(ratio)[:2]] for case, label, ratio in worst]
        head = "Missed:" if len(lost) <= SHOWN else f"Missed by most, {SHOWN} of {len(lost)}:"
        lines += [head, "", table(["case", "ratio", "measured", "goal"], rows)]
    return "\n".join(lines)


def goals(report: dict[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    return (one for one in ratios(report) if one[2]["goal"] is not None)


def missed(report: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [one for one in goals(report) if not met(one[2])]


def shortfall(ratio: dict[str, Any]) -> float:
    """How many times a value is away from its goal."""
    above, below = (ratio["goal"], ratio["value"]) if ratio["at_least"] else (ratio["value"], ratio["goal"])
    return float(above / below) if below else float("inf")


def tables(report: dict[str, Any]) -> str:
    """The page of one script: what it misses, and every row."""
    lost = [[case, label, *measured(ratio)] for case, label, ratio in missed(report)]
    text = f"# {report['title']}\n\n"
    if lost:
        text += "Missed goals:\n\n" + table(["case", "ratio", "measured", "goal", ""], lost) + "\n"
    return text + results(report)


def results(report: dict[str, Any]) -> str:
    """One script's command, machine, results and rows."""
    about = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
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
    compared = [
        [row["case"], label, *measured(ratio)] for row in report["rows"] for label, ratio in row["ratios"].items()
    ]
    if compared:
        lines += [table(["case", "ratio", "measured", "goal", ""], compared)]
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
    unit, scale = charts.unit_of(value["median"])
    return f"{value['median'] / scale:.3g} {unit} [{value['low'] / scale:.3g}, {value['high'] / scale:.3g}]"


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


def files(reports: Sequence[dict[str, Any]]) -> dict[Path, str]:
    """Every file that is written, and its text."""
    docs = TARGET.parent
    found = {TARGET: render(reports)}
    for report in reports:
        found[docs / "performance" / f"{report['name']}.md"] = tables(report)
        for chart in charts.of(report):
            for theme, colours in charts.THEMES.items():
                found[docs / "images" / f"performance-{chart.name}-{theme}.svg"] = chart.draw(colours)
    return found


def main(arguments: Sequence[str] = ()) -> int:
    """Write the pages and charts, or with ``--check`` name those that are old; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is old")
    check = parser.parse_args(arguments).check
    reports = [load(path) for path in sorted(RESULTS.glob("*.json"))]
    if not reports:
        print(f"render: expected *.json in {RESULTS}, found none: run `make bench`", file=sys.stderr)
        return 1
    old = []
    for path, content in files(reports).items():
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != content:
                old.append(path.relative_to(HERE.parent.parent).as_posix())
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
    if check:
        if old:
            print(f"{', '.join(old)}: expected the results of today; run python benchmarks/peers/render.py")
        return 1 if old else 0
    print(f"render: wrote {TARGET.relative_to(HERE.parent.parent)} from {len(reports)} reports")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
