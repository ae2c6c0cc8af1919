"""The flags of this process: one store, one ticker and one sync, which all Switches and hot paths share."""

from __future__ import annotations

import os

from fastcore.dispatch.flagfile import FlagFile
from fastcore.dispatch.journal import Journal
from fastcore.dispatch.store import FlagStore
from fastcore.dispatch.sync import Sync, journal_path
from fastcore.dispatch.ticker import Ticker

__all__ = ["store", "sync", "ticker"]

ticker = Ticker()
store = FlagStore(journal=Journal(journal_path(os.environ)))
sync = Sync(store, ticker, FlagFile(os.environ.get("FASTCORE_FLAGS_FILE", "").strip()))
sync.first_look()
