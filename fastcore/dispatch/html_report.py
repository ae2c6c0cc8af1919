"""A comparison as one HTML file: styles inline, no script, no network."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from fastcore.dispatch.formatting import human

if TYPE_CHECKING:
    from fastcore.dispatch.comparison import ArmReport, Comparison

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #4a7bd0; --candidate: #d08a2e }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { border-bottom: 1px solid var(--line); padding: .4em .6em }
td, th { text-align: right } td:first-child, th:first-child { text-align: left }
.bar { background: var(--bar); height: .8em; min-width: 2px } .candidate .bar { background: var(--candidate) }
.verdict { font-weight: 600 } code { overflow-wrap: anywhere }
"""


def page(comparison: Comparison) -> str:
    """Return the report of `comparison` as a complete HTML document."""
    name = escape(comparison.name)
    gain = "not known" if math.isnan(comparison.improvement) else f"{comparison.improvement:+.1f} %"
    rows = "".join(_row(arm) for arm in (comparison.control, comparison.candidate))
    longest = max((arm.p99 for arm in (comparison.control, comparison.candidate) if arm.p99 == arm.p99), default=0.0)
    bars = "".join(_bars(arm, longest) for arm in (comparison.control, comparison.candidate))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{name}</h1>"
        f'<p>Mode <code>{escape(comparison.mode)}</code>, verdict <span class="verdict">{comparison.verdict}</span>, '
        f"improvement {gain}, {comparison.mismatches:,} mismatches, {comparison.errors:,} errors.</p>"
        "<table><thead><tr><th>arm</th><th>calls</th><th>errors</th><th>timed</th><th>p50</th><th>p95</th><th>p99</th>"
        f"</tr></thead><tbody>{rows}</tbody></table><h2>Latency</h2><table><tbody>{bars}</tbody></table>"
        f"{_pairs(comparison)}</body></html>\n"
    )


def _row(arm: ArmReport) -> str:
    cells = (f"{arm.calls:,}", f"{arm.errors:,}", f"{arm.timed:,}", human(arm.p50), human(arm.p95), human(arm.p99))
    return f"<tr><td>{escape(arm.name)}</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _bars(arm: ArmReport, longest: float) -> str:
    rows = ""
    for label, value in (("p50", arm.p50), ("p95", arm.p95), ("p99", arm.p99)):
        width = 100 * value / longest if longest and value == value else 0
        kind = "candidate" if arm.name in ("candidate", "compiled") else "control"
        bar = f'<div class="bar" style="width:{width:.1f}%"></div>'
        rows += f'<tr class="{kind}"><td>{escape(arm.name)} {label}</td><td style="width:60%">{bar}</td>'
        rows += f"<td>{human(value)}</td></tr>"
    return rows


def _pairs(comparison: Comparison) -> str:
    paired = comparison.paired
    if paired is None:
        return "<p>No calls were compared.</p>"
    notes = "".join(f"<li><code>{escape(note)}</code></li>" for note in paired.notes)
    return (
        f"<h2>Compared calls</h2><p>{paired.pairs:,} calls ran both arms: {paired.mismatches:,} answers differ, "
        f"{paired.failures:,} times only the candidate raised, {paired.unknown:,} do not compare. Medians "
        f"{human(paired.control_p50)} and {human(paired.candidate_p50)}. {paired.rescued:,} calls were answered by the "
        f"control after the candidate had raised, {paired.dropped:,} were dropped.</p><ul>{notes}</ul>"
    )
