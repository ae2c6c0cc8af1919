"""The few operators that every definition is written in.

A definition is written once, over these. ``series`` carries them out on whole series at a time, ``ticks`` one bar at
a time, keeping the state between bars; so the batch and the live form of an indicator cannot diverge.

A missing value is NaN. Operators over windows give NaN while a missing value is in the window; operators with a
memory pass over missing values as if those bars were not there, and give NaN in their place.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Value = TypeVar("Value", float, Array)


class Operators(Protocol[Value]):
    """The operators a definition may use, apart from arithmetic."""

    def complete(self, *values: Value) -> tuple[Value, ...]:
        """The values, each made missing wherever any of them is: they are there together or not at all."""

    def previous(self, x: Value, start: float = ...) -> Value:
        """The last value before this one that was not missing; `start` before there was any."""

    def sign(self, x: Value) -> Value:
        """-1, 0 or 1."""

    def greatest(self, x: Value, y: Value, z: Value) -> Value:
        """The greatest of three; missing where one of them is."""

    def ratio(self, x: Value, y: Value) -> Value:
        """x / y, and 0 where y is 0."""

    def hold(self, x: Value, weight: Value) -> Value:
        """x where `weight` is above zero, else the last such x, and 0 before the first."""

    def mean(self, x: Value, period: float) -> Value:
        """The mean of the last `period` values."""

    def deviation(self, x: Value, period: float) -> Value:
        """The population standard deviation of the last `period` values about their own mean."""

    def highest(self, x: Value, period: float) -> Value:
        """The highest of the last `period` values."""

    def lowest(self, x: Value, period: float) -> Value:
        """The lowest of the last `period` values."""

    def apart(self, x: Value, period: float, keep: float, skip: float = ...) -> Value:
        """How far exponential smoothing is from x.

        With y the smoothed value, ``y - x`` obeys ``apart = keep * (apart + x[before] - x)``. It begins with the mean
        of `period` values after `skip`.
        """

    def smooth(self, x: Value, period: float, keep: float, skip: float = ...) -> Value:
        """Exponential smoothing ``y = keep * y + (1 - keep) * x``: exactly x where x stays the same."""

    def rises(self, x: Value, period: float) -> Value:
        """The share of the rises in Wilder's averages of all changes of x; where x has not changed it stays."""

    def first(self, x: Value, weight: Value) -> Value:
        """The first x whose `weight` is not zero, from there on, and before that x itself."""

    def total(self, x: Value) -> Value:
        """The sum of all values so far."""
