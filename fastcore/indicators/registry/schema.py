"""What a row of the table of indicators is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from python_fallback.shared import indicators as shared

__all__ = [
    "INPUTS",
    "MATYPES",
    "MISSING_DATA",
    "PERIOD_MAX",
    "REAL_MAX",
    "WILDER",
    "Indicator",
    "Output",
    "Param",
    "column",
    "matype",
    "number",
    "outputs",
    "period",
    "row",
]

PERIOD_MAX = 100_000
REAL_MAX = 3e37
MATYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "simple (SMA)",
        1: "exponential (EMA)",
        2: "weighted (WMA)",
        3: "double exponential (DEMA)",
        4: "triple exponential (TEMA)",
        5: "triangular (TRIMA)",
        6: "adaptive (KAMA)",
        7: "MESA adaptive (MAMA)",
        8: "T3",
        9: "Hull (HMA)",
        10: "none",
        11: "the function's own",
        12: "zero lag (ZLEMA)",
        13: "Wilder's (RMA)",
    }
)

# How an indicator meets a missing value, which is one that is not finite.
MissingData = Literal["bar", "window", "count", "recurrence", "mixed"]
MISSING_DATA: Mapping[str, str] = MappingProxyType(
    {
        "bar": "A missing bar has no result; the others are not affected.",
        "window": "The result is NaN while a missing value is in the window, and right again once it has left.",
        "count": "Missing values in the window do not count: the result is NaN where fewer than min_count "
        "others, all of them by default, are there.",
        "recurrence": "A bar with a missing value is skipped: its result is NaN, and the next bars continue as if it "
        "did not exist.",
        "mixed": "Results of a window are NaN while a missing value is in it; exponential averages skip missing "
        "values.",
    }
)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: an int in lo..hi, a float in lo..hi, or the number of a moving average."""

    name: str
    kind: Literal["int", "float", "matype"]
    default: float
    lo: float
    hi: float
    doc: str

    @property
    def annotation(self) -> str:
        return "float" if self.kind == "float" else "int"


@dataclass(frozen=True, slots=True)
class Output:
    """An output: its name here, and TA-Lib's."""

    name: str
    talib: str
    doc: str


@dataclass(frozen=True, slots=True, eq=False)
class Indicator:
    """One row: everything about an indicator except its arithmetic. Rows are compared by identity."""

    name: str
    title: str
    group: str
    inputs: tuple[str, ...]
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    formula: str
    source: str
    notes: str = ""

    @property
    def definition(self) -> str:
        """The name of its definition class, which is TA-Lib's name of the function."""
        return self.name.upper()

    @property
    def result(self) -> str:
        """The name of the named tuple of its outputs; empty where there is one output."""
        return f"{self.definition}Result" if len(self.outputs) > 1 else ""

    def lookback(self, *params: float) -> int:
        """Return how many bars of clean data come before the first result with these parameters."""
        return shared.lookback(self.program(params))

    def program(self, values: Sequence[float]) -> shared.Program:
        """Return what its definition comes to with these parameters."""
        return shared.program_of(self.name, tuple(map(float, values)))

    def core(self, values: tuple[float, ...]) -> tuple[Any, tuple[float, ...]]:
        """What a twin takes for it: its name and parameters."""
        return self.name, values

    @property
    def missing(self) -> MissingData:
        """How it meets missing data; with the moving averages that it may take, where it takes one."""
        found: set[MissingData] = set()
        for turn in (0.0, 1.0):
            params = [turn if param.kind == "matype" else param.default for param in self.params]
            found.add(shared.missing_data(self.program(params)))
        return found.pop() if len(found) == 1 else "mixed"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of a call's arguments, in order."""
        return (*self.inputs, *(param.name for param in self.params))


# What each input is, and the column a Plan takes it from.
INPUTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "real": ("close", "Any series, usually closing prices."),
        "real0": ("high", "The first series."),
        "real1": ("low", "The second series."),
        "open": ("open", "The opening price of each bar."),
        "high": ("high", "The highest price of each bar."),
        "low": ("low", "The lowest price of each bar."),
        "close": ("close", "The closing price of each bar."),
        "volume": ("volume", "The volume traded in each bar."),
        "periods": ("periods", "How many bars the average has at each bar."),
    }
)

WILDER = "J. Welles Wilder, New Concepts in Technical Trading Systems, 1978"


def column(name: str) -> str:
    """The column that a Plan takes the input `name` from."""
    return INPUTS[name][0] if name in INPUTS else name


def period(default: int, lo: int, doc: str = "Bars in the window.", name: str = "timeperiod") -> Param:
    """A number of bars."""
    return Param(name, "int", default, lo, PERIOD_MAX, doc)


def matype(doc: str, name: str = "matype", default: int = 0) -> Param:
    """The number of a moving average."""
    return Param(name, "matype", default, min(MATYPES), max(MATYPES), doc)


def number(name: str, default: float, doc: str, lo: float = -REAL_MAX, hi: float = REAL_MAX) -> Param:
    """A real parameter."""
    return Param(name, "float", default, lo, hi, doc)


def outputs(**docs: str) -> tuple[Output, ...]:
    """Several outputs: name here, or ``here__talib``, to what it is."""
    return tuple(Output(name.partition("__")[0], name.rpartition("__")[2], doc) for name, doc in docs.items())


def row(
    group: str,
    name: str,
    title: str,
    inputs: str,
    params: Sequence[Param],
    gives: str | tuple[Output, ...],
    formula: str,
    source: str,
    notes: str = "",
) -> Indicator:
    """A row; `gives` says what its one output is, or lists the outputs."""
    out = (Output("real", "real", gives),) if isinstance(gives, str) else gives
    return Indicator(name, title, group, tuple(inputs.split()), tuple(params), out, formula, source, notes)
