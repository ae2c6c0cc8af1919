"""Draw how many times as fast fastcore is as what it replaces: ``python tools/draw_speed.py``.

Writes docs/images/speed-light.svg and speed-dark.svg from ``benchmarks/results``, and into the README the pictures'
places with the same chart as text, for readers and package indexes that show no picture.
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
        "indicators ; summary ; talib / fastcore, geometric mean over the twelve at the three lengths ; .1f",
    ),
    ("Cache, a hit", "cachetools.TTLCache", "cache ; hit, str, zipf, 1,000 ; cachetools / fastcore ; .0f"),
    (
        "Queue, put and get",
        "queue.PriorityQueue",
        "heap ; PriorityQueue, priority=, 1 thread ; queue.PriorityQueue / fastcore ; .0f",
    ),
    ("1,000 rows to msgpack", "msgspec", "framing ; 1000 rows as maps, from arrays ; msgspec / fastcore ; .0f"),
    ("Durable tasks", "SqliteHuey", "tasks ; SQLite, full, end to end ; SqliteHuey / fastcore, submit_many ; .0f"),
    ("10 messages to 1,000 clients", "Starlette", "fanout ; ten messages a tick ; less than Starlette ; .0f"),
    (
        "Recording a latency",
        "prometheus_client",
        "monitor ; a metric ; prometheus_client observe / Sketch.observe ; .0f",
    ),
)
README = Path(__file__).resolve().parent.parent / "README.md"
COLUMNS = 40  # of the longest bar as text
WIDTH, ROW, TOP, RIGHT = 600, 46, 12, 64
THEMES = {
    # A package index shows the light one in its dark theme, too: it has a background.
    "light": {"text": "#1d2430", "faint": "#5b6472", "bar": "#2b6cb0", "back": "#ffffff"},
    "dark": {"text": "#e6e9ef", "faint": "#9aa4b2", "bar": "#63a4ff", "back": "none"},
}


def ratios() -> list[tuple[str, str, str]]:
    """Return the label, the peer and the ratio of every bar, the largest first."""
    found = [(label, peer, figure(reference)) for label, peer, reference in BARS]
    return sorted(found, key=lambda bar: -float(bar[2]))


def draw(theme: str) -> str:
    """Return the picture in a theme: each bar below its words, so that phones can show it."""
    colours = THEMES[theme]
    bars = ratios()
    longest = max(float(ratio) for _, _, ratio in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {TOP + ROW * len(bars)}" role="img">',
        f"<title>{escape(alternative())}</title>",
        "<style>text { font: 17px system-ui, -apple-system, 'Segoe UI', sans-serif; }</style>",
        f'<rect width="100%" height="100%" fill="{colours["back"]}"/>',
    ]
    for row, (label, peer, ratio) in enumerate(bars):
        y = TOP + ROW * row
        length = (WIDTH - RIGHT) * float(ratio) / longest
        lines += [
            f'<text x="0" y="{y + 12}" fill="{colours["text"]}">{escape(label)}'
            f'<tspan fill="{colours["faint"]}"> · {escape(peer)}</tspan></text>',
            f'<rect x="0" y="{y + 20}" width="{length:.1f}" height="14" rx="3" fill="{colours["bar"]}"/>',
            f'<text x="{length + 8:.1f}" y="{y + 33}" style="font-weight:600" fill="{colours["text"]}">{ratio}x</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def alternative() -> str:
    """Return the chart in a sentence."""
    return "Times as fast. " + "; ".join(f"{label}: {ratio}x {peer}" for label, peer, ratio in ratios()) + "."


def as_text() -> str:
    """Return the chart as text."""
    bars = ratios()
    longest = max(float(ratio) for _, _, ratio in bars)
    lines = []
    for label, peer, ratio in bars:
        bar = "█" * max(1, round(COLUMNS * float(ratio) / longest))
        lines.append(f"{label:<28} {bar} {ratio}x {peer}")
    return "\n".join(["```text", "times as fast as ...", "", *lines, "```"])


def places() -> str:
    """Return what the README has for the chart: the pictures, and in a comment the text instead of them."""
    return "\n".join([
        "<picture>",
        '<source media="(prefers-color-scheme: dark)" srcset="docs/images/speed-dark.svg">',
        f'<img src="docs/images/speed-light.svg" width="{WIDTH}" alt="{escape(alternative())}">',
        "</picture>",
        "",  # else the comment is part of the element before it, and ends at its first empty line
        "<!-- where no picture can be shown:",
        as_text(),
        "-->",
    ])  # fmt: skip


def charted(text: str) -> str:
    """Return the README with the chart of the results."""
    before, begins, rest = text.partition("<!-- chart -->\n")
    _, ends, after = rest.partition("\n<!-- /chart -->")
    if not begins or not ends:
        raise ValueError("README.md: expected a line <!-- chart --> and a later one <!-- /chart -->")
    return f"{before}{begins}{places()}{ends}{after}"


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
