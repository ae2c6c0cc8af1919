"""Flag stores that stand for other processes."""

from __future__ import annotations

from pathlib import Path

from fastcore.dispatch.flagfile import FlagFile
from fastcore.dispatch.journal import Journal
from fastcore.dispatch.store import FlagStore
from fastcore.dispatch.sync import Sync
from fastcore.dispatch.ticker import Ticker


def store(path: str) -> FlagStore:
    """Another process, as far as the flags are concerned."""
    made = FlagStore({}, journal=Journal(path))
    made.declare("desk")
    made.follow_journal()
    return made


def following(file: Path, environ: dict[str, str] | None = None) -> tuple[FlagStore, Sync]:
    made = FlagStore(environ or {}, journal=Journal())
    made.declare("desk")
    return made, Sync(made, Ticker(0.01), FlagFile(str(file)))
