"""Generates the committed files that follow from the registry: the stub of this package, and the docs page.

Run ``python -m fastcore.indicators.generate`` in a checkout after changing a row; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fastcore.indicators.docstrings import parameter_type
from fastcore.indicators.missing import GIVES_NUMBERS, reach_of
from fastcore.indicators.registry import INDICATORS, INPUTS, MATYPES, MISSING_DATA, Indicator, Param

__all__ = ["FILES", "page", "stub"]

WIDTH = 120
_EXCUSED = "  # noqa: N801"

_STUB_HEAD = '''\
"""The types of this package, written from registry/ by ``python -m fastcore.indicators.generate``."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcore.dispatch.switch import Switch
from fastcore.indicators.board import Board as Board
from fastcore.indicators.custom import CustomIndicator as CustomIndicator
from fastcore.indicators.custom import indicator as indicator
from fastcore.indicators.definition import Definition as Definition
from fastcore.indicators.live import Live as Live
from fastcore.indicators.plan import Plan as Plan
from fastcore.indicators.registry import Indicator

class _Series(Protocol):
    """What a Series of pandas or polars has and an array has not."""

    @property
    def name(self) -> Any: ...
    def to_numpy(self) -> Any: ...

_T = TypeVar("_T")
_S = TypeVar("_S", bound=_Series)
_Array = NDArray[np.float64]
_Nan = Literal["talib"] | None
_Out2 = tuple[_Array | None, _Array | None]
_Out3 = tuple[_Array | None, _Array | None, _Array | None]
_Out4 = tuple[_Array | None, _Array | None, _Array | None, _Array | None]

INDICATORS: Mapping[str, Indicator]
'''

_PAGE_HEAD = """\
# Indicators

<!-- Written from fastcore/indicators/registry/ by `python -m fastcore.indicators.generate`. -->

Every indicator is a function of whole series, and a definition that binds its parameters and also runs live:

```python
import numpy as np
import pandas as pd
from fastcore import indicators as ta

close = 100 + np.random.default_rng(0).normal(size=500).cumsum()
frame = pd.DataFrame({"close": close})

ta.rsi(close, 14)                       # ndarray, list, Series of pandas or polars; 1-D, or 2-D with one row per symbol
live = ta.RSI(14).live(close)
live.update(187.2)                      # also live.peek(187.3), live.value, live.copy()
plan = ta.Plan(rsi=ta.RSI(14), macd=ta.MACD(12, 26, 9))
plan(frame)                             # a frame with the columns rsi, macd_macd, macd_signal, macd_hist
board = plan.live(symbols=10_000)
board.update(close=np.full(10_000, 187.2))
board["rsi"], board["macd"].signal      # one value per symbol
board.ready                             # for each symbol, whether every indicator has a value
board.add(100)                          # more symbols, also with history=
board.reset(at=[3], names=["rsi"])      # begins again, as for a new session
```

A result is float64, as long as its input, and begins with as many NaN as the lookback says. Several outputs come as a
named tuple. Names, parameters, defaults and first results are those of TA-Lib, the names in lower case for functions.
A definition takes the column of an input by its name: `ta.SMA(20, real="volume")`; where a column is missing the
error lists the existing ones and what to write.

**Results in your own arrays.** `ta.rsi(close, 14, out=array)` writes the result into a contiguous float64 array of the
input's shape and returns it; several outputs take a tuple, in which None stands for a new array. `out` may be an input.
`plan(columns, out={"rsi": array})` does so for a mapping of arrays. For a column of a frame, set it to the result.

**Long tables.** A Series or a frame of pandas whose MultiIndex has one level of times (a datetime, period or timedelta
index, or a level called `time`, `timestamp`, `datetime` or `date`) is computed symbol by symbol, in any order of rows;
the other levels say which symbol a bar is of. Any other MultiIndex is refused. Of columns with several levels, as
yfinance gives them, a plan takes those of one ticker.

**Methods of frames.** `import fastcore.indicators.accessor` gives frames and Series of pandas the attribute `fast`:
`frame.fast.rsi(14)`, `frame.fast.macd()`, `frame.fast.plan(plan)`, with long tables too, and
`frame.groupby("symbol")["close"].transform(lambda close: close.fast.rsi(14))`. A plan of a polars LazyFrame is lazy.

**Halted symbols.** While a price stays the same, windows that hold nothing else and averages that have converged give
exactly that price, deviations and ranges exactly 0, and RSI its last value. Contributions of older prices below 2^-160
of the price are dropped, so that a halted symbol takes no longer than another.

**Your own.** A function over operators becomes an indicator with all these forms, at the speed of the built-in ones:
its first argument is the operators, then come inputs, then parameters with defaults.

```python
@ta.indicator
def force(o, close, volume, timeperiod=13):
    return o.ema((close - o.lag(close, 1)) * volume, timeperiod)

volume = np.full(500, 1000.0)
force(close, volume, 13)                # data: the whole series
force(13).live(close, volume)           # parameters alone: a definition, for live, plans and boards
```

The function is run once for each set of parameters, on values that note what is done with them; what it came to is run
by either twin. Values take part in arithmetic and comparisons; a choice is `o.where(condition, x, y)`. Every built-in
indicator is an operator too: `o.rsi(close, 14)`. The others are listed below, and a misuse says which one it was.

**Missing data.** A value that is not finite (NaN, infinite) is missing, and a bar with one missing input is a missing
bar. Its effect is stated for each indicator below. All outputs of an indicator are missing together.

**Missing data as in TA-Lib.** `ta.rsi(close, 14, nan="talib")`, also for definitions and plans, skips the bars before
the first complete one and then computes with a missing value as with any number: it spoils its bar, the bar that
looks back at it, the window that holds it, and every later bar where sums run on or averages recur. It takes another
pass over the input, and three more where a value is missing. {doc}`guides/from-talib` says where TA-Lib's own numbers
differ.
"""

_PAGE_FOOT = """
## Classes

{doc}`reference/indicators` has `Definition`, `Live`, `Plan`, `Board` and `CustomIndicator` with their methods.
"""


def stub() -> str:
    """Return the text of ``fastcore/indicators/__init__.pyi``."""
    rows = INDICATORS.values()
    parts = [_STUB_HEAD]
    parts += [_result_stub(row) for row in rows if row.result]
    parts += [_function_stub(row) for row in rows]
    parts += [_definition_stub(row) for row in rows]
    functions = [f"{row.name}: {_face(row)}" for row in rows]
    return "\n".join(parts) + "\n" + "\n".join(functions) + "\n"


def _result_stub(row: Indicator) -> str:
    fields = "\n".join(f"    {output.name}: _T" for output in row.outputs)
    return f"class {row.result}(NamedTuple, Generic[_T]):{_EXCUSED if '_' in row.name else ''}\n{fields}\n"


def _face(row: Indicator) -> str:
    """The type of the function of `row`."""
    return "_" + row.name.title().replace("_", "")


def _function_stub(row: Indicator) -> str:
    head = f'class {_face(row)}(Switch[..., Any]):\n    """{row.title}."""\n\n'
    return head + _overloads(row, [_argument(param) for param in row.params])


def _definition_stub(row: Indicator) -> str:
    columns = [f"{name}: str = {_quoted(INPUTS[name][0])}" for name in row.inputs]
    arguments = ["self", *(_argument(param) for param in row.params), "*", *columns]
    value = f"{row.result}[float]" if row.result else "float"
    return (
        f"class {row.definition}(Definition):{_EXCUSED if '_' in row.name else ''}\n"
        + f'    """{row.title}, with its parameters bound."""\n\n'
        + _method("__init__", arguments, "None")
        + _overloads(row, [])
        + _method("live", ["self", "*history: ArrayLike"], f"Live[{value}]")
    )


def _overloads(row: Indicator, params: list[str]) -> str:
    first, *rest = row.inputs
    text = ""
    own = f"_Out{len(row.outputs)}" if row.result else "_Array"
    for lead, others, kind, out in (
        ("ArrayLike", "ArrayLike", "_Array", own),
        ("_S", "_S | ArrayLike", "_S", "None = None"),
        ("ArrayLike", "ArrayLike", "_Array", "None = None"),
    ):
        arguments = [
            "self",
            f"{first}: {lead}",
            *(f"{name}: {others}" for name in rest),
            *params,
            "*",
            f"out: {out}",
            "nan: _Nan = None",
        ]
        text += "    @overload\n" + _method("__call__", arguments, f"{row.result}[{kind}]" if row.result else kind)
    return text


def _method(name: str, arguments: list[str], result: str) -> str:
    """Lay a method out as the formatter would."""
    joined = ", ".join(arguments)
    line = f"    def {name}({joined}) -> {result}: ...\n"
    if len(line) <= WIDTH + 1:
        return line
    inner = f"        {joined}\n"
    if len(inner) > WIDTH + 1:
        inner = "".join(f"        {argument},\n" for argument in arguments)
    return f"    def {name}(\n{inner}    ) -> {result}: ...\n"


def _argument(param: Param) -> str:
    return f"{param.name}: {param.annotation} = {param.default!r}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def page() -> str:
    """Return the text of ``docs/indicators.md``."""
    parts = [_PAGE_HEAD]
    for group in dict.fromkeys(row.group for row in INDICATORS.values()):
        rows = [row for row in INDICATORS.values() if row.group == group]
        parts += [f"## {group}\n", *map(_section, rows)]
    body = re.sub(r"(?<!`)``(?!`)", "`", "\n".join(parts))  # what the table writes as reStructuredText
    return body + _PAGE_FOOT


def _section(row: Indicator) -> str:
    defaults = [f"{param.name}={param.default}" for param in row.params]
    signature = f"{row.name}({', '.join([*row.inputs, *defaults])})"
    definition = f"{row.definition}({', '.join(defaults)})"
    inputs = [(name, "array", INPUTS[name][1]) for name in row.inputs]
    params = [(param.name, parameter_type(param), _about(param)) for param in row.params]
    outputs = [(output.name, "array", output.doc) for output in row.outputs]
    default = tuple(param.default for param in row.params)
    lines = [
        f"### {row.title}\n",
        f"`{signature}`" + (f" → `{row.result}`" if row.result else "") + f"; definition `{definition}`.\n",
        *_table(("argument", "type", ""), inputs + params),
        *(_table(("output", "type", ""), outputs) if row.result else [f"Gives: {outputs[0][2]}\n"]),
        f"Formula: {row.formula}.{' ' + row.notes if row.notes else ''}\n",
        f"Lookback with defaults: {row.lookback(*default)} bars. Source: {row.source}.\n",
        f"Missing data: {MISSING_DATA[row.missing]} {_as_talib(row)}\n",
    ]
    return "\n".join(lines)


def _as_talib(row: Indicator) -> str:
    spoils = {
        "bar": "its bar",
        "lag": "its bar and those that look back at it",
        "window": "the windows that hold it",
        "ever": "every later bar",
    }[reach_of(row)]
    numbers = "; TA-Lib itself gives numbers at some of these" if row.name in GIVES_NUMBERS else ""
    return f'With `nan="talib"` a missing value spoils {spoils}{numbers}.'


def _about(param: Param) -> str:
    if param.kind != "matype":
        return param.doc
    return f"{param.doc} {', '.join(f'{number}: {name}' for number, name in MATYPES.items())}."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| `{name}` | {kind} | {doc} |" for name, kind, doc in rows]
    return [*lines, ""]


_ROOT = Path(__file__).resolve().parents[2]
FILES = {_ROOT / "fastcore" / "indicators" / "__init__.pyi": stub, _ROOT / "docs" / "indicators.md": page}


if __name__ == "__main__":
    for path, write in FILES.items():
        path.write_text(write(), encoding="utf-8")
        print(f"wrote {path.relative_to(_ROOT)}")
