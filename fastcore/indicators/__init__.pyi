"""The types of this package, written from registry/ by ``python -m fastcore.indicators.generate``."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcore.dispatch.switch import Switch
from fastcore.indicators.board import Board as Board
from fastcore.indicators.custom import CustomIndicator as CustomIndicator
from fastcore.indicators.custom import indicator as indicator
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
_Nan = Literal["talib"] | None
_Out2 = tuple[_Array | None, _Array | None]
_Out3 = tuple[_Array | None, _Array | None, _Array | None]
_Out4 = tuple[_Array | None, _Array | None, _Array | None, _Array | None]

INDICATORS: Mapping[str, Indicator]

class BBANDSResult(NamedTuple, Generic[_T]):
    upper: _T
    middle: _T
    lower: _T

class ACCBANDSResult(NamedTuple, Generic[_T]):
    upper: _T
    middle: _T
    lower: _T

class DONCHIANResult(NamedTuple, Generic[_T]):
    upper: _T
    middle: _T
    lower: _T

class KCResult(NamedTuple, Generic[_T]):
    upper: _T
    middle: _T
    lower: _T

class SUPERTRENDResult(NamedTuple, Generic[_T]):
    supertrend: _T
    trend: _T

class MACDResult(NamedTuple, Generic[_T]):
    macd: _T
    signal: _T
    hist: _T

class MACDEXTResult(NamedTuple, Generic[_T]):
    macd: _T
    signal: _T
    hist: _T

class MACDFIXResult(NamedTuple, Generic[_T]):
    macd: _T
    signal: _T
    hist: _T

class STOCHResult(NamedTuple, Generic[_T]):
    slowk: _T
    slowd: _T

class STOCHFResult(NamedTuple, Generic[_T]):
    fastk: _T
    fastd: _T

class STOCHRSIResult(NamedTuple, Generic[_T]):
    fastk: _T
    fastd: _T

class KDJResult(NamedTuple, Generic[_T]):
    k: _T
    d: _T
    j: _T

class SMIResult(NamedTuple, Generic[_T]):
    smi: _T
    signal: _T

class VORTEXResult(NamedTuple, Generic[_T]):
    plus: _T
    minus: _T

class ERIResult(NamedTuple, Generic[_T]):
    bull: _T
    bear: _T

class AROONResult(NamedTuple, Generic[_T]):
    down: _T
    up: _T

class FRACTALResult(NamedTuple, Generic[_T]):
    swinghigh: _T
    swinglow: _T

class HAResult(NamedTuple, Generic[_T]):
    open: _T
    high: _T
    low: _T
    close: _T

class HT_PHASORResult(NamedTuple, Generic[_T]):  # noqa: N801
    inphase: _T
    quadrature: _T

class HT_SINEResult(NamedTuple, Generic[_T]):  # noqa: N801
    sine: _T
    leadsine: _T

class MAMAResult(NamedTuple, Generic[_T]):
    mama: _T
    fama: _T

class MINMAXResult(NamedTuple, Generic[_T]):
    min: _T
    max: _T

class MINMAXINDEXResult(NamedTuple, Generic[_T]):
    minidx: _T
    maxidx: _T

class _Sma(Switch[..., Any]):
    """Simple moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Ema(Switch[..., Any]):
    """Exponential moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Wma(Switch[..., Any]):
    """Weighted moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Dema(Switch[..., Any]):
    """Double exponential moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Tema(Switch[..., Any]):
    """Triple exponential moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Trima(Switch[..., Any]):
    """Triangular moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _T3(Switch[..., Any]):
    """Triple generalized double exponential moving average."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 5, vfactor: float = 0.7, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 5, vfactor: float = 0.7, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 5, vfactor: float = 0.7, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Rma(Switch[..., Any]):
    """Wilder's moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Hma(Switch[..., Any]):
    """Hull moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 20, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 20, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 20, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Zlema(Switch[..., Any]):
    """Zero lag exponential moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Vwma(Switch[..., Any]):
    """Volume weighted moving average."""

    @overload
    def __call__(
        self, real: ArrayLike, volume: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, volume: _S | ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, volume: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Kama(Switch[..., Any]):
    """Kaufman's adaptive moving average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Ma(Switch[..., Any]):
    """Moving average."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, matype: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, matype: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, matype: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Mavp(Switch[..., Any]):
    """Moving average with variable period."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        periods: ArrayLike,
        minperiod: int = 2,
        maxperiod: int = 30,
        matype: int = 0,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        real: _S,
        periods: _S | ArrayLike,
        minperiod: int = 2,
        maxperiod: int = 30,
        matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        periods: ArrayLike,
        minperiod: int = 2,
        maxperiod: int = 30,
        matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Midpoint(Switch[..., Any]):
    """Midpoint of the window."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Midprice(Switch[..., Any]):
    """Midpoint price of the window."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Bbands(Switch[..., Any]):
    """Bollinger bands."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 20,
        nbdevup: float = 2.0,
        nbdevdn: float = 2.0,
        matype: int = 0,
        *,
        out: _Out3,
        nan: _Nan = None,
    ) -> BBANDSResult[_Array]: ...
    @overload
    def __call__(
        self,
        real: _S,
        timeperiod: int = 20,
        nbdevup: float = 2.0,
        nbdevdn: float = 2.0,
        matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> BBANDSResult[_S]: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 20,
        nbdevup: float = 2.0,
        nbdevdn: float = 2.0,
        matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> BBANDSResult[_Array]: ...

class _Accbands(Switch[..., Any]):
    """Acceleration bands."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 20, *, out: _Out3, nan: _Nan = None
    ) -> ACCBANDSResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 20,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> ACCBANDSResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 20,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> ACCBANDSResult[_Array]: ...

class _Donchian(Switch[..., Any]):
    """Donchian channel."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 20, *, out: _Out3, nan: _Nan = None
    ) -> DONCHIANResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 20, *, out: None = None, nan: _Nan = None
    ) -> DONCHIANResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 20, *, out: None = None, nan: _Nan = None
    ) -> DONCHIANResult[_Array]: ...

class _Kc(Switch[..., Any]):
    """Keltner channel."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 20,
        atrperiod: int = 10,
        nbdev: float = 2.0,
        *,
        out: _Out3,
        nan: _Nan = None,
    ) -> KCResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 20,
        atrperiod: int = 10,
        nbdev: float = 2.0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> KCResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 20,
        atrperiod: int = 10,
        nbdev: float = 2.0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> KCResult[_Array]: ...

class _Sar(Switch[..., Any]):
    """Parabolic stop and reverse."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        acceleration: float = 0.02,
        maximum: float = 0.2,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        acceleration: float = 0.02,
        maximum: float = 0.2,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        acceleration: float = 0.02,
        maximum: float = 0.2,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Sarext(Switch[..., Any]):
    """Parabolic stop and reverse of two sides."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        startvalue: float = 0.0,
        offsetonreverse: float = 0.0,
        accelerationinitlong: float = 0.02,
        accelerationlong: float = 0.02,
        accelerationmaxlong: float = 0.2,
        accelerationinitshort: float = 0.02,
        accelerationshort: float = 0.02,
        accelerationmaxshort: float = 0.2,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        startvalue: float = 0.0,
        offsetonreverse: float = 0.0,
        accelerationinitlong: float = 0.02,
        accelerationlong: float = 0.02,
        accelerationmaxlong: float = 0.2,
        accelerationinitshort: float = 0.02,
        accelerationshort: float = 0.02,
        accelerationmaxshort: float = 0.2,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        startvalue: float = 0.0,
        offsetonreverse: float = 0.0,
        accelerationinitlong: float = 0.02,
        accelerationlong: float = 0.02,
        accelerationmaxlong: float = 0.2,
        accelerationinitshort: float = 0.02,
        accelerationshort: float = 0.02,
        accelerationmaxshort: float = 0.2,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Supertrend(Switch[..., Any]):
    """SuperTrend."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 10,
        multiplier: float = 3.0,
        *,
        out: _Out2,
        nan: _Nan = None,
    ) -> SUPERTRENDResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 10,
        multiplier: float = 3.0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> SUPERTRENDResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 10,
        multiplier: float = 3.0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> SUPERTRENDResult[_Array]: ...

class _Rsi(Switch[..., Any]):
    """Relative strength index."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Macd(Switch[..., Any]):
    """Moving average convergence/divergence."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        signalperiod: int = 9,
        *,
        out: _Out3,
        nan: _Nan = None,
    ) -> MACDResult[_Array]: ...
    @overload
    def __call__(
        self,
        real: _S,
        fastperiod: int = 12,
        slowperiod: int = 26,
        signalperiod: int = 9,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> MACDResult[_S]: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        signalperiod: int = 9,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> MACDResult[_Array]: ...

class _Macdext(Switch[..., Any]):
    """Moving average convergence/divergence of any averages."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        fastmatype: int = 0,
        slowperiod: int = 26,
        slowmatype: int = 0,
        signalperiod: int = 9,
        signalmatype: int = 0,
        *,
        out: _Out3,
        nan: _Nan = None,
    ) -> MACDEXTResult[_Array]: ...
    @overload
    def __call__(
        self,
        real: _S,
        fastperiod: int = 12,
        fastmatype: int = 0,
        slowperiod: int = 26,
        slowmatype: int = 0,
        signalperiod: int = 9,
        signalmatype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> MACDEXTResult[_S]: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        fastmatype: int = 0,
        slowperiod: int = 26,
        slowmatype: int = 0,
        signalperiod: int = 9,
        signalmatype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> MACDEXTResult[_Array]: ...

class _Macdfix(Switch[..., Any]):
    """Moving average convergence/divergence of 12 and 26 bars."""

    @overload
    def __call__(
        self, real: ArrayLike, signalperiod: int = 9, *, out: _Out3, nan: _Nan = None
    ) -> MACDFIXResult[_Array]: ...
    @overload
    def __call__(self, real: _S, signalperiod: int = 9, *, out: None = None, nan: _Nan = None) -> MACDFIXResult[_S]: ...
    @overload
    def __call__(
        self, real: ArrayLike, signalperiod: int = 9, *, out: None = None, nan: _Nan = None
    ) -> MACDFIXResult[_Array]: ...

class _Apo(Switch[..., Any]):
    """Absolute price oscillator."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        real: _S,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Ppo(Switch[..., Any]):
    """Percentage price oscillator."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        real: _S,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Stoch(Switch[..., Any]):
    """Stochastic oscillator."""

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
        *,
        out: _Out2,
        nan: _Nan = None,
    ) -> STOCHResult[_Array]: ...
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
        *,
        out: None = None,
        nan: _Nan = None,
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
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> STOCHResult[_Array]: ...

class _Stochf(Switch[..., Any]):
    """Fast stochastic oscillator."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        out: _Out2,
        nan: _Nan = None,
    ) -> STOCHFResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> STOCHFResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> STOCHFResult[_Array]: ...

class _Stochrsi(Switch[..., Any]):
    """Stochastic relative strength index."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 14,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        out: _Out2,
        nan: _Nan = None,
    ) -> STOCHRSIResult[_Array]: ...
    @overload
    def __call__(
        self,
        real: _S,
        timeperiod: int = 14,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> STOCHRSIResult[_S]: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 14,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> STOCHRSIResult[_Array]: ...

class _Kdj(Switch[..., Any]):
    """KDJ."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        fastk_period: int = 9,
        slowk_period: int = 3,
        slowk_matype: int = 13,
        slowd_period: int = 3,
        slowd_matype: int = 13,
        *,
        out: _Out3,
        nan: _Nan = None,
    ) -> KDJResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        fastk_period: int = 9,
        slowk_period: int = 3,
        slowk_matype: int = 13,
        slowd_period: int = 3,
        slowd_matype: int = 13,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> KDJResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        fastk_period: int = 9,
        slowk_period: int = 3,
        slowk_matype: int = 13,
        slowd_period: int = 3,
        slowd_matype: int = 13,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> KDJResult[_Array]: ...

class _Willr(Switch[..., Any]):
    """Williams' %R."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Smi(Switch[..., Any]):
    """Stochastic momentum index."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 13,
        fastperiod: int = 2,
        slowperiod: int = 25,
        signalperiod: int = 9,
        *,
        out: _Out2,
        nan: _Nan = None,
    ) -> SMIResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 13,
        fastperiod: int = 2,
        slowperiod: int = 25,
        signalperiod: int = 9,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> SMIResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 13,
        fastperiod: int = 2,
        slowperiod: int = 25,
        signalperiod: int = 9,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> SMIResult[_Array]: ...

class _Mom(Switch[..., Any]):
    """Momentum."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Roc(Switch[..., Any]):
    """Rate of change."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Rocp(Switch[..., Any]):
    """Rate of change in parts."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Rocr(Switch[..., Any]):
    """Rate of change as a ratio."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Rocr100(Switch[..., Any]):
    """Rate of change as a ratio, times 100."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Trix(Switch[..., Any]):
    """Rate of change of a triple smooth average."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Tsi(Switch[..., Any]):
    """True strength index."""

    @overload
    def __call__(
        self, real: ArrayLike, firstperiod: int = 25, secondperiod: int = 13, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, firstperiod: int = 25, secondperiod: int = 13, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, firstperiod: int = 25, secondperiod: int = 13, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Cmo(Switch[..., Any]):
    """Chande momentum oscillator."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Cmou(Switch[..., Any]):
    """Chande momentum oscillator of a window."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _PlusDm(Switch[..., Any]):
    """Plus directional movement."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _MinusDm(Switch[..., Any]):
    """Minus directional movement."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _PlusDi(Switch[..., Any]):
    """Plus directional indicator."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _MinusDi(Switch[..., Any]):
    """Minus directional indicator."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Dx(Switch[..., Any]):
    """Directional movement index."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Adx(Switch[..., Any]):
    """Average directional movement index."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Adxr(Switch[..., Any]):
    """Average directional movement index rating."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Bop(Switch[..., Any]):
    """Balance of power."""

    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        open: _S,
        high: _S | ArrayLike,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Cci(Switch[..., Any]):
    """Commodity channel index."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Mfi(Switch[..., Any]):
    """Money flow index."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        timeperiod: int = 14,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Imi(Switch[..., Any]):
    """Intraday momentum index."""

    @overload
    def __call__(
        self, open: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, open: _S, close: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, open: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Qstick(Switch[..., Any]):
    """Qstick."""

    @overload
    def __call__(
        self, open: ArrayLike, close: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, open: _S, close: _S | ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, open: ArrayLike, close: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Ultosc(Switch[..., Any]):
    """Ultimate oscillator."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod1: int = 7,
        timeperiod2: int = 14,
        timeperiod3: int = 28,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod1: int = 7,
        timeperiod2: int = 14,
        timeperiod3: int = 28,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod1: int = 7,
        timeperiod2: int = 14,
        timeperiod3: int = 28,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Vortex(Switch[..., Any]):
    """Vortex indicator."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Out2, nan: _Nan = None
    ) -> VORTEXResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> VORTEXResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> VORTEXResult[_Array]: ...

class _Vhf(Switch[..., Any]):
    """Vertical horizontal filter."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 28, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 28, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 28, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Er(Switch[..., Any]):
    """Efficiency ratio."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 10, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Dpo(Switch[..., Any]):
    """Detrended price oscillator."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 20, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 20, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 20, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Fosc(Switch[..., Any]):
    """Forecast oscillator."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 5, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 5, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 5, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Coppock(Switch[..., Any]):
    """Coppock curve."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        wmaperiod: int = 10,
        roc1period: int = 11,
        roc2period: int = 14,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        real: _S,
        wmaperiod: int = 10,
        roc1period: int = 11,
        roc2period: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        wmaperiod: int = 10,
        roc1period: int = 11,
        roc2period: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Eri(Switch[..., Any]):
    """Elder-ray index."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 13, *, out: _Out2, nan: _Nan = None
    ) -> ERIResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 13,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> ERIResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 13,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> ERIResult[_Array]: ...

class _Ao(Switch[..., Any]):
    """Awesome oscillator."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        fastperiod: int = 5,
        slowperiod: int = 34,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        fastperiod: int = 5,
        slowperiod: int = 34,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        fastperiod: int = 5,
        slowperiod: int = 34,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Ac(Switch[..., Any]):
    """Accelerator oscillator."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        fastperiod: int = 5,
        slowperiod: int = 34,
        signalperiod: int = 5,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        fastperiod: int = 5,
        slowperiod: int = 34,
        signalperiod: int = 5,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        fastperiod: int = 5,
        slowperiod: int = 34,
        signalperiod: int = 5,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Wad(Switch[..., Any]):
    """Williams' accumulation/distribution."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Aroon(Switch[..., Any]):
    """Aroon."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: _Out2, nan: _Nan = None
    ) -> AROONResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> AROONResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> AROONResult[_Array]: ...

class _Aroonosc(Switch[..., Any]):
    """Aroon oscillator."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Fractal(Switch[..., Any]):
    """Williams fractal."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, leftbars: int = 2, rightbars: int = 2, *, out: _Out2, nan: _Nan = None
    ) -> FRACTALResult[_Array]: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        leftbars: int = 2,
        rightbars: int = 2,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> FRACTALResult[_S]: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        leftbars: int = 2,
        rightbars: int = 2,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> FRACTALResult[_Array]: ...

class _Obv(Switch[..., Any]):
    """On balance volume."""

    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Vwap(Switch[..., Any]):
    """Volume weighted average price."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Ad(Switch[..., Any]):
    """Chaikin accumulation/distribution line."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Adosc(Switch[..., Any]):
    """Chaikin oscillator."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        fastperiod: int = 3,
        slowperiod: int = 10,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        fastperiod: int = 3,
        slowperiod: int = 10,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        fastperiod: int = 3,
        slowperiod: int = 10,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Cmf(Switch[..., Any]):
    """Chaikin money flow."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        timeperiod: int = 20,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        timeperiod: int = 20,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        timeperiod: int = 20,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Efi(Switch[..., Any]):
    """Elder's force index."""

    @overload
    def __call__(
        self, close: ArrayLike, volume: ArrayLike, timeperiod: int = 13, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, close: _S, volume: _S | ArrayLike, timeperiod: int = 13, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, close: ArrayLike, volume: ArrayLike, timeperiod: int = 13, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Marketfi(Switch[..., Any]):
    """Market facilitation index."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Nvi(Switch[..., Any]):
    """Negative volume index."""

    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Pvi(Switch[..., Any]):
    """Positive volume index."""

    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Pvo(Switch[..., Any]):
    """Percentage volume oscillator."""

    @overload
    def __call__(
        self,
        volume: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        volume: _S,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        volume: ArrayLike,
        fastperiod: int = 12,
        slowperiod: int = 26,
        matype: int = 1,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Pvt(Switch[..., Any]):
    """Price volume trend."""

    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Rvol(Switch[..., Any]):
    """Relative volume."""

    @overload
    def __call__(self, volume: ArrayLike, timeperiod: int = 20, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, volume: _S, timeperiod: int = 20, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, volume: ArrayLike, timeperiod: int = 20, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Atr(Switch[..., Any]):
    """Average true range."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Natr(Switch[..., Any]):
    """Normalized average true range."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        timeperiod: int = 14,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Trange(Switch[..., Any]):
    """True range."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Adr(Switch[..., Any]):
    """Average daily range."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Cvi(Switch[..., Any]):
    """Chaikin volatility."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        timeperiod: int = 10,
        rocperiod: int = 10,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        timeperiod: int = 10,
        rocperiod: int = 10,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        timeperiod: int = 10,
        rocperiod: int = 10,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Massi(Switch[..., Any]):
    """Mass index."""

    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        fastperiod: int = 9,
        slowperiod: int = 25,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        fastperiod: int = 9,
        slowperiod: int = 25,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        fastperiod: int = 9,
        slowperiod: int = 25,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Rvi(Switch[..., Any]):
    """Relative volatility index."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 14, stddevperiod: int = 10, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 14, stddevperiod: int = 10, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 14, stddevperiod: int = 10, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Avgprice(Switch[..., Any]):
    """Average price."""

    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        open: _S,
        high: _S | ArrayLike,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Medprice(Switch[..., Any]):
    """Median price."""

    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Typprice(Switch[..., Any]):
    """Typical price."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Wclprice(Switch[..., Any]):
    """Weighted close."""

    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Avgdev(Switch[..., Any]):
    """Average deviation."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Ha(Switch[..., Any]):
    """Heikin-Ashi bars."""

    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out4, nan: _Nan = None
    ) -> HAResult[_Array]: ...
    @overload
    def __call__(
        self,
        open: _S,
        high: _S | ArrayLike,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> HAResult[_S]: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> HAResult[_Array]: ...

class _Stddev(Switch[..., Any]):
    """Standard deviation."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 5, nbdev: float = 1.0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 5, nbdev: float = 1.0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 5, nbdev: float = 1.0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Var(Switch[..., Any]):
    """Variance."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 5, nbdev: float = 1.0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 5, nbdev: float = 1.0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 5, nbdev: float = 1.0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Linearreg(Switch[..., Any]):
    """Linear regression."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _LinearregSlope(Switch[..., Any]):
    """Slope of the linear regression."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _LinearregIntercept(Switch[..., Any]):
    """Intercept of the linear regression."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _LinearregAngle(Switch[..., Any]):
    """Angle of the linear regression."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Tsf(Switch[..., Any]):
    """Time series forecast."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 14, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Percentile(Switch[..., Any]):
    """Percentile."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, percentile: float = 50.0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, percentile: float = 50.0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, percentile: float = 50.0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Percentrank(Switch[..., Any]):
    """Percent rank."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 100, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 100, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 100, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Correl(Switch[..., Any]):
    """Correlation coefficient."""

    @overload
    def __call__(
        self, real0: ArrayLike, real1: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real0: _S, real1: _S | ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real0: ArrayLike, real1: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Beta(Switch[..., Any]):
    """Beta."""

    @overload
    def __call__(
        self, real0: ArrayLike, real1: ArrayLike, timeperiod: int = 5, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real0: _S, real1: _S | ArrayLike, timeperiod: int = 5, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real0: ArrayLike, real1: ArrayLike, timeperiod: int = 5, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Median(Switch[..., Any]):
    """Median."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Quantile(Switch[..., Any]):
    """Quantile."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 30,
        quantile: float = 0.5,
        min_count: int = 0,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        real: _S,
        timeperiod: int = 30,
        quantile: float = 0.5,
        min_count: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 30,
        quantile: float = 0.5,
        min_count: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Rank(Switch[..., Any]):
    """Rank."""

    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 30,
        scale: int = 0,
        min_count: int = 0,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, scale: int = 0, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real: ArrayLike,
        timeperiod: int = 30,
        scale: int = 0,
        min_count: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Skew(Switch[..., Any]):
    """Skewness."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Kurt(Switch[..., Any]):
    """Kurtosis."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Zscore(Switch[..., Any]):
    """Standard score."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Cov(Switch[..., Any]):
    """Covariance."""

    @overload
    def __call__(
        self,
        real0: ArrayLike,
        real1: ArrayLike,
        timeperiod: int = 30,
        min_count: int = 0,
        *,
        out: _Array,
        nan: _Nan = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        real0: _S,
        real1: _S | ArrayLike,
        timeperiod: int = 30,
        min_count: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        real0: ArrayLike,
        real1: ArrayLike,
        timeperiod: int = 30,
        min_count: int = 0,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...

class _Argmin(Switch[..., Any]):
    """Bars since the lowest."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _Argmax(Switch[..., Any]):
    """Bars since the highest."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, min_count: int = 0, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...

class _HtDcperiod(Switch[..., Any]):
    """Hilbert transform: dominant cycle period."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _HtDcphase(Switch[..., Any]):
    """Hilbert transform: dominant cycle phase."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _HtPhasor(Switch[..., Any]):
    """Hilbert transform: phasor components."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> HT_PHASORResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> HT_PHASORResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> HT_PHASORResult[_Array]: ...

class _HtSine(Switch[..., Any]):
    """Hilbert transform: sine wave."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> HT_SINEResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> HT_SINEResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> HT_SINEResult[_Array]: ...

class _HtTrendmode(Switch[..., Any]):
    """Hilbert transform: trend or cycle."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _HtTrendline(Switch[..., Any]):
    """Hilbert transform: instantaneous trend line."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Mama(Switch[..., Any]):
    """MESA adaptive moving average."""

    @overload
    def __call__(
        self, real: ArrayLike, fastlimit: float = 0.5, slowlimit: float = 0.05, *, out: _Out2, nan: _Nan = None
    ) -> MAMAResult[_Array]: ...
    @overload
    def __call__(
        self, real: _S, fastlimit: float = 0.5, slowlimit: float = 0.05, *, out: None = None, nan: _Nan = None
    ) -> MAMAResult[_S]: ...
    @overload
    def __call__(
        self, real: ArrayLike, fastlimit: float = 0.5, slowlimit: float = 0.05, *, out: None = None, nan: _Nan = None
    ) -> MAMAResult[_Array]: ...

class _Add(Switch[..., Any]):
    """Sum of two series."""

    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Sub(Switch[..., Any]):
    """Difference of two series."""

    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Mult(Switch[..., Any]):
    """Product of two series."""

    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Div(Switch[..., Any]):
    """Quotient of two series."""

    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Cumsum(Switch[..., Any]):
    """Running total."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Sum(Switch[..., Any]):
    """Sum of a window."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Min(Switch[..., Any]):
    """Lowest value."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Max(Switch[..., Any]):
    """Highest value."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Minmax(Switch[..., Any]):
    """Lowest and highest value."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, *, out: _Out2, nan: _Nan = None
    ) -> MINMAXResult[_Array]: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> MINMAXResult[_S]: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> MINMAXResult[_Array]: ...

class _Minindex(Switch[..., Any]):
    """Index of the lowest value."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Maxindex(Switch[..., Any]):
    """Index of the highest value."""

    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Minmaxindex(Switch[..., Any]):
    """Indexes of the lowest and the highest value."""

    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, *, out: _Out2, nan: _Nan = None
    ) -> MINMAXINDEXResult[_Array]: ...
    @overload
    def __call__(
        self, real: _S, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> MINMAXINDEXResult[_S]: ...
    @overload
    def __call__(
        self, real: ArrayLike, timeperiod: int = 30, *, out: None = None, nan: _Nan = None
    ) -> MINMAXINDEXResult[_Array]: ...

class _Acos(Switch[..., Any]):
    """Arc cosine."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Asin(Switch[..., Any]):
    """Arc sine."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Atan(Switch[..., Any]):
    """Arc tangent."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Ceil(Switch[..., Any]):
    """Ceiling."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Cos(Switch[..., Any]):
    """Cosine."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Cosh(Switch[..., Any]):
    """Hyperbolic cosine."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Exp(Switch[..., Any]):
    """Exponential function."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Floor(Switch[..., Any]):
    """Floor."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Ln(Switch[..., Any]):
    """Natural logarithm."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Log10(Switch[..., Any]):
    """Logarithm to base 10."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Sin(Switch[..., Any]):
    """Sine."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Sinh(Switch[..., Any]):
    """Hyperbolic sine."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Sqrt(Switch[..., Any]):
    """Square root."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Tan(Switch[..., Any]):
    """Tangent."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class _Tanh(Switch[..., Any]):
    """Hyperbolic tangent."""

    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...

class SMA(Definition):
    """Simple moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class EMA(Definition):
    """Exponential moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class WMA(Definition):
    """Weighted moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class DEMA(Definition):
    """Double exponential moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TEMA(Definition):
    """Triple exponential moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TRIMA(Definition):
    """Triangular moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class T3(Definition):
    """Triple generalized double exponential moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 5, vfactor: float = 0.7, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class RMA(Definition):
    """Wilder's moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class HMA(Definition):
    """Hull moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 20, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ZLEMA(Definition):
    """Zero lag exponential moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class VWMA(Definition):
    """Volume weighted moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class KAMA(Definition):
    """Kaufman's adaptive moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MA(Definition):
    """Moving average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, matype: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MAVP(Definition):
    """Moving average with variable period, with its parameters bound."""

    def __init__(
        self, minperiod: int = 2, maxperiod: int = 30, matype: int = 0, *, real: str = "close", periods: str = "periods"
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, periods: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, periods: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, periods: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MIDPOINT(Definition):
    """Midpoint of the window, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MIDPRICE(Definition):
    """Midpoint price of the window, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class BBANDS(Definition):
    """Bollinger bands, with its parameters bound."""

    def __init__(
        self, timeperiod: int = 20, nbdevup: float = 2.0, nbdevdn: float = 2.0, matype: int = 0, *, real: str = "close"
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out3, nan: _Nan = None) -> BBANDSResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> BBANDSResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> BBANDSResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[BBANDSResult[float]]: ...

class ACCBANDS(Definition):
    """Acceleration bands, with its parameters bound."""

    def __init__(self, timeperiod: int = 20, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out3, nan: _Nan = None
    ) -> ACCBANDSResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> ACCBANDSResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> ACCBANDSResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[ACCBANDSResult[float]]: ...

class DONCHIAN(Definition):
    """Donchian channel, with its parameters bound."""

    def __init__(self, timeperiod: int = 20, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Out3, nan: _Nan = None) -> DONCHIANResult[_Array]: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> DONCHIANResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> DONCHIANResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[DONCHIANResult[float]]: ...

class KC(Definition):
    """Keltner channel, with its parameters bound."""

    def __init__(
        self,
        timeperiod: int = 20,
        atrperiod: int = 10,
        nbdev: float = 2.0,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out3, nan: _Nan = None
    ) -> KCResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> KCResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> KCResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[KCResult[float]]: ...

class SAR(Definition):
    """Parabolic stop and reverse, with its parameters bound."""

    def __init__(
        self, acceleration: float = 0.02, maximum: float = 0.2, *, high: str = "high", low: str = "low"
    ) -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SAREXT(Definition):
    """Parabolic stop and reverse of two sides, with its parameters bound."""

    def __init__(
        self,
        startvalue: float = 0.0,
        offsetonreverse: float = 0.0,
        accelerationinitlong: float = 0.02,
        accelerationlong: float = 0.02,
        accelerationmaxlong: float = 0.2,
        accelerationinitshort: float = 0.02,
        accelerationshort: float = 0.02,
        accelerationmaxshort: float = 0.2,
        *,
        high: str = "high",
        low: str = "low",
    ) -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SUPERTREND(Definition):
    """SuperTrend, with its parameters bound."""

    def __init__(
        self,
        timeperiod: int = 10,
        multiplier: float = 3.0,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out2, nan: _Nan = None
    ) -> SUPERTRENDResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> SUPERTRENDResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> SUPERTRENDResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[SUPERTRENDResult[float]]: ...

class RSI(Definition):
    """Relative strength index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MACD(Definition):
    """Moving average convergence/divergence, with its parameters bound."""

    def __init__(
        self, fastperiod: int = 12, slowperiod: int = 26, signalperiod: int = 9, *, real: str = "close"
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out3, nan: _Nan = None) -> MACDResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> MACDResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> MACDResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[MACDResult[float]]: ...

class MACDEXT(Definition):
    """Moving average convergence/divergence of any averages, with its parameters bound."""

    def __init__(
        self,
        fastperiod: int = 12,
        fastmatype: int = 0,
        slowperiod: int = 26,
        slowmatype: int = 0,
        signalperiod: int = 9,
        signalmatype: int = 0,
        *,
        real: str = "close",
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out3, nan: _Nan = None) -> MACDEXTResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> MACDEXTResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> MACDEXTResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[MACDEXTResult[float]]: ...

class MACDFIX(Definition):
    """Moving average convergence/divergence of 12 and 26 bars, with its parameters bound."""

    def __init__(self, signalperiod: int = 9, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out3, nan: _Nan = None) -> MACDFIXResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> MACDFIXResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> MACDFIXResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[MACDFIXResult[float]]: ...

class APO(Definition):
    """Absolute price oscillator, with its parameters bound."""

    def __init__(self, fastperiod: int = 12, slowperiod: int = 26, matype: int = 1, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PPO(Definition):
    """Percentage price oscillator, with its parameters bound."""

    def __init__(self, fastperiod: int = 12, slowperiod: int = 26, matype: int = 1, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

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
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out2, nan: _Nan = None
    ) -> STOCHResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> STOCHResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> STOCHResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[STOCHResult[float]]: ...

class STOCHF(Definition):
    """Fast stochastic oscillator, with its parameters bound."""

    def __init__(
        self,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out2, nan: _Nan = None
    ) -> STOCHFResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> STOCHFResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> STOCHFResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[STOCHFResult[float]]: ...

class STOCHRSI(Definition):
    """Stochastic relative strength index, with its parameters bound."""

    def __init__(
        self,
        timeperiod: int = 14,
        fastk_period: int = 5,
        fastd_period: int = 3,
        fastd_matype: int = 0,
        *,
        real: str = "close",
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> STOCHRSIResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> STOCHRSIResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> STOCHRSIResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[STOCHRSIResult[float]]: ...

class KDJ(Definition):
    """KDJ, with its parameters bound."""

    def __init__(
        self,
        fastk_period: int = 9,
        slowk_period: int = 3,
        slowk_matype: int = 13,
        slowd_period: int = 3,
        slowd_matype: int = 13,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out3, nan: _Nan = None
    ) -> KDJResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> KDJResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> KDJResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[KDJResult[float]]: ...

class WILLR(Definition):
    """Williams' %R, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SMI(Definition):
    """Stochastic momentum index, with its parameters bound."""

    def __init__(
        self,
        timeperiod: int = 13,
        fastperiod: int = 2,
        slowperiod: int = 25,
        signalperiod: int = 9,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out2, nan: _Nan = None
    ) -> SMIResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> SMIResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> SMIResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[SMIResult[float]]: ...

class MOM(Definition):
    """Momentum, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ROC(Definition):
    """Rate of change, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ROCP(Definition):
    """Rate of change in parts, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ROCR(Definition):
    """Rate of change as a ratio, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ROCR100(Definition):
    """Rate of change as a ratio, times 100, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TRIX(Definition):
    """Rate of change of a triple smooth average, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TSI(Definition):
    """True strength index, with its parameters bound."""

    def __init__(self, firstperiod: int = 25, secondperiod: int = 13, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CMO(Definition):
    """Chande momentum oscillator, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CMOU(Definition):
    """Chande momentum oscillator of a window, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PLUS_DM(Definition):  # noqa: N801
    """Plus directional movement, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MINUS_DM(Definition):  # noqa: N801
    """Minus directional movement, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PLUS_DI(Definition):  # noqa: N801
    """Plus directional indicator, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MINUS_DI(Definition):  # noqa: N801
    """Minus directional indicator, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class DX(Definition):
    """Directional movement index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ADX(Definition):
    """Average directional movement index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ADXR(Definition):
    """Average directional movement index rating, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class BOP(Definition):
    """Balance of power, with its parameters bound."""

    def __init__(self, *, open: str = "open", high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        open: _S,
        high: _S | ArrayLike,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CCI(Definition):
    """Commodity channel index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MFI(Definition):
    """Money flow index, with its parameters bound."""

    def __init__(
        self,
        timeperiod: int = 14,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
        volume: str = "volume",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class IMI(Definition):
    """Intraday momentum index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, open: str = "open", close: str = "close") -> None: ...
    @overload
    def __call__(self, open: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, open: _S, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, open: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class QSTICK(Definition):
    """Qstick, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, open: str = "open", close: str = "close") -> None: ...
    @overload
    def __call__(self, open: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, open: _S, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, open: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ULTOSC(Definition):
    """Ultimate oscillator, with its parameters bound."""

    def __init__(
        self,
        timeperiod1: int = 7,
        timeperiod2: int = 14,
        timeperiod3: int = 28,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class VORTEX(Definition):
    """Vortex indicator, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out2, nan: _Nan = None
    ) -> VORTEXResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> VORTEXResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> VORTEXResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[VORTEXResult[float]]: ...

class VHF(Definition):
    """Vertical horizontal filter, with its parameters bound."""

    def __init__(self, timeperiod: int = 28, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ER(Definition):
    """Efficiency ratio, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class DPO(Definition):
    """Detrended price oscillator, with its parameters bound."""

    def __init__(self, timeperiod: int = 20, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class FOSC(Definition):
    """Forecast oscillator, with its parameters bound."""

    def __init__(self, timeperiod: int = 5, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class COPPOCK(Definition):
    """Coppock curve, with its parameters bound."""

    def __init__(
        self, wmaperiod: int = 10, roc1period: int = 11, roc2period: int = 14, *, real: str = "close"
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ERI(Definition):
    """Elder-ray index, with its parameters bound."""

    def __init__(self, timeperiod: int = 13, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out2, nan: _Nan = None
    ) -> ERIResult[_Array]: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> ERIResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> ERIResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[ERIResult[float]]: ...

class AO(Definition):
    """Awesome oscillator, with its parameters bound."""

    def __init__(self, fastperiod: int = 5, slowperiod: int = 34, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class AC(Definition):
    """Accelerator oscillator, with its parameters bound."""

    def __init__(
        self, fastperiod: int = 5, slowperiod: int = 34, signalperiod: int = 5, *, high: str = "high", low: str = "low"
    ) -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class WAD(Definition):
    """Williams' accumulation/distribution, with its parameters bound."""

    def __init__(self, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class AROON(Definition):
    """Aroon, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Out2, nan: _Nan = None) -> AROONResult[_Array]: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> AROONResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> AROONResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[AROONResult[float]]: ...

class AROONOSC(Definition):
    """Aroon oscillator, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class FRACTAL(Definition):
    """Williams fractal, with its parameters bound."""

    def __init__(self, leftbars: int = 2, rightbars: int = 2, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Out2, nan: _Nan = None) -> FRACTALResult[_Array]: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> FRACTALResult[_S]: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> FRACTALResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[FRACTALResult[float]]: ...

class OBV(Definition):
    """On balance volume, with its parameters bound."""

    def __init__(self, *, real: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class VWAP(Definition):
    """Volume weighted average price, with its parameters bound."""

    def __init__(
        self, *, high: str = "high", low: str = "low", close: str = "close", volume: str = "volume"
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class AD(Definition):
    """Chaikin accumulation/distribution line, with its parameters bound."""

    def __init__(
        self, *, high: str = "high", low: str = "low", close: str = "close", volume: str = "volume"
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ADOSC(Definition):
    """Chaikin oscillator, with its parameters bound."""

    def __init__(
        self,
        fastperiod: int = 3,
        slowperiod: int = 10,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
        volume: str = "volume",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CMF(Definition):
    """Chaikin money flow, with its parameters bound."""

    def __init__(
        self,
        timeperiod: int = 20,
        *,
        high: str = "high",
        low: str = "low",
        close: str = "close",
        volume: str = "volume",
    ) -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        high: _S,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        volume: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class EFI(Definition):
    """Elder's force index, with its parameters bound."""

    def __init__(self, timeperiod: int = 13, *, close: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MARKETFI(Definition):
    """Market facilitation index, with its parameters bound."""

    def __init__(self, *, high: str = "high", low: str = "low", volume: str = "volume") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class NVI(Definition):
    """Negative volume index, with its parameters bound."""

    def __init__(self, *, close: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PVI(Definition):
    """Positive volume index, with its parameters bound."""

    def __init__(self, *, close: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PVO(Definition):
    """Percentage volume oscillator, with its parameters bound."""

    def __init__(
        self, fastperiod: int = 12, slowperiod: int = 26, matype: int = 1, *, volume: str = "volume"
    ) -> None: ...
    @overload
    def __call__(self, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, volume: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PVT(Definition):
    """Price volume trend, with its parameters bound."""

    def __init__(self, *, close: str = "close", volume: str = "volume") -> None: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, close: _S, volume: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, close: ArrayLike, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class RVOL(Definition):
    """Relative volume, with its parameters bound."""

    def __init__(self, timeperiod: int = 20, *, volume: str = "volume") -> None: ...
    @overload
    def __call__(self, volume: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, volume: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, volume: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ATR(Definition):
    """Average true range, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class NATR(Definition):
    """Normalized average true range, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TRANGE(Definition):
    """True range, with its parameters bound."""

    def __init__(self, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ADR(Definition):
    """Average daily range, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CVI(Definition):
    """Chaikin volatility, with its parameters bound."""

    def __init__(self, timeperiod: int = 10, rocperiod: int = 10, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MASSI(Definition):
    """Mass index, with its parameters bound."""

    def __init__(self, fastperiod: int = 9, slowperiod: int = 25, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class RVI(Definition):
    """Relative volatility index, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, stddevperiod: int = 10, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class AVGPRICE(Definition):
    """Average price, with its parameters bound."""

    def __init__(self, *, open: str = "open", high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        open: _S,
        high: _S | ArrayLike,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> _S: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MEDPRICE(Definition):
    """Median price, with its parameters bound."""

    def __init__(self, *, high: str = "high", low: str = "low") -> None: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, high: _S, low: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, high: ArrayLike, low: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TYPPRICE(Definition):
    """Typical price, with its parameters bound."""

    def __init__(self, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class WCLPRICE(Definition):
    """Weighted close, with its parameters bound."""

    def __init__(self, *, high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Array, nan: _Nan = None
    ) -> _Array: ...
    @overload
    def __call__(
        self, high: _S, low: _S | ArrayLike, close: _S | ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _S: ...
    @overload
    def __call__(
        self, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class AVGDEV(Definition):
    """Average deviation, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class HA(Definition):
    """Heikin-Ashi bars, with its parameters bound."""

    def __init__(self, *, open: str = "open", high: str = "high", low: str = "low", close: str = "close") -> None: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: _Out4, nan: _Nan = None
    ) -> HAResult[_Array]: ...
    @overload
    def __call__(
        self,
        open: _S,
        high: _S | ArrayLike,
        low: _S | ArrayLike,
        close: _S | ArrayLike,
        *,
        out: None = None,
        nan: _Nan = None,
    ) -> HAResult[_S]: ...
    @overload
    def __call__(
        self, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, out: None = None, nan: _Nan = None
    ) -> HAResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[HAResult[float]]: ...

class STDDEV(Definition):
    """Standard deviation, with its parameters bound."""

    def __init__(self, timeperiod: int = 5, nbdev: float = 1.0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class VAR(Definition):
    """Variance, with its parameters bound."""

    def __init__(self, timeperiod: int = 5, nbdev: float = 1.0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class LINEARREG(Definition):
    """Linear regression, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class LINEARREG_SLOPE(Definition):  # noqa: N801
    """Slope of the linear regression, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class LINEARREG_INTERCEPT(Definition):  # noqa: N801
    """Intercept of the linear regression, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class LINEARREG_ANGLE(Definition):  # noqa: N801
    """Angle of the linear regression, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TSF(Definition):
    """Time series forecast, with its parameters bound."""

    def __init__(self, timeperiod: int = 14, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PERCENTILE(Definition):
    """Percentile, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, percentile: float = 50.0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class PERCENTRANK(Definition):
    """Percent rank, with its parameters bound."""

    def __init__(self, timeperiod: int = 100, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CORREL(Definition):
    """Correlation coefficient, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real0: str = "high", real1: str = "low") -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class BETA(Definition):
    """Beta, with its parameters bound."""

    def __init__(self, timeperiod: int = 5, *, real0: str = "high", real1: str = "low") -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MEDIAN(Definition):
    """Median, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class QUANTILE(Definition):
    """Quantile, with its parameters bound."""

    def __init__(
        self, timeperiod: int = 30, quantile: float = 0.5, min_count: int = 0, *, real: str = "close"
    ) -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class RANK(Definition):
    """Rank, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, scale: int = 0, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SKEW(Definition):
    """Skewness, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class KURT(Definition):
    """Kurtosis, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ZSCORE(Definition):
    """Standard score, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class COV(Definition):
    """Covariance, with its parameters bound."""

    def __init__(
        self, timeperiod: int = 30, min_count: int = 0, *, real0: str = "high", real1: str = "low"
    ) -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ARGMIN(Definition):
    """Bars since the lowest, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ARGMAX(Definition):
    """Bars since the highest, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, min_count: int = 0, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class HT_DCPERIOD(Definition):  # noqa: N801
    """Hilbert transform: dominant cycle period, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class HT_DCPHASE(Definition):  # noqa: N801
    """Hilbert transform: dominant cycle phase, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class HT_PHASOR(Definition):  # noqa: N801
    """Hilbert transform: phasor components, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> HT_PHASORResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> HT_PHASORResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> HT_PHASORResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[HT_PHASORResult[float]]: ...

class HT_SINE(Definition):  # noqa: N801
    """Hilbert transform: sine wave, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> HT_SINEResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> HT_SINEResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> HT_SINEResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[HT_SINEResult[float]]: ...

class HT_TRENDMODE(Definition):  # noqa: N801
    """Hilbert transform: trend or cycle, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class HT_TRENDLINE(Definition):  # noqa: N801
    """Hilbert transform: instantaneous trend line, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MAMA(Definition):
    """MESA adaptive moving average, with its parameters bound."""

    def __init__(self, fastlimit: float = 0.5, slowlimit: float = 0.05, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> MAMAResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> MAMAResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> MAMAResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[MAMAResult[float]]: ...

class ADD(Definition):
    """Sum of two series, with its parameters bound."""

    def __init__(self, *, real0: str = "high", real1: str = "low") -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SUB(Definition):
    """Difference of two series, with its parameters bound."""

    def __init__(self, *, real0: str = "high", real1: str = "low") -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MULT(Definition):
    """Product of two series, with its parameters bound."""

    def __init__(self, *, real0: str = "high", real1: str = "low") -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class DIV(Definition):
    """Quotient of two series, with its parameters bound."""

    def __init__(self, *, real0: str = "high", real1: str = "low") -> None: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real0: _S, real1: _S | ArrayLike, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real0: ArrayLike, real1: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CUMSUM(Definition):
    """Running total, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SUM(Definition):
    """Sum of a window, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MIN(Definition):
    """Lowest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MAX(Definition):
    """Highest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MINMAX(Definition):
    """Lowest and highest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> MINMAXResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> MINMAXResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> MINMAXResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[MINMAXResult[float]]: ...

class MININDEX(Definition):
    """Index of the lowest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MAXINDEX(Definition):
    """Index of the highest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class MINMAXINDEX(Definition):
    """Indexes of the lowest and the highest value, with its parameters bound."""

    def __init__(self, timeperiod: int = 30, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Out2, nan: _Nan = None) -> MINMAXINDEXResult[_Array]: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> MINMAXINDEXResult[_S]: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> MINMAXINDEXResult[_Array]: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[MINMAXINDEXResult[float]]: ...

class ACOS(Definition):
    """Arc cosine, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ASIN(Definition):
    """Arc sine, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class ATAN(Definition):
    """Arc tangent, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class CEIL(Definition):
    """Ceiling, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class COS(Definition):
    """Cosine, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class COSH(Definition):
    """Hyperbolic cosine, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class EXP(Definition):
    """Exponential function, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class FLOOR(Definition):
    """Floor, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class LN(Definition):
    """Natural logarithm, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class LOG10(Definition):
    """Logarithm to base 10, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SIN(Definition):
    """Sine, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SINH(Definition):
    """Hyperbolic sine, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class SQRT(Definition):
    """Square root, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TAN(Definition):
    """Tangent, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

class TANH(Definition):
    """Hyperbolic tangent, with its parameters bound."""

    def __init__(self, *, real: str = "close") -> None: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: _Array, nan: _Nan = None) -> _Array: ...
    @overload
    def __call__(self, real: _S, *, out: None = None, nan: _Nan = None) -> _S: ...
    @overload
    def __call__(self, real: ArrayLike, *, out: None = None, nan: _Nan = None) -> _Array: ...
    def live(self, *history: ArrayLike, nan: _Nan = None) -> Live[float]: ...

sma: _Sma
ema: _Ema
wma: _Wma
dema: _Dema
tema: _Tema
trima: _Trima
t3: _T3
rma: _Rma
hma: _Hma
zlema: _Zlema
vwma: _Vwma
kama: _Kama
ma: _Ma
mavp: _Mavp
midpoint: _Midpoint
midprice: _Midprice
bbands: _Bbands
accbands: _Accbands
donchian: _Donchian
kc: _Kc
sar: _Sar
sarext: _Sarext
supertrend: _Supertrend
rsi: _Rsi
macd: _Macd
macdext: _Macdext
macdfix: _Macdfix
apo: _Apo
ppo: _Ppo
stoch: _Stoch
stochf: _Stochf
stochrsi: _Stochrsi
kdj: _Kdj
willr: _Willr
smi: _Smi
mom: _Mom
roc: _Roc
rocp: _Rocp
rocr: _Rocr
rocr100: _Rocr100
trix: _Trix
tsi: _Tsi
cmo: _Cmo
cmou: _Cmou
plus_dm: _PlusDm
minus_dm: _MinusDm
plus_di: _PlusDi
minus_di: _MinusDi
dx: _Dx
adx: _Adx
adxr: _Adxr
bop: _Bop
cci: _Cci
mfi: _Mfi
imi: _Imi
qstick: _Qstick
ultosc: _Ultosc
vortex: _Vortex
vhf: _Vhf
er: _Er
dpo: _Dpo
fosc: _Fosc
coppock: _Coppock
eri: _Eri
ao: _Ao
ac: _Ac
wad: _Wad
aroon: _Aroon
aroonosc: _Aroonosc
fractal: _Fractal
obv: _Obv
vwap: _Vwap
ad: _Ad
adosc: _Adosc
cmf: _Cmf
efi: _Efi
marketfi: _Marketfi
nvi: _Nvi
pvi: _Pvi
pvo: _Pvo
pvt: _Pvt
rvol: _Rvol
atr: _Atr
natr: _Natr
trange: _Trange
adr: _Adr
cvi: _Cvi
massi: _Massi
rvi: _Rvi
avgprice: _Avgprice
medprice: _Medprice
typprice: _Typprice
wclprice: _Wclprice
avgdev: _Avgdev
ha: _Ha
stddev: _Stddev
var: _Var
linearreg: _Linearreg
linearreg_slope: _LinearregSlope
linearreg_intercept: _LinearregIntercept
linearreg_angle: _LinearregAngle
tsf: _Tsf
percentile: _Percentile
percentrank: _Percentrank
correl: _Correl
beta: _Beta
median: _Median
quantile: _Quantile
rank: _Rank
skew: _Skew
kurt: _Kurt
zscore: _Zscore
cov: _Cov
argmin: _Argmin
argmax: _Argmax
ht_dcperiod: _HtDcperiod
ht_dcphase: _HtDcphase
ht_phasor: _HtPhasor
ht_sine: _HtSine
ht_trendmode: _HtTrendmode
ht_trendline: _HtTrendline
mama: _Mama
add: _Add
sub: _Sub
mult: _Mult
div: _Div
cumsum: _Cumsum
sum: _Sum
min: _Min
max: _Max
minmax: _Minmax
minindex: _Minindex
maxindex: _Maxindex
minmaxindex: _Minmaxindex
acos: _Acos
asin: _Asin
atan: _Atan
ceil: _Ceil
cos: _Cos
cosh: _Cosh
exp: _Exp
floor: _Floor
ln: _Ln
log10: _Log10
sin: _Sin
sinh: _Sinh
sqrt: _Sqrt
tan: _Tan
tanh: _Tanh
