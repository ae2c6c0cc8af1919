"""Searches of the dashboard: the text that a query looks for."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["searched_text"]

LONGEST = 200  # characters


def searched_text(query: Mapping[str, str], *known: str) -> str:
    """Return the `text` of a query, casefolded; ValueError if it is too long or the query has an unknown name."""
    if unknown := sorted(set(query) - set(known)):
        *others, last = known
        raise ValueError(f"query: expected {', '.join(others)}{' or ' if others else ''}{last}, got {unknown[0]!r}")
    text = query.get("text", "").strip().casefold()
    if len(text) > LONGEST:
        raise ValueError(f"text: expected at most {LONGEST} characters, got {len(text)}")
    return text
