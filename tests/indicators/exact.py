"""Exact references in whole numbers, which take a tenth of the time that fractions do."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

__all__ = ["mean_deviation", "root", "sliding", "whole"]


def whole(x: Any) -> tuple[list[int], int]:
    """Return the numbers of an array as whole numbers, and what these have to be divided by: a power of two."""
    exact = [value.as_integer_ratio() for value in x.tolist()]
    unit = max(below for _, below in exact)
    return [above * (unit // below) for above, below in exact], unit


def sliding(values: list[int], period: int) -> list[list[int]]:
    """Return each window."""
    return [values[end - period : end] for end in range(period, len(values) + 1)]


def root(x: Fraction) -> Fraction:
    """Return the square root, to at least seventy binary digits of what is above one."""
    return Fraction(math.isqrt(math.floor(x * 4**80)), 2**80)


def mean_deviation(window: list[int]) -> Fraction:
    n, total = len(window), sum(window)
    return Fraction(sum(abs(n * x - total) for x in window), n * n)
