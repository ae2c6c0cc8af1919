"""Functions of one number."""

from __future__ import annotations

from fastcore.indicators.registry.schema import Indicator, row

_TABLE = (
    ("acos", "Arc cosine", "acos(real)"),
    ("asin", "Arc sine", "asin(real)"),
    ("atan", "Arc tangent", "atan(real)"),
    ("ceil", "Ceiling", "ceil(real)"),
    ("cos", "Cosine", "cos(real)"),
    ("cosh", "Hyperbolic cosine", "cosh(real)"),
    ("exp", "Exponential function", "exp(real)"),
    ("floor", "Floor", "floor(real)"),
    ("ln", "Natural logarithm", "log(real)"),
    ("log10", "Logarithm to base 10", "log10(real)"),
    ("sin", "Sine", "sin(real)"),
    ("sinh", "Hyperbolic sine", "sinh(real)"),
    ("sqrt", "Square root", "sqrt(real)"),
    ("tan", "Tangent", "tan(real)"),
    ("tanh", "Hyperbolic tangent", "tanh(real)"),
)

ROWS: tuple[Indicator, ...] = tuple(
    row(
        "Math Transform",
        name,
        title,
        "real",
        (),
        "The function of each value; NaN where it has none.",
        f"``{formula}``",
        "the function of C's ``math.h``",
    )
    for name, title, formula in _TABLE
)
