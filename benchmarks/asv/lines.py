"""The page of lines: each benchmark across the commits, on both backends, marked where it jumped."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from driver import Commit
from measured import Measured, change, shown

__all__ = ["STYLE", "Jump", "Series", "lines_page", "series_of"]

WIDTH, HEIGHT, MARGIN = 380, 130, 16
BACKENDS = ("compiled", "python")

STYLE = (Path(__file__).parent / "pages.css").read_text(encoding="utf-8")


class Jump(NamedTuple):
    """A change from one commit to the next that was measured."""

    before: Measured
    after: Measured
    ratio: float

    @property
    def kind(self) -> str:
        return "slower" if self.ratio > 1 else "faster"


class Series(NamedTuple):
    """One benchmark: its measurements on each backend in the order of the commits, and its jumps."""

    name: str
    points: dict[str, list[Measured]]
    jumps: list[Jump]


def series_of(found: Iterable[Measured], history: Mapping[str, Commit]) -> list[Series]:
    """The measurements by benchmark; what failed or was skipped is left out."""
    places = {commit: place for place, commit in enumerate(history)}
    lines: dict[str, dict[str, list[Measured]]] = {}
    for one in sorted(found, key=lambda one: places.get(one.commit, -1)):
        if one.commit in places and one.value is not None and one.value == one.value:
            lines.setdefault(one.benchmark, {}).setdefault(one.backend, []).append(one)
    made = []
    for name, points in sorted(lines.items()):
        pairs = [(a, b, change(a, b)) for line in points.values() for a, b in itertools.pairwise(line)]
        made.append(Series(name, points, [Jump(a, b, ratio) for a, b, ratio in pairs if ratio != 1.0]))
    return made


def lines_page(series: list[Series], history: Mapping[str, Commit], machine: str) -> str:
    suites: dict[str, list[Series]] = {}
    for one in series:
        suites.setdefault(suite_of(one.name), []).append(one)
    jumps = [jump for one in series for jump in one.jumps]
    places = {commit: place for place, commit in enumerate(history)}
    sections = "".join(
        f'<h2 id="{suite}">{suite}</h2><div class="grid">{"".join(figure(one, places) for one in of)}</div>'
        for suite, of in suites.items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>fastcore: benchmarks by commit</title><link rel="icon" href="swallow.ico"><style>{STYLE}</style></head><body>
<h1>Benchmarks by commit</h1>
<p>{len(history)} commits on {html.escape(machine)}, oldest on the left. Each line is drawn as a share of its first
value, so that <span class="compiled">compiled</span> and <span class="python">python</span> can be compared; the values
below are the latest. ▲ marks where a benchmark became slower, ▼ where it became faster: from 2&nbsp;% for instructions,
from 15&nbsp;% for times, in the median and the fastest run, whose quartiles are apart.</p>
<p><a href="index.html">asv's own pages</a> · <a href="commits.html">commits</a> ·
{" · ".join(f'<a href="#{suite}">{suite}</a>' for suite in suites)}</p>
<h2>Jumps</h2>{jumps_table(jumps, history)}
{sections}
</body></html>
"""


def jumps_table(jumps: list[Jump], history: Mapping[str, Commit]) -> str:
    if not jumps:
        return "<p>No benchmark jumped.</p>"
    rows = "".join(
        f"<tr><td>{html.escape(placed(jump.after.benchmark))}</td><td>{jump.after.backend}</td>"
        f'<td><a href="commits.html#{jump.after.commit}">{jump.after.commit[:8]}</a> '
        f"{html.escape(history[jump.after.commit].subject)}</td>"
        f'<td class="number">{shown(jump.before.value, jump.before.unit)}</td>'
        f'<td class="number">{shown(jump.after.value, jump.after.unit)}</td>'
        f'<td class="number {jump.kind}">{jump.ratio:.3g}</td></tr>'
        for jump in sorted(jumps, key=lambda jump: -jump.ratio)
    )
    numbers = "".join(f'<th class="number">{word}</th>' for word in ("before", "after", "ratio"))
    head = f"<tr><th>benchmark</th><th>backend</th><th>commit</th>{numbers}</tr>"
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def placed(name: str) -> str:
    """`bench_heap.time_update` as `heap update`."""
    return f"{suite_of(name)} {label(name)}"


def suite_of(name: str) -> str:
    return name.split(".")[0].removeprefix("bench_")


def label(name: str) -> str:
    """`bench_heap.time_update` without what each name has."""
    _, _, rest = name.partition(".")
    for prefix in (
        "Instructions.track_instructions",
        "Call.time_call",
        "Definition.time_call",
        "Import.timeraw_import",
    ):
        if rest.startswith(prefix):
            return rest.removeprefix(prefix).strip("()").replace("'", "")
    return rest.removeprefix("time_").removeprefix("track_")


def figure(one: Series, places: Mapping[str, int]) -> str:
    shares = [point.value / line[0].value for line in one.points.values() for point in line if line[0].value]  # type: ignore[operator]
    low, high = min([*shares, 0.9]), max([*shares, 1.1])
    step = (WIDTH - 2 * MARGIN) / max(1, len(places) - 1)

    def x(point: Measured) -> float:
        return MARGIN + step * places[point.commit]

    def y(share: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (share - low) / (high - low)

    drawn = [f'<line x1="0" x2="{WIDTH}" y1="{y(1):.1f}" y2="{y(1):.1f}" stroke="var(--line)"/>']
    for backend in BACKENDS:
        line = one.points.get(backend, [])
        first = line[0].value if line and line[0].value else 1.0
        spots = [(x(point), y(point.value / first), point) for point in line]  # type: ignore[operator]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b, _ in spots)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="var(--{backend})" stroke-width="1.6"/>')
        for a, b, point in spots:
            told = f"{point.commit[:8]} {backend}: {shown(point.value, point.unit)}"
            drawn.append(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="var(--{backend})"><title>{told}</title></circle>'
            )
        for jump in (jump for jump in one.jumps if jump.after.backend == backend):
            a, b = x(jump.after), y(jump.after.value / first)  # type: ignore[operator]
            drawn.append(mark(jump, a, b))
    values = ", ".join(
        f'<span class="{backend}">{shown(line[-1].value, line[-1].unit)}</span>'
        for backend in BACKENDS
        if (line := one.points.get(backend))
    )
    ends = f'<text x="2" y="11">{high:.0%}</text><text x="2" y="{HEIGHT - 3}">{low:.0%}</text>'
    unit = "instructions" if any(line[-1].unit == "instructions" for line in one.points.values()) else ""
    name = html.escape(label(one.name))
    return (
        f'<figure><h3>{name}</h3><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">'
        f"{''.join(drawn)}{ends}</svg><figcaption>{values} {unit}</figcaption></figure>"
    )


def mark(jump: Jump, x: float, y: float) -> str:
    up = jump.kind == "slower"
    tip, base = (y - 12, y - 4) if up else (y + 12, y + 4)
    side = ("end", x - 8) if x > WIDTH / 2 else ("start", x + 8)
    return (
        f'<polygon points="{x - 5:.1f},{base:.1f} {x + 5:.1f},{base:.1f} {x:.1f},{tip:.1f}" fill="var(--{jump.kind})"/>'
        f'<text x="{side[1]:.1f}" y="{tip + 4:.1f}" text-anchor="{side[0]}" style="fill: var(--{jump.kind})">'
        f"×{jump.ratio:.3g}</text>"
    )
