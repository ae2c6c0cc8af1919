"""NumPy's assertions about arrays, in a tenth of the time where they hold; NumPy says how they fail."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["assert_allclose", "assert_array_equal"]


def assert_allclose(
    actual: Any, desired: Any, rtol: float = 1e-7, atol: float = 0.0, err_msg: str = "", strict: bool = False
) -> None:
    """As `numpy.testing.assert_allclose`."""
    pair = _floats(actual, desired)
    if pair is not None:
        a, b = pair
        with np.errstate(all="ignore"):
            near = (np.abs(a - b) <= atol + rtol * np.abs(b)) & (np.abs(b) < np.inf)
        if (near | _same(a, b)).all():
            return
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol, err_msg=err_msg, strict=strict)


def assert_array_equal(actual: Any, desired: Any, err_msg: str = "", strict: bool = False) -> None:
    """As `numpy.testing.assert_array_equal`."""
    pair = _floats(actual, desired)
    if pair is None or not _same(*pair).all():
        np.testing.assert_array_equal(actual, desired, err_msg=err_msg, strict=strict)


def _floats(actual: Any, desired: Any) -> tuple[Any, Any] | None:
    """Both as arrays of float64 of one shape, if that is what they are."""
    if {type(actual), type(desired)} <= {np.ndarray, tuple, list, float}:
        try:
            a, b = np.asarray(_plain(actual)), np.asarray(_plain(desired))
        except ValueError:  # no rectangle
            return None
        if a.dtype == b.dtype == np.float64 and a.shape == b.shape:
            return a, b
    return None


def _plain(x: Any) -> Any:
    """Named tuples as tuples: NumPy looks for attributes of each."""
    return list(map(tuple, x)) if type(x) is list and x and isinstance(x[0], tuple) else x


def _same(a: Any, b: Any) -> Any:
    return (a == b) | ((a != a) & (b != b))
