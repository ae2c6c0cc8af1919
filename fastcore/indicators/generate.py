"""Generates the committed files that follow from the registry: the stub of this package, and the docs pages.

Run ``python -m fastcore.indicators.generate`` in a checkout after changing a row; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastcore.indicators.pages import PAGES
from fastcore.indicators.registry import INDICATORS, INPUTS, Indicator, Param

__all__ = ["FILES", "stub"]

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
        + _method("live", ["self", "*history: ArrayLike", "nan: _Nan = None"], f"Live[{value}]")
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


_ROOT = Path(__file__).resolve().parents[2]
FILES: dict[Path, Callable[[], str]] = {
    _ROOT / "fastcore" / "indicators" / "__init__.pyi": stub,
    **{_ROOT / "docs" / name: write for name, write in PAGES.items()},
}


if __name__ == "__main__":
    for path, write in FILES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(write(), encoding="utf-8")
        print(f"wrote {path.relative_to(_ROOT)}")
