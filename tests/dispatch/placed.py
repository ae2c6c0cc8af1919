"""Files that processes read while tests change them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["moved_into_place"]


def moved_into_place(file: Path, text: str) -> None:
    """Write a file as those do who do not want it read half-written."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)
