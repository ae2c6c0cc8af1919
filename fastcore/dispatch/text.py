"""Numbers and tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["human", "meant", "table"]


def human(seconds: float) -> str:
    """Format a latency with its unit."""
    if math.isnan(seconds):
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def meant(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean NAME?"`` if a known name is close; else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1, 0.75)
    return f"; did you mean {close[0]}?" if close else ""


def table(rows: list[tuple[str, ...]], numbers: int | None = None) -> str:
    """Align rows of cells, the first of them the header; the last `numbers` columns (all but one) to the right."""
    columns = len(rows[0])
    left = columns - (columns - 1 if numbers is None else numbers)
    widths = [max(len(row[i]) for row in rows) for i in range(columns)]
    lines = [
        "  ".join((str.ljust if i < left else str.rjust)(cell, widths[i]) for i, cell in enumerate(row)) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
