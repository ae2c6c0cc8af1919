"""The price monitor in one pass of a Plan, and snapshots in fewer bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from examples.market_desk.data.market import Quote
from examples.market_desk.fast.analysis import compute_panel
from examples.market_desk.plain.price_monitor_service import BARS, PriceMonitorService
from examples.market_desk.plain.price_snapshot_service import PriceSnapshotService
from examples.market_desk.plain.technical_indicator_service import COLUMNS
from fastcore import Switch
from fastcore.memory import memory_monitor, optimize_dataframe
from fastcore.monitor import measure_execution_time

__all__ = ["OptimizedPriceMonitor", "OptimizedPriceSnapshots"]


class OptimizedPriceMonitor(PriceMonitorService):
    """Wraps the plain monitor; its flag is ``price_monitor``."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.recompute = Switch(  # type: ignore[method-assign]
            "monitor.recompute", control=super().recompute, candidate=self.recompute_at_once, flag="price_monitor"
        )

    @measure_execution_time(service="prices")
    @memory_monitor(threshold_mb=200.0)
    def recompute_at_once(self) -> dict[str, dict[str, float]]:
        """Return the indicators of every watched symbol at the newest bar."""
        _, _, panel = self.market.panel(BARS)
        places = [self.market.check(symbol) for symbol in self.watched]
        newest = compute_panel({field: matrix[places] for field, matrix in panel.items()})[:, :, 1]
        return {symbol: dict(zip(COLUMNS, row)) for symbol, row in zip(self.watched, newest.tolist())}


class OptimizedPriceSnapshots(PriceSnapshotService):
    """Wraps the plain snapshots; its flag is ``memory_optimization``."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._symbols = pd.CategoricalDtype(self.market.symbols)  # one for all tables
        self.table = Switch(  # type: ignore[method-assign]
            "snapshots.table", control=super().table, candidate=self.small_table, flag="memory_optimization"
        )

    @memory_monitor(threshold_mb=150.0)
    def small_table(self, quotes: Sequence[Quote]) -> pd.DataFrame:
        """Return quotes as a table that loses nothing: texts as categories, prices and volumes as counts of ticks."""
        columns: dict[str, Any] = {name: list(values) for name, values in zip(Quote._fields, zip(*quotes))}
        columns["symbol"] = pd.Categorical(columns["symbol"], dtype=self._symbols)
        table, report = optimize_dataframe(pd.DataFrame(columns), tick_size="auto")
        table.attrs["restore"] = report.restore
        return table

    def tables(self) -> list[pd.DataFrame]:
        """Return the tables in memory, with the values that were recorded."""
        return [table.attrs["restore"](table) if table.attrs else table for table in super().tables()]
