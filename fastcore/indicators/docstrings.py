"""The docstrings of what is made from the table, in numpydoc's form."""

from __future__ import annotations

import textwrap

from fastcore.indicators.registry import INDICATORS, INPUTS, MATYPES, MISSING_DATA, Indicator, Param, column
from fastcore.indicators.registry.schema import REAL_MAX

__all__ = ["definition_doc", "function_doc", "parameter_type"]

WIDTH = 100
OUT = "Where the result is written: float64, of the inputs' shape, contiguous. It may be an input."
NAN = (
    "{'talib'}, optional",
    "Another policy towards missing data: results are those of TA-Lib, which computes with a value that is not finite, "
    "after the first complete bar, as with any number. By default the one under Notes.",
)
_HEIGHTS = ("volume", "low", "open", "close", "high")  # of the inputs of an example, in sorted columns
Entry = tuple[str, str]  # "name : type", or a type alone, and what it is


def function_doc(row: Indicator) -> str:
    """Return the docstring of the function of `row`."""
    inputs = [
        (f"{name} : array_like", f"{INPUTS[name][1]} 1-D, or 2-D with one row per symbol.") for name in row.inputs
    ]
    own = f"tuple of {len(row.outputs)} ndarray" if row.result else "ndarray"
    into = [(f"out : {own}, optional", f"{OUT} The call then returns {'them' if row.result else 'it'}.")]
    into.append((f"nan : {NAN[0]}", NAN[1]))
    kind = "ndarray, or a Series where the first Series given is one"
    if row.result:
        fields = " ".join(f"``{output.name}``: {output.doc}" for output in row.outputs)
        returns = [(row.result, f"A named tuple of arrays, or of Series. {fields}")]
    else:
        returns = [(kind, row.outputs[0].doc)]
    raises = [
        ("TypeError", "If an argument is of a type that cannot be meant."),
        (
            "ValueError",
            "If a parameter is out of its range, the inputs differ in shape or index, or `out` does not fit.",
        ),
    ]
    parts = [
        f"{row.title}.",
        _section("Parameters", inputs + _parameters(row) + into),
        _section("Returns", returns),
        _section("Raises", raises),
        _notes(row),
        _section("See Also", [(f"{row.definition} : The same with its parameters bound; it also runs live.", "")]),
        *_examples(row, f"result = ta.{row.name}({', '.join(row.inputs)})", *_shown(row)),
    ]
    return "\n\n".join(parts)


def definition_doc(row: Indicator) -> str:
    """Return the docstring of the definition class of `row`."""
    columns = [
        (f"{name} : str, default {column(name)!r}", f"The column that a Plan takes ``{name}`` from.")
        for name in row.inputs
    ]
    parts = [
        f"{row.title}, with its parameters bound.",
        "Calling it computes a whole series, :meth:`live` takes one bar at a time, a Plan takes it among others.",
        _section("Parameters", _parameters(row) + columns),
        _section("See Also", [(f"{row.name} : The function, with the formula.", "")]),
        *_examples(
            row,
            f"live = ta.{row.definition}().live({', '.join(row.inputs)})    # its state after these bars",
            "live.count",
            "500",
        ),
    ]
    return "\n\n".join(parts)


def _examples(row: Indicator, *lines: str) -> list[str]:
    """Return the section with an example: statements, then an expression, and what it gives."""
    if row.name not in INDICATORS:  # a caller's own, which is not in this package
        return []
    names = ", ".join(row.inputs)
    drawn = "0.1, 0.9, 500" if len(row.inputs) == 1 else f"0.1, 0.9, ({len(row.inputs)}, 500)"
    data = f"np.random.default_rng(1).uniform({drawn})"
    if row.inputs == ("real",) and row.group != "Math Transform":  # which is for numbers of any size
        data = "100 + np.random.default_rng(1).normal(0, 1, 500).cumsum()"
    if "high" in row.inputs:
        names, data = ", ".join(sorted(row.inputs, key=_HEIGHTS.index)), f"np.sort({data}, axis=0)"
    *statements, given = lines
    shown = [
        f">>> {line}" for line in ("import numpy as np", "from fastcore import indicators as ta", f"{names} = {data}")
    ]
    return ["\n".join(["Examples", "--------", *shown, *(f">>> {line}" for line in statements), given])]


def _shown(row: Indicator) -> tuple[str, str]:
    """Return an expression about a result, and what it gives."""
    if row.result:
        return "result._fields", repr(tuple(output.name for output in row.outputs))
    return "len(result)", "500"


def parameter_type(param: Param) -> str:
    """Return the type of `param` as numpydoc writes it."""
    if param.kind == "matype":
        allowed = "{" + ", ".join(str(number) for number in MATYPES) + "}"
        return f"{allowed}, default {param.default}"
    ranged = param.kind == "int" or param.lo > -REAL_MAX
    span = f" in {param.lo}..{param.hi if param.hi < REAL_MAX else ''}" if ranged else ""
    return f"{param.annotation}{span}, default {param.default}"


def _parameters(row: Indicator) -> list[Entry]:
    entries = []
    for param in row.params:
        doc = param.doc
        if param.kind == "matype":
            doc += " " + ", ".join(f"{number}: {name}" for number, name in MATYPES.items()) + "."
        entries.append((f"{param.name} : {parameter_type(param)}", doc))
    return entries


def _notes(row: Indicator) -> str:
    lines = [
        f"Formula: {row.formula}.",
        f"Source: {row.source}. Parameters, defaults and first results are those of TA-Lib's {row.definition}.",
        f"Missing data (not finite): {MISSING_DATA[row.missing]}",
        "The result is float64 and as long as the input; "
        f"``{row.definition}(...).lookback`` says how many NaN it begins with.",
    ]
    if row.notes:
        lines.insert(1, row.notes)
    return "Notes\n-----\n" + "\n\n".join(textwrap.fill(line, WIDTH) for line in lines)


def _section(title: str, entries: list[Entry]) -> str:
    lines = [title, "-" * len(title)]
    for head, doc in entries:
        lines.append(head)
        lines += textwrap.wrap(doc, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
