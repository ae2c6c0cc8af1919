"""Indicators as programs: definitions written once over operators, and what tracing makes of them.

A definition is a function of operators, inputs and parameters. :func:`program_of` runs it once with tracing operators;
the result, a :class:`Program`, is plain data: the nodes to carry out in order. The pure twin interprets it, the
compiled twin runs it in C. Adding an indicator takes one definition in ``definitions`` and one row in the registry.
"""

from __future__ import annotations

from python_fallback.shared.indicators.as_talib import MISSING, SUMS_AGAIN, AsTalib, Reach, reach, spoiling
from python_fallback.shared.indicators.lookup import inputs_of, program_of
from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import (
    Node,
    Program,
    fingerprint,
    first_results,
    gap,
    lookback,
    missing_data,
)
from python_fallback.shared.indicators.tracing import OPERATOR_NAMES, Operators, Value, trace

__all__ = [
    "MISSING",
    "OPERATORS",
    "OPERATOR_NAMES",
    "SUMS_AGAIN",
    "AsTalib",
    "Node",
    "Operators",
    "Program",
    "Reach",
    "Value",
    "fingerprint",
    "first_results",
    "gap",
    "inputs_of",
    "lookback",
    "missing_data",
    "program_of",
    "reach",
    "spoiling",
    "trace",
]
