"""Memory: a table optimised, and how large it is afterwards."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from benchmarks.features import cpu_timer, feature, needs

timer = cpu_timer

optimize_dataframe = feature("fastcore.memory:optimize_dataframe")
frame_bytes = feature("fastcore.memory:frame_bytes")
ROWS = 20_000


@functools.cache
def table() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, ROWS))), 2)
    names = [f"symbol-{n}" for n in range(200)]
    return pd.DataFrame(
        {
            "symbol": [names[n] for n in rng.integers(0, 200, ROWS)],
            "close": close,
            "volume": rng.integers(100, 5_000_000, ROWS),
        }
    )


@needs(optimize_dataframe)
def time_optimize_lossless() -> None:
    optimize_dataframe(table())


@needs(optimize_dataframe)
def time_optimize_to_float32() -> None:
    optimize_dataframe(table(), 0.01)


@needs(optimize_dataframe, frame_bytes)
def track_bytes_kept() -> float:
    """Bytes of the optimised table for each one of the original."""
    return frame_bytes(optimize_dataframe(table(), 0.01)[0]) / frame_bytes(table())


track_bytes_kept.unit = "share"
