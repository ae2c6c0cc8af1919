"""Charts of the results for ``docs/performance.md``, one SVG for each theme; `render.py` writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

THEMES = {
    "light": {
        "text": "#1d2430", "faint": "#5b6472", "line": "#c9cfd8", "bar": "#2b6cb0", "lost": "#c53030",
        "zone": "#fdeaea", "peers": ("#b7791f", "#2f855a", "#805ad5", "#0f8a9d", "#b83280"),
    },
    "dark": {
        "text": "#e6e9ef", "faint": "#9aa4b2", "line": "#434a56", "bar": "#63a4ff", "lost": "#fc8181",
        "zone": "#3a2326", "peers": ("#ecc94b", "#68d391", "#b794f4", "#4fd1e0", "#f687b3"),
    },
}  # fmt: skip
# What no library can be faster than, drawn as rings.
FLOORS = frozenset({
    "dict", "copy", "uncached", "socket.send loop", "transport.write, uvloop", "bare SQLite, a commit for 64",
    "bare SQLite, a commit each", "bare SQLite, two commits", "write 4 KiB and fdatasync", "SQLite's own commit",
})  # fmt: skip
# Other ways of fastcore's own, which are no peers.
VARIANTS = frozenset({"one thread", "two threads", "columns of symbols"})
WIDTH, EDGE = 420, 8
Row = Mapping[str, Any]
Theme = Mapping[str, Any]


@dataclass
class Chart:
    """A picture: what it shows, for readers without it, and how it is drawn in a theme."""

    name: str
    title: str
    says: str
    draw: Callable[[Theme], str]


@dataclass
class Lane:
    """Peers' times over ours, of the rows with one label."""

    label: str
    dots: list[tuple[str, float]] = field(default_factory=list)

    @property
    def smallest(self) -> float:
        """The ratio to the fastest peer, in the row where it does best; floors are no peers."""
        return min((ratio for peer, ratio in self.dots if peer not in FLOORS), default=math.inf)


def text(x: float, y: float, words: str, colour: str, *, anchor: str = "start", bold: bool = False) -> str:
    """Return words at a place."""
    weight = ' style="font-weight:600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(words)}</text>'


def picture(height: float, title: str, lines: Iterable[str]) -> str:
    """Return an SVG without a background."""
    style = "<style>text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; }</style>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", style, *lines, "</svg>", ""])


def times(ratio: float) -> str:
    """Return a ratio as it is written on a chart."""
    return f"{ratio:.2f}x" if ratio < 2 else f"{ratio:.1f}x" if ratio < 10 else f"{ratio:,.0f}x"


def unit_of(seconds: float) -> tuple[str, float]:
    """Return the unit in which a time is written, and its seconds."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= scale:
            return unit, scale
    return "ns", 1e-9


def duration(seconds: float) -> str:
    """Return a time in its unit."""
    unit, scale = unit_of(seconds)
    return f"{seconds / scale:.3g} {unit}"


# --- peers on a line -------------------------------------------------------------------------------------------


def lanes(rows: Iterable[Row], label: Callable[[str], str]) -> list[Lane]:
    """Return a lane for each label, with a dot for each peer of each row."""
    found: dict[str, Lane] = {}
    for row in rows:
        ours = next((name for name in row["timings"] if name.startswith("fastcore")), None)
        peers = [name for name in row["timings"] if not name.startswith("fastcore") and name not in VARIANTS]
        if ours is None or not peers:
            continue
        lane = found.setdefault(label(row["case"]), Lane(label(row["case"])))
        base = row["timings"][ours]["median"]
        lane.dots += [(peer, row["timings"][peer]["median"] / base) for peer in peers]
    return list(found.values())


def on_lines(name: str, title: str, rows: Iterable[Row], label: Callable[[str], str] = str) -> Chart:
    """Return a chart of peers' times over fastcore's, one line for each label."""
    found = lanes(rows, label)
    says = "; ".join(f"{lane.label}: {times(lane.smallest)}" for lane in found if math.isfinite(lane.smallest))
    return Chart(name, title, f"fastest peer / fastcore. {says}", lambda theme: draw_lanes(theme, title, found))


def draw_lanes(theme: Theme, title: str, found: Sequence[Lane]) -> str:
    """Return the picture of lanes: a logarithmic axis, to the left of 1 what is faster than fastcore."""
    peers = list(dict.fromkeys(peer for lane in found for peer, _ in lane.dots))
    real = [peer for peer in peers if peer not in FLOORS]
    colours = {peer: theme["peers"][real.index(peer) % 5] if peer in real else theme["faint"] for peer in peers}
    ratios = [ratio for lane in found for _, ratio in lane.dots]
    low = math.log10(min(0.5, *ratios) * 0.8)
    high = math.log10(max(2.0, *ratios) * 1.25)
    right = WIDTH - 58

    def at(ratio: float) -> float:
        return EDGE + 4 + (right - EDGE - 8) * (math.log10(ratio) - low) / (high - low)

    top, lines = legend(theme, peers, colours)
    bottom = top + 22 + 36 * len(found)
    lines.append(
        f'<rect x="{EDGE}" y="{top + 20:.0f}" width="{at(1) - EDGE:.1f}" height="{bottom - top - 20:.0f}" '
        f'fill="{theme["zone"]}"/>'
    )
    for tick in (0.1, 1, 10, 100, 1000):
        if low <= math.log10(tick) <= high:
            x = at(tick)
            lines.append(f'<path d="M{x:.1f} {top + 20:.0f}V{bottom:.0f}" stroke="{theme["line"]}"/>')
            if x < WIDTH - 110:  # there the heading of the last column begins
                lines.append(text(x, top + 14, f"{tick:g}x", theme["faint"], anchor="middle"))
    lines.append(text(WIDTH - EDGE, top + 14, "fastest peer", theme["faint"], anchor="end"))
    for number, lane in enumerate(found):
        y = top + 36 + 36 * number
        lines.append(text(EDGE + 4, y, lane.label, theme["text"]))
        lines.append(f'<path d="M{EDGE} {y + 12:.0f}H{right}" stroke="{theme["line"]}" stroke-dasharray="1 4"/>')
        for peer, ratio in lane.dots:
            paint = f'fill="none" stroke="{colours[peer]}"' if peer in FLOORS else f'fill="{colours[peer]}"'
            lines.append(f'<circle cx="{at(ratio):.1f}" cy="{y + 12:.0f}" r="4.5" {paint}/>')
        if math.isfinite(lane.smallest):
            colour = theme["lost"] if lane.smallest < 1 else theme["text"]
            lines.append(text(WIDTH - EDGE, y + 16, times(lane.smallest), colour, anchor="end", bold=True))
    return picture(bottom + 6, title, lines)


def legend(theme: Theme, peers: Sequence[str], colours: Mapping[str, str]) -> tuple[float, list[str]]:
    """Return the height of the legend and its lines."""
    lines = [text(EDGE, 16, "how many times fastcore's time each takes", theme["faint"])]
    x, y = float(EDGE), 38.0
    for peer in peers:
        width = 30 + 7.4 * len(peer)
        if x > EDGE and x + width > WIDTH - EDGE:
            x, y = float(EDGE), y + 20
        paint = f'fill="none" stroke="{colours[peer]}"' if peer in FLOORS else f'fill="{colours[peer]}"'
        lines += [f'<circle cx="{x + 6:.1f}" cy="{y - 4:.1f}" r="4.5" {paint}/>', text(x + 16, y, peer, theme["text"])]
        x += width
    return y + 8, lines


# --- bars ------------------------------------------------------------------------------------------------------


def bars(
    name: str,
    title: str,
    values: Sequence[tuple[str, float]],
    written: Callable[[float], str],
    *,
    others: tuple[str, ...] = (),
) -> Chart:
    """Return a chart with a bar for each value; those whose label begins as one of `others` are faint."""
    says = "; ".join(f"{label}: {written(value)}" for label, value in values)

    def draw(theme: Theme) -> str:
        longest = max(value for _, value in values)
        lines = [text(EDGE, 16, title, theme["faint"])]
        for number, (label, value) in enumerate(values):
            y = 40 + 36 * number
            width = (WIDTH - EDGE - 90) * value / longest
            colour = theme["faint"] if label.startswith(others) else theme["bar"]
            lines.append(text(EDGE, y, label, theme["text"]))
            lines.append(
                f'<rect x="{EDGE}" y="{y + 5}" width="{max(width, 1):.1f}" height="11" rx="2" fill="{colour}"/>'
            )
            lines.append(text(EDGE + width + 8, y + 15, written(value), theme["text"], bold=True))
        return picture(40 + 36 * len(values), title, lines)

    return Chart(name, title, says, draw)


def sorted_bars(name: str, title: str, panels: Sequence[tuple[str, Sequence[float]]]) -> Chart:
    """Return a chart with one panel for each group: a bar for each ratio in order, red where the peer is faster."""
    counted = [(label, sum(r < 1 for r in ratios), len(ratios)) for label, ratios in panels]
    says = "; ".join(f"{label}: {total - lost} of {total} faster than TA-Lib" for label, lost, total in counted)

    def draw(theme: Theme) -> str:
        lines = [text(EDGE, 16, title, theme["faint"])]
        y = 26.0
        for (label, lost, total), (_, ratios) in zip(counted, panels, strict=True):
            lines.append(text(EDGE, y + 16, label, theme["text"], bold=True))
            lines.append(text(WIDTH - EDGE, y + 16, f"{total - lost} of {total} faster", theme["text"], anchor="end"))
            lines += panel(theme, y + 32, sorted(ratios))
            y += 134
        return picture(y, title, lines)

    return Chart(name, title, says, draw)


def panel(theme: Theme, top: float, ratios: Sequence[float]) -> list[str]:
    """Return sorted bars on a logarithmic axis from 1/3 to 100, 88 units high."""
    low, high, height = math.log10(1 / 3), 2.0, 88.0

    def at(ratio: float) -> float:
        return top + height * (high - min(max(math.log10(ratio), low), high)) / (high - low)

    lines = []
    for tick in (1, 10, 100):
        lines.append(f'<path d="M{EDGE + 34} {at(tick):.1f}H{WIDTH - EDGE}" stroke="{theme["line"]}"/>')
        lines.append(text(EDGE + 28, at(tick) + 4, f"{tick}x", theme["faint"], anchor="end"))
    step = (WIDTH - 2 * EDGE - 36) / len(ratios)
    for number, ratio in enumerate(ratios):
        above, below = sorted((at(ratio), at(1)))
        colour = theme["lost"] if ratio < 1 else theme["bar"]
        lines.append(
            f'<rect x="{EDGE + 36 + step * number:.1f}" y="{above:.1f}" width="{step * 0.75:.2f}" '
            f'height="{max(below - above, 0.5):.1f}" fill="{colour}"/>'
        )
    return lines


# --- which charts a script has ---------------------------------------------------------------------------------


def before_comma(case: str) -> str:
    """Return the start of a case."""
    return case.split(", ")[0]


def of(report: Mapping[str, Any]) -> list[Chart]:
    """Return the charts of one script's results; scripts that compare with no peer have none."""
    name, rows = report["name"], report["rows"]
    if name == "indicators":
        return of_indicators(rows)
    if name == "cache":
        return [on_lines("cache", "Caches", rows, cache_label)]
    if name == "dispatch":
        return of_dispatch(rows)
    if name == "monitor":
        metric = next(row for row in rows if row["case"] == "a metric")["timings"]
        values = [(label, timing["median"]) for label, timing in metric.items()]
        return [bars("monitor", "one call of a metric", values, duration, others=("prometheus", "empty"))]
    if name == "memory":
        values = shares(rows, "share of bytes saved", 100)
        return [bars("memory", "bytes of a table that are saved, in percent", values, lambda v: f"{v:.0f} %")]
    if name == "wire":
        values = shares(rows, "% fewer bytes, cents", 1)
        return [bars("wire", "fewer bytes than polling, in percent", values, lambda v: f"{v:.1f} %")]
    if name == "rolling":
        return [on_lines("rolling", report["title"], rows, lambda case: case.rpartition(", window")[0])]
    if name == "tutorial":
        return []
    compared = [row for row in rows if row["timings"]]
    return [on_lines(name, report["title"], compared)] if lanes(compared, str) else []


def cache_label(case: str) -> str:
    """Return the operation, and for those of the classes the number of entries."""
    first, _, rest = case.partition(", ")
    if first in {"hit", "miss", "update", "evicting insert"}:
        return f"{first}, {'1,000,000' if rest.endswith('1,000,000') else '1,000'} entries"
    if first == "decorated hit":
        return f"{first}, {'two keywords' if 'two keywords' in rest else 'other'}"
    return first


def shares(rows: Iterable[Row], wanted: str, factor: float) -> list[tuple[str, float]]:
    """Return a value of each row that has one, by case and kind."""
    found = []
    for row in rows:
        for label, ratio in row["ratios"].items():
            if label.endswith(wanted):
                kind = label.removesuffix(wanted).rstrip(": ")
                found.append((row["case"] + (f" ({kind})" if kind else ""), ratio["value"] * factor))
    return found


def of_indicators(rows: Sequence[Row]) -> list[Chart]:
    """Return the ratios to TA-Lib at each length, and live values."""
    lengths = ("30 bars", "500 bars", "100000 bars", "Series of 30 bars")
    panels = []
    for length in lengths:
        found = [row["timings"] for row in rows if row["case"].endswith(f", {length}") and "talib" in row["timings"]]
        panels.append((f"{length:>9}".strip(), [t["talib"]["median"] / t["fastcore"]["median"] for t in found]))
    live = [row for row in rows if row["case"].endswith((", live update", ", a symbol"))]
    label = "each function of TA-Lib, its time over fastcore's"
    charts = [sorted_bars("indicators", label, [panel for panel in panels if panel[1]])]
    return [*charts, on_lines("indicators-live", "Live values", live, before_comma)] if live else charts


def of_dispatch(rows: Sequence[Row]) -> list[Chart]:
    """Return what stands between a call and a function, as time added to the call."""
    values = []
    for row in rows:
        kind, _, what = row["case"].partition(": ")
        if kind == "Python function" and what.endswith(" adds") and "" in row["timings"]:
            values.append((what.removesuffix(" adds"), row["timings"][""]["median"]))
    return [bars("dispatch", "time added to a call of a Python function", values, duration, others=("plain", "wrapt"))]
