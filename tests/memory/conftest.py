"""Tables that the tests share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def prices() -> pd.DataFrame:
    """Bars of one symbol at ticks of 0.01, with trades counted in int64."""
    rng = np.random.default_rng(7)
    rows = 2_000
    ticks = 10_000 + np.cumsum(rng.integers(-5, 6, rows))
    close = ticks / 100
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=rows, freq="min"),
            "high": (ticks + rng.integers(0, 9, rows)) / 100,
            "low": (ticks - rng.integers(0, 9, rows)) / 100,
            "close": close,
            "volume": rng.integers(1, 1_000_000, rows),
        }
    )


@pytest.fixture
def news() -> pd.DataFrame:
    """Articles: text that repeats, text that does not, dates as text, some of it missing."""
    rows = 600
    source = [None if i % 50 == 0 else ("Reuters", "Investing.com", "Yahoo Finance")[i % 3] for i in range(rows)]
    return pd.DataFrame(
        {
            "source": [None if s is None else "".join(s) for s in source],
            "headline": [f"Headline number {i} of the day" for i in range(rows)],
            "published": [f"2024-03-{1 + i % 28:02d}T09:{i % 60:02d}:00Z" for i in range(rows)],
            "views": np.arange(rows, dtype=np.int64),
        }
    )
