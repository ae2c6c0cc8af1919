"""Draw each indicator on real prices: ``python tools/draw_indicators.py`` writes docs/images/indicators/*.svg.

Daily bars of AAPL from ``bokeh_sampledata``, the last BARS of them up to LAST; with ``--check`` it writes nothing and
exits with 1 if a picture is old. What is on the scale of the price is drawn over the price, the rest below it.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from fastcore import flags
from fastcore import indicators as ta
from fastcore.indicators.registry import INDICATORS, Indicator

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images" / "indicators"
SYMBOL, LAST, BARS = "AAPL", "2010-10-29", 130
WIDTH, HEIGHT, STEP, GAP = 650, 120, 5, 26
# Seen on a light and on a dark background.
COLOURS = ("#2f7fd6", "#d9722e", "#3d9a50", "#9a62c9")
FAINT = "#8a94a3"
# Functions whose domain the price is not in are drawn of its place in its range, 0 to 1.
OF_PRICE = ("ceil", "floor", "ln", "log10", "sqrt")


def bars() -> dict[str, Any]:
    """The inputs of all indicators, by name."""
    from bokeh_sampledata import stocks

    table = getattr(stocks, SYMBOL)
    until = list(table["date"]).index(LAST) + 1
    found = {name: np.array(table[name][:until], dtype=float) for name in ("open", "high", "low", "close", "volume")}
    turn = np.arange(until) / 20.0
    found["periods"] = np.floor(16.0 + 14.0 * np.sin(turn))
    return {**found, "real": found["close"], "real0": found["high"], "real1": found["low"]}


def outputs(row: Indicator, columns: dict[str, Any]) -> dict[str, Any]:
    """The last BARS values of each output."""
    inputs = [columns[name] for name in row.inputs]
    if row.group == "Math Transform" and row.name not in OF_PRICE:
        shown = inputs[0][-BARS:]
        inputs = [(inputs[0] - shown.min()) / (shown.max() - shown.min())]
    with flags.override("indicators", "compiled"):
        found = getattr(ta, row.name)(*inputs)
    if not row.result:
        return {row.name: found[-BARS:]}
    return {output.name: x[-BARS:] for output, x in zip(row.outputs, found)}


def on_price(values: Any, close: Any) -> bool:
    """Whether values are on the scale of the price."""
    there = values[np.isfinite(values)]
    margin = 0.6 * (close.max() - close.min())
    return bool(there.size and there.min() > close.min() - margin and there.max() < close.max() + margin)


def draw(row: Indicator, columns: dict[str, Any]) -> str:
    """Return the picture of an indicator with its default parameters."""
    close = columns["close"][-BARS:]
    found = outputs(row, columns)
    over = {name: x for name, x in found.items() if on_price(x, close) and "volume" not in row.inputs[:1]}
    under = {name: x for name, x in found.items() if name not in over}
    colours = dict(zip(found, COLOURS))
    panels = [panel(0, {"price": close, **over}, {"price": FAINT, **colours})]
    if under:
        panels.append(panel(HEIGHT + GAP, under, colours))
    height = len(panels) * (HEIGHT + GAP)
    title = f"{row.title} of {SYMBOL}, {BARS} days to {LAST}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 70} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        "<style>text{font:12px system-ui,sans-serif}path{fill:none;stroke-width:1.5;stroke-linejoin:round}</style>",
        *panels,
        "</svg>",
        "",
    ])  # fmt: skip


def panel(top: int, series: dict[str, Any], colours: dict[str, str]) -> str:
    """Return lines over one scale, with their names above and the ends of the scale at the right."""
    there = np.concatenate([x[np.isfinite(x)] for x in series.values()])
    low, high = (float(there.min()), float(there.max())) if there.size else (0.0, 1.0)
    span = high - low or 1.0
    lines = [f'<rect x="0" y="{top + GAP - 6}" width="{WIDTH}" height="{HEIGHT}" fill="{FAINT}" opacity=".08"/>']
    x = 0
    for name, values in series.items():
        lines.append(f'<text x="{x}" y="{top + 13}" fill="{colours[name]}">{name}</text>')
        x += 12 + 7 * len(name)
        heights = [None if y != y else round(top + GAP - 4 + (HEIGHT - 4) * (high - y) / span) for y in values.tolist()]
        lines.append(f'<path stroke="{colours[name]}" d="{path(heights)}"/>')
    for value, y in ((high, top + GAP + 5), (low, top + GAP - 8 + HEIGHT)):
        digits = ".4g" if not value or 1e-3 < abs(value) < 1e5 else ".2e"
        lines.append(f'<text x="{WIDTH + 4}" y="{y}" fill="{FAINT}">{value:{digits}}</text>')
    return "\n".join(lines)


def path(heights: list[int | None]) -> str:
    """Return the line through heights a step apart; a value between two that are missing is a dot."""
    parts: list[str] = []
    before: int | None = None
    for i, y in enumerate(heights):
        if y is None:
            pass
        elif before is not None:
            parts.append(f"l{STEP} {y - before}" if y != before else f"h{STEP}")
        else:
            alone = i + 1 == len(heights) or heights[i + 1] is None
            parts.append(f"M{i * STEP} {y}" + ("h2" if alone else ""))
        before = y
    return "".join(parts).replace(" -", "-")


def main() -> int:
    """Write the pictures, or with ``--check`` compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a picture is old")
    check = parser.parse_args().check
    columns = bars()
    IMAGES.mkdir(exist_ok=True)
    pictures = {IMAGES / f"{row.name}.svg": draw(row, columns) for row in INDICATORS.values()}
    old = [at for at, text in pictures.items() if not at.exists() or at.read_text(encoding="utf-8") != text]
    old += [at for at in IMAGES.glob("*.svg") if at not in pictures]
    if check:
        print(*(f"{at.name} is old: run python tools/draw_indicators.py" for at in old), sep="\n", end="")
        return int(bool(old))
    for at in old:
        at.unlink(missing_ok=True)
        if at in pictures:
            at.write_text(pictures[at], encoding="utf-8")
    print(f"{len(pictures)} pictures, {sum(len(text) for text in pictures.values()):,} bytes; {len(old)} were old")
    return 0


if __name__ == "__main__":
    sys.exit(main())
