"""Numbers and tables for people."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable
from typing import Any

__all__ = ["BRIEF", "Brief", "cut", "human", "meant", "plain", "table"]


class Brief(reprlib.Repr):
    """Shortens long values before formatting them, and omits addresses."""

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = repr(x)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a caller's
            return f"<{type(x).__name__}>"
        return cut(text, self.maxother)


BRIEF = Brief()
BRIEF.maxstring = BRIEF.maxother = BRIEF.maxlong = 60
BRIEF.maxlevel = 3


def cut(text: str, most: int) -> str:
    """Return at most so many characters of a text, the last three of them dots where it is longer."""
    return text if len(text) <= most else text[: most - 3] + "..."


def human(seconds: float) -> str:
    """Format a latency with its unit."""
    if math.isnan(seconds):
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def meant(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return ``"; did you mean NAME?"`` if a known name is close, whatever its case; else nothing.

    `prefix` is what all names have in common, which neither `name` nor `known` has.
    """
    from difflib import get_close_matches

    names = {one.casefold(): one for one in known}
    folded = name.casefold()
    close = get_close_matches(folded, names, 1, 0.7) or [one for one in names if sorted(one) == sorted(folded)]
    return f"; did you mean {prefix}{names[close[0]]}?" if close else ""


def plain(text: object, most: int | None = None) -> str:
    """Return text without control characters, which a terminal would interpret, and shortened."""
    found = "".join(letter if letter.isprintable() else "?" for letter in str(text))
    return found if most is None or len(found) <= most else found[: max(most - 1, 0)] + "…"


def table(rows: list[tuple[str, ...]], numbers: int | None = None) -> str:
    """Align rows of cells, the first of them the header; the last `numbers` columns (all but one) to the right."""
    rows = [tuple(map(plain, row)) for row in rows]
    columns = len(rows[0])
    left = columns - (columns - 1 if numbers is None else numbers)
    widths = [max(len(row[i]) for row in rows) for i in range(columns)]
    lines = [
        "  ".join((str.ljust if i < left else str.rjust)(cell, widths[i]) for i, cell in enumerate(row)) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
