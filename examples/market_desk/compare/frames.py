"""What needs no server: bytes of the tables, and the largest difference of an indicator, by arm."""

from __future__ import annotations

import numpy as np
import pandas as pd

from examples.market_desk.data.market import HISTORY, Market
from examples.market_desk.fast.analysis import compute_panel
from examples.market_desk.plain.technical_indicator_service import COLUMNS, TechnicalIndicatorService
from examples.market_desk.tuned.indicators import calculate_tail
from fastcore.memory import frame_bytes, optimize_dataframe

__all__ = ["largest_difference", "table_bytes"]

SYMBOLS = 30
BARS = 250


def table_bytes(market: Market) -> dict[str, int]:
    """Return the bytes of the table of every bar of some symbols: as it is read, by hand, and by fastcore, lossless."""
    plain = pd.concat([market.frame(symbol, HISTORY) for symbol in market.symbols[:SYMBOLS]], ignore_index=True)
    tuned = plain.assign(symbol=plain["symbol"].astype("category"), time=pd.to_datetime(plain["time"]))
    fast, _ = optimize_dataframe(plain, tick_size="auto")
    return {"plain": frame_bytes(plain), "tuned": frame_bytes(tuned), "fast": frame_bytes(fast)}


def largest_difference(market: Market) -> dict[str, float]:
    """Return the largest difference to pandas of the newest indicators, relative, or absolute below 1."""
    _, _, panel = market.panel(BARS)
    rows = {field: matrix[:SYMBOLS] for field, matrix in panel.items()}
    fast = compute_panel(rows)[:, :, 1]
    tail = calculate_tail({field: np.ascontiguousarray(matrix.T) for field, matrix in rows.items()}, 2)
    tuned = np.stack([tail[name][1] for name in COLUMNS], axis=1)
    service = TechnicalIndicatorService()
    plain = np.stack(
        [service.calculate_indicators(market.frame(symbol, BARS)).iloc[-1] for symbol in market.symbols[:SYMBOLS]]
    )
    scale = np.maximum(1.0, np.abs(plain))
    found = {"plain": plain, "tuned": tuned, "fast": fast}
    return {arm: float(np.max(np.abs(values - plain) / scale)) for arm, values in found.items()}
