"""The plots of the comparison's HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["plots"]

COLOURS = {"plain": "#888", "tuned": "#c80", "fast": "#06c", "fast_python": "#6a3"}
WIDTH, HEIGHT, EDGE = 640, 240, 44


def plots(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return latency and failures by the rate of requests."""
    return plot("p95 of an analysis (ms) by the rate of requests a second", curves(results, "p95")) + plot(
        "Share of requests that failed or were stale", curves(results, "failed")
    )


def curves(results: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each arm's last round."""
    found = {}
    for arm, rounds in results.items():
        steps = rounds[-1]["steps"]
        if name == "failed":
            points = [(step["rate"], step["failed"] / max(1, step["failed"] + step["n"])) for step in steps]
        else:
            points = [(step["rate"], step[name]) for step in steps if step[name] is not None]
        found[arm] = points
    return found


def plot(title: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return lines as an SVG picture with their legend."""
    points = [point for line in lines.values() for point in line] or [(1.0, 1.0)]
    right, top = max(x for x, _ in points) or 1.0, max(y for _, y in points) or 1.0
    parts = [f"<text x={EDGE} y=14>{escape(title)}</text>"]
    for share in (0.0, 0.5, 1.0):
        x, y = EDGE + share * (WIDTH - 2 * EDGE), HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)
        parts.append(f"<text x={x:.0f} y={HEIGHT - 26} font-size=11>{share * right:g}</text>")
        parts.append(f"<text x=2 y={y:.0f} font-size=11>{share * top:.3g}</text>")
        parts.append(f'<line x1={EDGE} x2={WIDTH - EDGE} y1={y:.0f} y2={y:.0f} stroke="#ddd" />')
    for place, (arm, line) in enumerate(lines.items()):
        drawn = " ".join(
            f"{EDGE + x / right * (WIDTH - 2 * EDGE):.1f},{HEIGHT - EDGE - y / top * (HEIGHT - 2 * EDGE):.1f}"
            for x, y in line
        )
        colour = COLOURS[arm]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{drawn}"/>')
        parts.append(f'<text x={EDGE + 130 * place} y={HEIGHT - 6} fill="{colour}">{escape(arm)}</text>')
    return f'<p><svg viewBox="0 0 {WIDTH} {HEIGHT}" width={WIDTH} height={HEIGHT}>{"".join(parts)}</svg></p>'
