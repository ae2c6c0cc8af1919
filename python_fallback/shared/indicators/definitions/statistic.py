"""Statistics of a window."""

from __future__ import annotations

import math

from python_fallback.shared.indicators.tracing import Operators, Value


def stddev(o: Operators, real: Value, timeperiod: int, nbdev: float) -> Value:
    return nbdev * o.deviation(real, timeperiod)


def var(o: Operators, real: Value, timeperiod: int, nbdev: float) -> Value:
    return o.variance(real, timeperiod)  # TA-Lib takes nbdev and does nothing with it


def linearreg(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.line(real, timeperiod, timeperiod - 1)


def linearreg_intercept(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.line(real, timeperiod, 0)


def linearreg_slope(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.slope(real, timeperiod)


def linearreg_angle(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.map("atan", o.slope(real, timeperiod)) * (180.0 / math.pi)


def tsf(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.line(real, timeperiod, timeperiod)


def correl(o: Operators, real0: Value, real1: Value, timeperiod: int) -> Value:
    return o.correlation(real0, real1, timeperiod)


def beta(o: Operators, real0: Value, real1: Value, timeperiod: int) -> Value:
    before0, before1 = o.lag(real0, 1), o.lag(real1, 1)
    return o.beta(o.ratio(real0 - before0, before0), o.ratio(real1 - before1, before1), timeperiod)


def percentile(o: Operators, real: Value, timeperiod: int, percentile: float) -> Value:
    return o.quantile(real, timeperiod, timeperiod, percentile / 100.0, 1)


def percentrank(o: Operators, real: Value, timeperiod: int) -> Value:
    return o.rank(real, timeperiod + 1, timeperiod + 1, 1) * 100.0 / timeperiod


DEFINITIONS = {
    "percentile": (1, percentile),
    "percentrank": (1, percentrank),
    "stddev": (1, stddev),
    "var": (1, var),
    "linearreg": (1, linearreg),
    "linearreg_intercept": (1, linearreg_intercept),
    "linearreg_slope": (1, linearreg_slope),
    "linearreg_angle": (1, linearreg_angle),
    "tsf": (1, tsf),
    "correl": (2, correl),
    "beta": (2, beta),
}
