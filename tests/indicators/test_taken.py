"""Operators that do the work of those before them over whole series: as if each were carried out by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastcore.dispatch import backends
from python_fallback.shared.indicators.tracing import trace

LENGTHS = (1, 2, 3, 7, 40, 511, 512, 513, 1_700)


def pressure(o: Any, a: Any, b: Any, c: Any) -> Any:
    """Both differences are read twice, and each time taken."""
    up, down = a - o.previous(a, np.inf), o.previous(b, -np.inf) - b
    return o.surplus(up, down) + o.surplus(down, up) * c, (up, down)


# What is taken is an output too of the second of two programs, so that it is carried out by itself there.
CASES: dict[str, Callable[..., tuple[Any, tuple[Any, ...]]]] = {
    "ratio": lambda o, a, b, c: (o.ratio(a - b, c, 2.0), (a - b,)),
    "ratio, an operator follows": lambda o, a, b, c: (o.ratio(a - b, c) + a, (a - b,)),
    "scaled ratio": lambda o, a, b, c: (o.ratio(a - o.lag(a, 3), o.lag(a, 3)) * 100.0, (a - o.lag(a, 3),)),
    "division": lambda o, a, b, c: (o.lag((a + b) / 2.0, 2), (a + b,)),
    "division of lags": lambda o, a, b, c: ((o.lag(a, 4) + o.mean(b, 5)) / 3.0, (o.lag(a, 4) + o.mean(b, 5),)),
    "total": lambda o, a, b, c: (o.total(a * b), (a * b,)),
    "total of what is there at first": lambda o, a, b, c: (o.total(o.previous(a, 5.0) * b), (o.previous(a, 5.0) * b,)),
    "surplus": pressure,
    "one of two": lambda o, a, b, c: (o.ratio(a - b, c) + o.total(a - b), (a - b,)),
    "greatest": lambda o, a, b, c: (o.greatest(b - c, o.greatest(a, b), c), (o.greatest(a, b),)),
    "least of what is made so": lambda o, a, b, c: (
        o.least(o.least(o.least(a + b, a - b), b + c), o.least(a + c, b)),
        (o.least(a + c, b),),
    ),
    "previous": lambda o, a, b, c: (
        o.where(a > o.previous(a, np.inf), b, o.previous(c, 7.0)),
        (o.previous(a, np.inf),),
    ),
    "previous of a difference": lambda o, a, b, c: (abs(o.previous(a - b, -1.0)) * c, (o.previous(a - b, -1.0),)),
}


@pytest.fixture
def core(backend: str) -> Any:
    return backends.twin("indicators", backend)


def series(n: int, kind: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(n)
    a, b, c = (100.0 + rng.normal(size=n).cumsum() for _ in range(3))
    c[n // 3 :: 7] = 0.0
    if kind == "gaps":
        a[n // 2 : n // 2 + 3] = b[:1] = c[n // 4 : n // 4 + 1] = np.nan
    if kind == "infinite":
        a[n // 2 : n // 2 + 1] = np.inf
    if kind == "huge":
        a, b = a * 1e306, b * -1e306
    return a, b, c


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["clean", "gaps", "infinite", "huge"])
def test_taken_work_is_done_as_by_itself(core: Any, case: str, kind: str) -> None:
    calculate = CASES[case]
    joined = trace(lambda o, *x: calculate(o, *x)[0], 3, ())
    apart = trace(lambda o, *x: (calculate(o, *x)[0], *calculate(o, *x)[1]), 3, ())
    for n in LENGTHS:
        inputs = series(n, kind)
        (found,) = core.batch(joined, (), inputs)
        expected, *others = core.batch(apart, (), inputs)
        lost = np.logical_or.reduce([np.isnan(x) for x in others])  # a result is missing where another output is
        np.testing.assert_array_equal(np.where(lost, np.nan, found), expected, err_msg=f"{n} bars")
        live = core.Live(joined, ()).extend(*inputs)
        scale = 1e-12 * np.abs(live[np.isfinite(live)]).max(initial=1.0)
        np.testing.assert_allclose(found, live, rtol=1e-12, atol=scale, err_msg=f"{n} bars")
