"""The plot and the faults of a soak's HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from examples.market_desk.soak.outcome import Outcome

__all__ = ["plots"]

WIDTH, HEIGHT, LEFT, BAND = 1000, 440, 70, 130
PARTS = 200  # of the time, in the plot
COLOURS = ("#06c", "#c80", "#6a3", "#a3c", "#c33", "#399")


def plots(found: Outcome) -> str:
    """Return the plot, and a table of the faults."""
    told = "".join(
        f"<tr><td>{one.at:.0f} s</td><td>{escape(one.name)}</td><td>{'yes' if one.well else 'NO'}</td>"
        f"<td>{escape(one.text)}</td></tr>"
        for one in found.told
    )
    return f"{plot(found)}<table><tr><th>at<th>fault<th>passed<th>result</tr>{told}</table>"


def plot(found: Outcome) -> str:
    """Return an SVG picture: probes not answered, their p95, and the memory of each process, over the time."""
    scale = (WIDTH - LEFT) / found.seconds
    parts = [
        f'<rect x="{LEFT + (begin - found.began) * scale:.1f}" y="0" width="{max(1.0, (end - begin) * scale):.1f}" '
        f'height="{3 * BAND}" fill="#eee"/>'
        for begin, end in found.outages
    ]
    edges = np.linspace(0, found.seconds, PARTS + 1)
    due = np.array([one.due - found.began for one in found.probes])
    place = np.clip(np.searchsorted(edges, due, side="right") - 1, 0, PARTS - 1)
    wrong = np.array([bool(one.error) for one in found.probes])
    took = np.array([one.seconds for one in found.probes]) * 1e3
    unanswered = [(edges[n], float(wrong[place == n].mean() * 100)) for n in range(PARTS) if (place == n).any()]
    good = [(n, (place == n) & ~wrong) for n in range(PARTS)]
    latency = [(edges[n], float(np.quantile(took[chosen], 0.95))) for n, chosen in good if chosen.any()]
    parts += band(0, "probes not answered, %", {"": unanswered}, scale)
    parts += band(1, "p95 of a probe, ms", {"": latency}, scale)
    memory: dict[str, list[tuple[float, float]]] = {}
    for sample in found.samples:
        memory.setdefault(str(sample.pid), []).append((sample.at - found.began, sample.resident / 2**20))
    parts += band(2, "memory of each process, MiB", memory, scale)
    for one in found.told:
        x = LEFT + one.at * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{3 * BAND}" stroke="#c33" stroke-dasharray="2,4"/>')
        parts.append(
            f'<text x="{x + 2:.1f}" y="{3 * BAND + 2}" font-size="9" transform="rotate(60 {x:.1f} {3 * BAND})">'
        )
        parts.append(f"{escape(one.name)}</text>")
    return f'<p><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg></p>'


def band(place: int, title: str, lines: Mapping[str, Sequence[tuple[float, float]]], scale: float) -> list[str]:
    """Return one of the pictures that stand one below the other."""
    bottom, height = (place + 1) * BAND - 10, BAND - 30
    top = max((y for line in lines.values() for _, y in line), default=0.0) or 1.0
    parts = [
        f'<text x="{LEFT}" y="{bottom - height - 6}" font-size="12">{escape(title)}</text>',
        f'<text x="4" y="{bottom}" font-size="11">0</text>',
        f'<text x="4" y="{bottom - height + 8}" font-size="11">{top:.4g}</text>',
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{bottom}" y2="{bottom}" stroke="#ccc"/>',
    ]
    for number, line in enumerate(lines.values()):
        drawn = " ".join(f"{LEFT + x * scale:.1f},{bottom - y / top * height:.1f}" for x, y in line)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{drawn}"/>')
    return parts
