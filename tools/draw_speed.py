"""Draw how many times as fast fastcore is as what it replaces: ``python tools/draw_speed.py``.

Writes docs/images/speed-light.svg and speed-dark.svg from ``benchmarks/results``, and the same chart as text into the
README, because a package index shows no picture of a checkout.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from figures import figure

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

# What is done, what it is compared with, and the ratio as tools/figures.py writes it.
BARS = (
    (
        "Indicators",
        "TA-Lib, geometric mean",
        "indicators | summary | talib / fastcore, geometric mean over the twelve at the three lengths | .1f",
    ),
    ("Cache, a hit", "cachetools.TTLCache", "cache | hit, str, zipf, 1,000 | cachetools / fastcore | .0f"),
    (
        "Queue, put and get",
        "queue.PriorityQueue",
        "heap | PriorityQueue, priority=, 1 thread | queue.PriorityQueue / fastcore | .0f",
    ),
    ("1,000 rows to msgpack", "msgspec", "framing | 1000 rows as maps, from arrays | msgspec / fastcore | .0f"),
    ("Durable tasks", "SqliteHuey", "tasks | SQLite, full, end to end | SqliteHuey / fastcore, submit_many | .0f"),
    ("10 messages to 1,000 clients", "Starlette", "fanout | ten messages a tick | less than Starlette | .0f"),
    (
        "Recording a latency",
        "prometheus_client",
        "monitor | a metric | prometheus_client observe / Sketch.observe | .0f",
    ),
)
README = Path(__file__).resolve().parent.parent / "README.md"
COLUMNS = 40  # of the longest bar in the README
WIDTH, ROW, TOP, LEFT, RIGHT = 760, 34, 44, 300, 70
THEMES = {
    "light": {"text": "#1d2430", "faint": "#5b6472", "bar": "#2b6cb0"},
    "dark": {"text": "#e6e9ef", "faint": "#9aa4b2", "bar": "#63a4ff"},
}


def ratios() -> list[tuple[str, str, str]]:
    """Return the label, the peer and the ratio of every bar, the largest first."""
    found = [(label, peer, figure(reference)) for label, peer, reference in BARS]
    return sorted(found, key=lambda bar: -float(bar[2]))


def draw(theme: str) -> str:
    """Return the picture in a theme, without a background."""
    colours = THEMES[theme]
    bars = ratios()
    longest = max(float(ratio) for _, _, ratio in bars)
    height = TOP + ROW * len(bars) + 12
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Times as fast: " + escape("; ".join(f"{a} {r}x {b}" for a, b, r in bars)) + "</title>",
        "<style>text { font: 14px system-ui, -apple-system, 'Segoe UI', sans-serif; }</style>",
        f'<text x="{LEFT}" y="24" fill="{colours["faint"]}">times as fast as …</text>',
    ]
    for row, (label, peer, ratio) in enumerate(bars):
        y = TOP + ROW * row
        length = (WIDTH - LEFT - RIGHT) * float(ratio) / longest
        lines += [
            f'<text x="{LEFT - 12}" y="{y + 16}" text-anchor="end" fill="{colours["text"]}">{escape(label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="22" rx="3" fill="{colours["bar"]}"/>',
        ]
        end = f'x="{LEFT + length + 8:.1f}" y="{y + 16}"'
        lines.append(f'<text {end} font-weight="600" fill="{colours["text"]}">{ratio}x</text>')
        inside = length > 8.0 * len(peer) + 16
        x, anchor, colour = (
            (LEFT + length - 8, "end", "#ffffff" if theme == "light" else "#0f1720")
            if inside
            else (LEFT + length + 52, "start", colours["faint"])
        )
        lines.append(f'<text x="{x:.1f}" y="{y + 16}" text-anchor="{anchor}" fill="{colour}">{escape(peer)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def as_text() -> str:
    """Return the chart as text."""
    bars = ratios()
    longest = max(float(ratio) for _, _, ratio in bars)
    lines = []
    for label, peer, ratio in bars:
        bar = "█" * max(1, round(COLUMNS * float(ratio) / longest))
        lines.append(f"{label:<28} {bar} {ratio}x {peer}")
    return "\n".join(["```text", "times as fast as ...", "", *lines, "```"])


def charted(text: str) -> str:
    """Return the README with the chart of the results."""
    before, begins, rest = text.partition("<!-- chart -->\n")
    _, ends, after = rest.partition("\n<!-- /chart -->")
    if not begins or not ends:
        raise ValueError("README.md: expected a line <!-- chart --> and a later one <!-- /chart -->")
    return f"{before}{begins}{as_text()}{ends}{after}"


def main() -> int:
    """Write the pictures, or with ``--check`` compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a picture is old")
    check = parser.parse_args().check
    readme = README.read_text(encoding="utf-8")
    old = int(charted(readme) != readme)
    if not check:
        README.write_text(charted(readme), encoding="utf-8", newline="\n")
        old = 0
    for theme in THEMES:
        path = IMAGES / f"speed-{theme}.svg"
        if check:
            old += path.read_text(encoding="utf-8") != draw(theme)
        else:
            path.write_text(draw(theme), encoding="utf-8", newline="\n")
    if old:
        print("README.md, docs/images/speed-*.svg: expected the chart of the results; run python tools/draw_speed.py")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
