"""The pages of docs/indicators: one for each group of functions, and the lists in pages that are written by hand."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fastcore.indicators.docstrings import parameter_type
from fastcore.indicators.missing import goes_on, reach_of
from fastcore.indicators.registry import INDICATORS, INPUTS, MATYPES, MISSING_DATA, Indicator, Param
from python_fallback.shared.indicators import OPERATOR_NAMES, OPERATORS, Operators, gap

__all__ = ["PAGES"]

DOCS = Path(__file__).resolve().parents[2] / "docs"

# The name of the page of each group, as in docs/reference, and what its functions have in common.
_GROUPS = {
    "Overlap Studies": ("overlap", "Averages, bands and stops, in the unit of the price."),
    "Momentum Indicators": ("momentum", "Oscillators and the movement of prices."),
    "Volume Indicators": ("volume", "What is made of prices and volumes."),
    "Volatility Indicators": ("volatility", "Ranges of prices, and how much they move."),
    "Price Transform": ("price", "Prices made of those of a bar, and windows' deviations from them."),
    "Statistic Functions": ("statistic", "Variance, regression, correlation and ranks of windows."),
    "Rolling Statistics": (
        "rolling",
        "Windows in which missing values do not count, as pandas and bottleneck have them.",
    ),
    "Cycle Indicators": ("cycle", "The dominant cycle of prices."),
    "Math Operators": (
        "math-operators",
        "Two series added, subtracted, multiplied and divided; sums and extremes of windows.",
    ),
    "Math Transform": ("math-transform", "Functions of one number, bar by bar."),
}
_WRITTEN = "<!-- Written from fastcore/indicators/registry/ by `python -m fastcore.indicators.generate`. -->"
_KINDS = {
    "map": "missing where an input is",
    "window": "missing while a missing value is in the window",
    "recurrence": "skips missing values",
    "count": "leaves missing values out of the window",
}


def _rows(group: str) -> list[Indicator]:
    return [row for row in INDICATORS.values() if row.group == group]


def _group_page(group: str) -> str:
    """Return the page of a group of functions."""
    what = _GROUPS[group][1]
    head = f"# {group}\n\n{_WRITTEN}\n\n{what} [Indicators](../indicators.md) has what all functions have in common.\n"
    return _markdown("\n".join([head, *map(_section, _rows(group))]))


def _markdown(text: str) -> str:
    """What the table writes as reStructuredText."""
    return re.sub(r"(?<!`)``(?!`)", "`", text)


def _section(row: Indicator) -> str:
    defaults = [f"{param.name}={param.default}" for param in row.params]
    signature = f"{row.name}({', '.join([*row.inputs, *defaults])})"
    definition = f"{row.definition}({', '.join(defaults)})"
    inputs = [(name, "array", INPUTS[name][1]) for name in row.inputs]
    params = [(param.name, parameter_type(param), _about(param)) for param in row.params]
    outputs = [(output.name, "array", output.doc) for output in row.outputs]
    default = tuple(param.default for param in row.params)
    lines = [
        f"## {_title(row)}\n",
        f"`{signature}`" + (f" → `{row.result}`" if row.result else "") + f"; definition `{definition}`.\n",
        f"![{row.title} of daily prices](../images/indicators/{row.name}.svg)\n",
        *_table(("argument", "type", ""), inputs + params),
        *(_table(("output", "type", ""), outputs) if row.result else [f"Gives: {outputs[0][2]}\n"]),
        f"Formula: {row.formula}.{' ' + row.notes if row.notes else ''}\n",
        f"Lookback with defaults: {row.lookback(*default)} bars. Source: {row.source}.\n",
        f"Missing data: {MISSING_DATA[row.missing]} {_gap(row, default)} {_as_talib(row)}\n",
    ]
    return "\n".join(lines)


def _title(row: Indicator) -> str:
    return f"`{row.name}`: {row.title}"


def _anchor(row: Indicator) -> str:
    """The anchor of a section's title, as renderers of Markdown make it."""
    return re.sub(r"[^\w -]", "", _title(row).lower()).replace(" ", "-")


def _gap(row: Indicator, default: tuple[float, ...]) -> str:
    bars = gap(row.program(default))
    return f"One missing bar costs {bars} result{'' if bars == 1 else 's'} with the defaults."


def _as_talib(row: Indicator) -> str:
    spoils = {
        "bar": "its bar",
        "lag": "its bar and those that look back at it",
        "window": "the windows that hold it",
        "ever": "every later bar",
    }[reach_of(row)]
    numbers = " at most: a comparison with it is false, as in TA-Lib" if goes_on(row) else ""
    return f'With `nan="talib"` a missing value spoils {spoils}{numbers}.'


def _about(param: Param) -> str:
    if param.kind != "matype":
        return param.doc
    return f"{param.doc} {', '.join(f'{number}: {name}' for number, name in MATYPES.items())}."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| `{name}` | {kind} | {doc} |" for name, kind, doc in rows]
    return [*lines, ""]


def _between(page: Path, mark: str, text: str) -> str:
    """Return the page with `text` between the comments of that mark."""
    before, begins, rest = page.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _, ends, after = rest.partition(f"\n<!-- /{mark} -->")
    if not begins or not ends:
        raise ValueError(f"{page.name}: expected a line <!-- {mark} --> and a later one <!-- /{mark} -->")
    return f"{before}{begins}{text}{ends}{after}"


def _functions() -> str:
    """Return the list of all functions by group."""
    parts = []
    for group, (page, what) in _GROUPS.items():
        links = [f"[`{row.name}`](indicators/{page}.md#{_anchor(row)})" for row in _rows(group)]
        parts.append(f"**[{group}](indicators/{page}.md).** {what} {', '.join(links)}.")
    return "\n\n".join(parts)


def _operators() -> str:
    """Return the tables of operators, under the headings that their class has."""
    source = inspect.getsource(Operators)
    parts: dict[str, list[tuple[str, str, str]]] = {}
    for found in re.finditer(r"^    (?:# ---- (?P<title>.+) ----|def (?P<name>\w+)\()", source, re.MULTILINE):
        if found["title"]:
            parts[found["title"]] = []
        elif found["name"] in OPERATOR_NAMES:
            parts[next(reversed(parts))].append(_operator(found["name"]))
    lines = []
    for title, rows in parts.items():
        if rows:
            lines += [f"### {title[0].upper()}{title[1:]}\n", *_table(("operator", "missing data", ""), rows)]
    return _markdown("\n".join(lines).rstrip())


def _operator(name: str) -> tuple[str, str, str]:
    method = getattr(Operators, name)
    arguments = str(inspect.signature(method, eval_str=False)).partition(" ->")[0]
    arguments = re.sub(r": '\w+'", "", arguments).replace("(self, ", "(").replace("nan", "NaN")
    row = OPERATORS.get(name)  # none for those that come to several, or have another name there: all look at one bar
    kind = "map" if row is None else row.kind
    about = " ".join((inspect.getdoc(method) or "").split())
    return f"o.{name}{arguments}", _KINDS[kind], re.sub(r":meth:`(\w+)`", r"`o.\1`", about)


PAGES: Mapping[str, Callable[[], str]] = {
    **{f"indicators/{page}.md": functools.partial(_group_page, group) for group, (page, _) in _GROUPS.items()},
    "indicators.md": lambda: _between(DOCS / "indicators.md", "functions", _functions()),
    "indicators/own.md": lambda: _between(DOCS / "indicators" / "own.md", "operators", _operators()),
}
