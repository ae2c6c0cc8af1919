"""Names of other indicator libraries (TA-Lib, pandas_ta, ta), and their replacements here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from fastcore.dispatch.formatting import meant
from fastcore.indicators.columns import alike
from fastcore.indicators.registry import INDICATORS, Indicator, column

__all__ = [
    "in_talib",
    "instead_of_argument",
    "instead_of_call",
    "instead_of_definition",
    "instead_of_name",
    "instead_of_output",
]

# Names of arguments there, and what they are called here, the first that the indicator has.
_ARGUMENTS = {
    **dict.fromkeys(("length", "period", "periods", "window", "n", "span"), ("timeperiod", "fastk_period")),
    **dict.fromkeys(("fast", "window_fast", "fast_period", "n_fast"), ("fastperiod",)),
    **dict.fromkeys(("slow", "window_slow", "slow_period", "n_slow"), ("slowperiod",)),
    **dict.fromkeys(("signal", "window_sign", "signal_period", "n_sign"), ("signalperiod",)),
    **dict.fromkeys(("std", "window_dev", "ndev", "num_std", "nbdev"), ("nbdevup", "nbdev")),
    **dict.fromkeys(("k", "k_period"), ("fastk_period",)),
    **dict.fromkeys(("d", "d_period", "smooth_window"), ("slowd_period",)),
    **dict.fromkeys(("mamode", "ma_type"), ("matype",)),
    **dict.fromkeys(("close", "price", "prices", "series", "source", "data", "x"), ("real", "close")),
}

# Names of functions, classes and modules there, in lower case and without "indicator" at the end.
_NAMES = {
    **dict.fromkeys(("simplemovingaverage", "movingaverage"), "sma"),
    "exponentialmovingaverage": "ema",
    **dict.fromkeys(("bb", "bollinger", "bollingerbands", "bollinger_bands", "bollinger_hband"), "bbands"),
    **dict.fromkeys(("stdev", "std", "standarddeviation"), "stddev"),
    **dict.fromkeys(("averagetruerange", "average_true_range"), "atr"),
    **dict.fromkeys(("stochastic", "stochasticoscillator", "stochf", "stochk"), "stoch"),
    **dict.fromkeys(("onbalancevolume", "on_balance_volume"), "obv"),
    **dict.fromkeys(("volumeweightedaverageprice", "volume_weighted_average_price"), "vwap"),
}
_OTHERS = {
    "abstract": "Plan(rsi=RSI(14))(frame)",
    "stream": "RSI(14).live(close), and .update(price) with each bar",
    **dict.fromkeys(("strategy", "study", "add_all_ta_features"), "Plan(rsi=RSI(14), macd=MACD())(frame)"),
    **dict.fromkeys(
        ("momentum", "trend", "volatility", "volume", "overlap", "others"), "rsi(close, 14), without a module"
    ),
    **dict.fromkeys(("get_functions", "get_function_groups"), "INDICATORS"),
    "ma_type": "matype=0 for simple, 1 for exponential averages, and so on with TA-Lib's numbers",
    "set_unstable_period": "nothing: results are those of an unstable period of 0",
}
# Other spellings of outputs.
_OUTPUTS = {
    **dict.fromkeys(("histogram", "macdhist", "macd_diff"), "hist"),
    **dict.fromkeys(("macdsignal", "macd_signal"), "signal"),
    **dict.fromkeys(("upperband", "bollinger_hband", "high"), "upper"),
    **dict.fromkeys(("middleband", "bollinger_mavg", "mid"), "middle"),
    **dict.fromkeys(("lowerband", "bollinger_lband", "low"), "lower"),
    **dict.fromkeys(("k",), "slowk"),
    **dict.fromkeys(("d",), "slowd"),
}
# The functions of TA-Lib 0.6; its candlestick patterns begin with CDL.
_TALIB = (
    " "
    "AC ACCBANDS ACOS AD ADD ADOSC ADR ADX ADXR AO APO AROON AROONOSC ASIN ATAN ATR AVGDEV AVGPRICE BBANDS BETA "
    "BOP CCI CEIL CMF CMO CMOU COPPOCK CORREL COS COSH CUMSUM CVI DEMA DIV DONCHIAN DPO DX EFI EMA ER ERI EXP "
    "FLOOR FOSC FRACTAL HA HMA HT_DCPERIOD HT_DCPHASE HT_PHASOR HT_SINE HT_TRENDLINE HT_TRENDMODE IMI KAMA KC KDJ "
    "LINEARREG LINEARREG_ANGLE LINEARREG_INTERCEPT LINEARREG_SLOPE LN LOG10 MA MACD MACDEXT MACDFIX MAMA MARKETFI "
    "MASSI MAVP MAX MAXINDEX MEDPRICE MFI MIDPOINT MIDPRICE MIN MININDEX MINMAX MINMAXINDEX MINUS_DI MINUS_DM MOM "
    "MULT NATR NVI OBV PERCENTILE PERCENTRANK PLUS_DI PLUS_DM PPO PVI PVO PVT QSTICK RMA ROC ROCP ROCR ROCR100 "
    "RSI RVI RVOL SAR SAREXT SIN SINH SMA SMI SQRT STDDEV STOCH STOCHF STOCHRSI SUB SUM SUPERTREND T3 TAN TANH "
    "TEMA TRANGE TRIMA TRIX TSF TSI TYPPRICE ULTOSC VAR VHF VORTEX VWAP VWMA WAD WCLPRICE WILLR WMA ZLEMA "
)


def instead_of_argument(name: str, known: Sequence[str]) -> str:
    """Return what an unknown keyword argument is called here: ``"; did you mean timeperiod?"``, or nothing."""
    plain = name.lower()
    alike = difflib.get_close_matches(plain, [*known, *_ARGUMENTS], 1)  # a misspelt one of those there, too
    for candidate in (*_ARGUMENTS.get(plain, ()), *(_ARGUMENTS.get(alike[0], ()) if alike else ())):
        if candidate in known:
            return f"; did you mean {candidate}?"
    return meant(name, known)


def instead_of_name(name: str) -> str:
    """Return what to write in place of a name that this package does not have."""
    plain = name.lower()
    if plain.startswith("stream_"):
        plain = "stream"
    if plain in _OTHERS:
        return f"; write {_OTHERS[plain]}."
    stem = plain.removesuffix("indicator").rstrip("_")
    found = _NAMES.get(stem, stem)
    if found in INDICATORS:
        row = INDICATORS[found]
        return f"; write {_call(row, [column(one) for one in row.inputs])}."
    return meant(name, ["Plan", "Live", "Board", *INDICATORS])


def instead_of_output(name: str, outputs: Sequence[str]) -> str:
    """Return which outputs there are, and which one was probably meant."""
    known = _OUTPUTS.get(name.lower())
    close = f"; did you mean {known}?" if known in outputs else meant(name, outputs)
    return close or f"; the outputs are {', '.join(outputs)}"


def in_talib(name: str) -> bool:
    """Whether TA-Lib has a function of that name."""
    return f" {name.upper()} " in _TALIB or name.upper().startswith("CDL")


def instead_of_call(row: Indicator, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return what to write in place of a call that was refused; nothing where that is not known."""
    unknown = next((name for name in kwargs if name not in row.arguments), None)
    if unknown is not None:
        return instead_of_argument(unknown, row.arguments)
    frame = next((value for value in (*args, *kwargs.values()) if hasattr(value, "columns")), None)
    if frame is not None:
        found = [alike(column(name), frame.columns) for name in row.inputs]
        return "" if None in found else f"; write {_call(row, [f'frame[{column!r}]' for column in found])}"
    if len(args) > len(row.inputs) and isinstance(args[0], (int, float)) and hasattr(args[-1], "__len__"):
        return f"; the data come first: write {_call(row, [column(name) for name in row.inputs])}"
    if args and all(type(value) is int for value in args):
        return f"; for a definition write {row.definition}({', '.join(map(repr, args))})"
    return ""


def instead_of_definition(row: Indicator, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return what to write in place of a definition that was refused; nothing where that is not known."""
    unknown = next((name for name in kwargs if name not in row.arguments), None)
    if unknown is not None:
        return instead_of_argument(unknown, row.arguments)
    columns = [value for value in args if isinstance(value, str)]
    if len(columns) != len(row.inputs):
        return ""
    params = [repr(value) for value in args if not isinstance(value, str)]
    named = [f"{name}={column!r}" for name, column in zip(row.inputs, columns)]
    return f"; write {row.definition}({', '.join(params + named)})"


def _call(row: Indicator, data: Sequence[str]) -> str:
    params = [f"{param.default:g}" for param in row.params if param.name == "timeperiod"]
    return f"{row.name}({', '.join([*data, *params])})"
