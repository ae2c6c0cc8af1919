"""Statistics of a window, of which only so many values must be there."""

from __future__ import annotations

from python_fallback.shared.indicators.tracing import Operators, Value

__all__ = ["DEFINITIONS"]


def _least(timeperiod: int, min_count: int, enough: int = 1) -> int:
    """How many values must be there: all of them where min_count is 0."""
    if min_count > timeperiod:
        raise ValueError(f"min_count: expected at most timeperiod, {timeperiod}, got {min_count}")
    return max(min_count or timeperiod, enough)


def median(o: Operators, real: Value, timeperiod: int, min_count: int) -> Value:
    return o.quantile(real, timeperiod, _least(timeperiod, min_count), 0.5)


def quantile(o: Operators, real: Value, timeperiod: int, quantile: float, min_count: int) -> Value:
    return o.quantile(real, timeperiod, _least(timeperiod, min_count), quantile)


def rank(o: Operators, real: Value, timeperiod: int, scale: int, min_count: int) -> Value:
    least = _least(timeperiod, min_count)
    place = o.rank(real, timeperiod, least)
    if scale == 0:
        return place
    count = o.count(real, timeperiod, least)
    return place / count if scale == 1 else o.ratio(2.0 * (place - 1.0), count - 1.0, 1.0) - 1.0


def skew(o: Operators, real: Value, timeperiod: int, min_count: int) -> Value:
    return o.skewness(real, timeperiod, _least(timeperiod, min_count, 3))


def kurt(o: Operators, real: Value, timeperiod: int, min_count: int) -> Value:
    return o.kurtosis(real, timeperiod, _least(timeperiod, min_count, 4))


def zscore(o: Operators, real: Value, timeperiod: int, min_count: int) -> Value:
    return o.standard_score(real, timeperiod, _least(timeperiod, min_count, 2))


def cov(o: Operators, real0: Value, real1: Value, timeperiod: int, min_count: int) -> Value:
    return o.covariance(real0, real1, timeperiod, _least(timeperiod, min_count, 2))


def argmin(o: Operators, real: Value, timeperiod: int, min_count: int) -> Value:
    least = _least(timeperiod, min_count)
    return o.since_lowest(real, timeperiod) if least == timeperiod else o.age_of_lowest(real, timeperiod, least)


def argmax(o: Operators, real: Value, timeperiod: int, min_count: int) -> Value:
    least = _least(timeperiod, min_count)
    return o.since_highest(real, timeperiod) if least == timeperiod else o.age_of_highest(real, timeperiod, least)


DEFINITIONS = {
    "median": (1, median),
    "quantile": (1, quantile),
    "rank": (1, rank),
    "skew": (1, skew),
    "kurt": (1, kurt),
    "zscore": (1, zscore),
    "cov": (2, cov),
    "argmin": (1, argmin),
    "argmax": (1, argmax),
}
