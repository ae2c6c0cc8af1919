"""The types of this package, written from registry.py by ``python -m fastcore.indicators.generate``."""

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcore.dispatch.switch import Switch
from fastcore.indicators.board import Board as Board
from fastcore.indicators.definition import Definition as Definition
from fastcore.indicators.live import Live as Live
from fastcore.indicators.plan import Plan as Plan
from fastcore.indicators.registry import Indicator

class _Series(Protocol):
    """What a Series of pandas or polars has and an array has not."""

    @property
    def name(self) -> Any: ...
    def to_numpy(self) -> Any: ...

_T = TypeVar("_T")
_S = TypeVar("_S", bound=_Series)
_Array = NDArray[np.float64]

INDICATORS: Mapping[str, Indicator]

class BBANDSResult(NamedTuple, Generic[_T]):
    upper: _T
    middle: _T
    lower: _T

class MACDResult(NamedTuple, Generic[_T]):
    macd: _T
    signal: _T
    hist: _T

class STOCHResult(NamedTuple, Generic[_T]):
    slowk: _T
    slowd: _T

class _Sma(Switch[..., Any]):
    """Simple moving average."""

    @overload
    def __call__(self, real: _S, timeperiod: int = 30) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30) -> _Array: ...

class _Ema(Switch[..., Any]):
    """Exponential moving average."""

    @overload
    def __call__(self, real: _S, timeperiod: int = 30) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30) -> _Array: ...

class _Bbands(Switch[..., Any]):
    """Bollinger bands."""

    @overload
    def __call__(
        self, real: _S, timeperiod: int = 20, nbdevup: float = 2.0, nbdevdn: float = 2.0, matype: int = 0
    ) -> BBANDSResult[_S]: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 20, nbdevup: float = 2.0, nbdevdn: float = 2.0, matype: int = 0
    ) -> BBANDSResult[_Array]: ...

class _Rsi(Switch[..., Any]):
    """Relative strength index."""

    @overload
    def __call__(self, real: _S, timeperiod: int = 14) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14) -> _Array: ...

class _Macd(Switch[..., Any]):
    """Moving average convergence/divergence."""

    @overload
    def __call__(
        self, real: _S, fastperiod: int = 12, slowperiod: int = 26, signalperiod: int = 9
    ) -> MACDResult[_S]: ...
    @overload
    def __call__(
        self, real: ArrayLike, fastperiod: int = 12, slowperiod: int = 26, signalperiod: int = 9
    ) -> MACDResult[_Array]: ...

class _Stoch(Switch[..., Any]):
    """Stochastic oscillator."""

    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        fastk_period: int = 5,
        slowk_period: int = 3,
        slowk_matype: int = 0,
        slowd_period: int = 3,
        slowd_matype: int = 0,
    ) -> STOCHResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        fastk_period: int = 5,
        slowk_period: int = 3,
        slowk_matype: int = 0,
        slowd_period: int = 3,
        slowd_matype: int = 0,
    ) -> STOCHResult[_Array]: ...

class _Atr(Switch[..., Any]):
    """Average true range."""

    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, timeperiod: int = 14) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14) -> _Array: ...

class _Obv(Switch[..., Any]):
    """On balance volume."""

    @overload
    def __call__(self, real: _S, volume: _S | ArrayLike) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike) -> _Array: ...

class _Vwap(Switch[..., Any]):
    """Volume weighted average price."""

    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, volume: _S | ArrayLike) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> _Array: ...

class _Stddev(Switch[..., Any]):
    """Standard deviation."""

    @overload
    def __call__(self, real: _S, timeperiod: int = 5, nbdev: float = 1.0) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 5, nbdev: float = 1.0) -> _Array: ...

class _Min(Switch[..., Any]):
    """Lowest value."""

    @overload
    def __call__(self, real: _S, timeperiod: int = 30) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30) -> _Array: ...

class _Max(Switch[..., Any]):
    """Highest value."""

    @overload
    def __call__(self, real: _S, timeperiod: int = 30) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30) -> _Array: ...

class SMA(Definition):
    """Simple moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: _S) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class EMA(Definition):
    """Exponential moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: _S) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class BBANDS(Definition):
    """Bollinger bands, with its parameters bound."""

    def __init__(
        self, timeperiod: int = 20, nbdevup: float = 2.0, nbdevdn: float = 2.0, matype: int = 0, *, real: str = "close"
    ) -> None: ...
    @overload
    def __call__(self, real: _S) -> BBANDSResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike) -> BBANDSResult[_Array]: ...
    def live(self, *history: ArrayLike) -> Live[BBANDSResult[float]]: ...

class RSI(Definition):
    """Relative strength index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: _S) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class MACD(Definition):
    """Moving average convergence/divergence, with its parameters bound."""

    def __init__(
        self, fastperiod: int = 12, slowperiod: int = 26, signalperiod: int = 9, *, real: str = "close"
    ) -> None: ...
    @overload
    def __call__(self, real: _S) -> MACDResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike) -> MACDResult[_Array]: ...
    def live(self, *history: ArrayLike) -> Live[MACDResult[float]]: ...

class STOCH(Definition):
    """Stochastic oscillator, with its parameters bound."""

    def __init__(
        self,
        fastk_period: int = 5,
        slowk_period: int = 3,
        slowk_matype: int = 0,
        slowd_period: int = 3,
        slowd_matype: int = 0,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike) -> STOCHResult[_S]: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> STOCHResult[_Array]: ...
    def live(self, *history: ArrayLike) -> Live[STOCHResult[float]]: ...

class ATR(Definition):
    """Average true range, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class OBV(Definition):
    """On balance volume, with its parameters bound."""

    def __init__(self, *, real: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, real: _S, volume: _S | ArrayLike) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class VWAP(Definition):
    """Volume weighted average price, with its parameters bound."""

    def __init__(
        self, *, high: str = "high", low: str = "low", close: str = "close", volume: str = "volume"
    ) -> None: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, volume: _S | ArrayLike) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class STDDEV(Definition):
    """Standard deviation, with its parameters bound."""

    def __init__(self, timeperiod: int = 5, nbdev: float = 1.0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: _S) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class MIN(Definition):
    """Lowest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: _S) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

class MAX(Definition):
    """Highest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: _S) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike) -> _Array: ...
    def live(self, *history: ArrayLike) -> Live[float]: ...

sma: _Sma
ema: _Ema
bbands: _Bbands
rsi: _Rsi
macd: _Macd
stoch: _Stoch
atr: _Atr
obv: _Obv
vwap: _Vwap
stddev: _Stddev
min: _Min
max: _Max
