"""Indicators as methods of pandas objects: importing this module gives them the attribute ``fast``.

::

    import fastcore.indicators.accessor

    frame.fast.rsi(14)                      # a Series; frame.fast.macd() a frame with macd, signal and hist
    frame.fast.plan(plan)                   # what plan(frame) gives; also plan(plan, nan="talib")
    frame.groupby("symbol")["close"].transform(lambda close: close.fast.rsi(14))

A frame's columns are taken by the names that a definition has: ``frame.fast.sma(20, real="volume")``. A MultiIndex of
symbols and times is computed symbol by symbol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastcore.dispatch.formatting import meant
from fastcore.indicators.definition import DEFINITIONS
from fastcore.indicators.functions import FUNCTIONS
from fastcore.indicators.plan import Plan
from fastcore.indicators.registry import INDICATORS

try:
    from pandas.api.extensions import register_dataframe_accessor, register_series_accessor
except ImportError as error:
    raise ImportError("fastcore.indicators.accessor: expected pandas to be installed: pip install pandas") from error

__all__ = ["FrameIndicators", "SeriesIndicators"]


class _Named:
    """Gives a method for the name of each indicator."""

    def _method(self, name: str) -> Callable[..., Any]:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in DEFINITIONS:
            instead = meant(name, ["plan", *DEFINITIONS])
            raise AttributeError(f"fast.{name}: expected plan or the name of an indicator, such as rsi{instead}")
        return self._method(name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *DEFINITIONS]


class FrameIndicators(_Named):
    """Indicators of a frame's columns."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def _method(self, name: str) -> Callable[..., Any]:
        row = INDICATORS[name]

        def method(*args: Any, **kwargs: Any) -> Any:
            nan = kwargs.pop("nan", None)
            if "out" in kwargs:
                raise TypeError(f"fast.{name}: expected no out: it gives new columns; {name}() takes arrays and out")
            found = Plan(**{name: DEFINITIONS[name](*args, **kwargs)})(self._frame, nan=nan)
            if not row.result:
                return found[name]
            found.columns = [output.name for output in row.outputs]
            return found

        return method

    def plan(self, plan: Plan, *, nan: Literal["talib"] | None = None) -> Any:
        """Return a frame with every output of `plan`; ``nan="talib"`` treats missing data as TA-Lib does."""
        if not isinstance(plan, Plan):
            raise TypeError(f"plan: expected a Plan, got {type(plan).__name__}")
        return plan(self._frame, nan=nan)


class SeriesIndicators(_Named):
    """Indicators of a Series: those of one input, and others where the Series is the first."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def _method(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: FUNCTIONS[name](self._series, *args, **kwargs)


register_dataframe_accessor("fast")(FrameIndicators)
register_series_accessor("fast")(SeriesIndicators)
