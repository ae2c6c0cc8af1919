"""Indicators of the user's own: a function over operators becomes one with every form that a built-in has."""

from __future__ import annotations

import functools
import inspect
import keyword
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from fastcore.dispatch import backends
from fastcore.indicators import coerce
from fastcore.indicators.definition import definition_class
from fastcore.indicators.live import Live
from fastcore.indicators.registry import Indicator, Output, Param
from fastcore.indicators.registry.schema import PERIOD_MAX, REAL_MAX
from python_fallback.shared.indicators import Program, trace

__all__ = ["CustomIndicator", "indicator"]

INPUTS_MAX, PARAMS_MAX, OUTPUTS_MAX = 8, 8, 4
RESERVED = ("out", "nan")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CustomRow(Indicator):
    """A row for a function of the user's."""

    calculate: Callable[..., Any]
    result_type: type[tuple[Any, ...]] | None

    def program(self, values: Sequence[float]) -> Program:
        """Return the program with these parameters."""
        return _program(self, tuple(map(float, values)))

    def core(self, values: tuple[float, ...]) -> tuple[Any, tuple[float, ...]]:
        """What a twin takes for it: the program, and no parameters."""
        return self.program(values), ()


@functools.lru_cache(maxsize=1024)
def _program(row: CustomRow, values: tuple[float, ...]) -> Program:
    try:
        program = trace(row.calculate, len(row.inputs), values)
    except (TypeError, ValueError, AttributeError) as error:
        raise type(error)(f"{row.name}: {error}") from error
    if len(program.outputs) != len(row.outputs):
        expected = "a value" if len(row.outputs) == 1 else f"{len(row.outputs)} values"
        raise ValueError(
            f"{row.name}: expected {expected}, got {len(program.outputs)}: name them, as in "
            f'@indicator(outputs=("upper", "lower"))'
        )
    return program


class CustomIndicator:
    """What :func:`indicator` makes of a function.

    Called with data it computes whole series, as the functions of this package do; called with parameters alone it
    gives a definition, as ``RSI(14)`` does.

    Attributes
    ----------
    row : Indicator
        Its name, inputs, parameters and outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcore import indicators as ta
    >>> @ta.indicator
    ... def momentum(o, close, timeperiod=10):
    ...     return close - o.lag(close, timeperiod)
    >>> type(momentum).__name__
    'CustomIndicator'
    >>> float(momentum(np.arange(20.0), 10)[-1])
    10.0
    """

    def __init__(self, function: Callable[..., Any], outputs: Sequence[str] | None) -> None:
        functools.update_wrapper(self, function, updated=())
        self.row = _row(function, outputs)
        arguments = list(inspect.signature(function).parameters.values())[1:]
        self.__signature__ = inspect.Signature(arguments)
        self._class = definition_class(self.row, self)
        self._arms: dict[str, Callable[..., Any]] = {}
        self.row.program([param.default for param in self.row.params])  # a mistake shows where it is made

    @property
    def inputs(self) -> int:
        """How many inputs it has."""
        return len(self.row.inputs)

    def program(self, values: Sequence[float]) -> Program:
        """Return the program with these parameters."""
        return self.row.program(values)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not any(coerce.is_data(value) for value in (*args, *kwargs.values())):
            return self._class(*args, **kwargs)
        return self.compute(*args, **kwargs)

    def compute(self, *args: Any, **kwargs: Any) -> Any:
        """Compute whole series."""
        backend = backends.backend_for("indicators")
        arm = self._arms.get(backend)
        if arm is None:
            row = self.row
            params = tuple((param.name, param.kind, param.default, param.lo, param.hi) for param in row.params)
            twin = backends.twin("indicators", backend)
            arm = self._arms[backend] = twin.function(
                self, row.inputs, params, row.result_type, functools.partial(coerce.bind, row, twin=twin)
            )
        return arm(*args, **kwargs)

    def live(self, *history: Any, nan: Literal["talib"] | None = None) -> Live[Any]:
        """Return the indicator with its default parameters, ready to take one bar at a time."""
        return self._class().live(*history, nan=nan)

    def __reduce__(self) -> str:
        name: str = vars(self)["__qualname__"]  # as a function: by where it is
        return name

    def __repr__(self) -> str:
        return f"<indicator {self.row.name}({', '.join(self.row.arguments)})>"


@overload
def indicator(function: Callable[..., Any], /) -> CustomIndicator: ...
@overload
def indicator(*, outputs: Sequence[str] | None = None) -> Callable[[Callable[..., Any]], CustomIndicator]: ...
def indicator(function: Callable[..., Any] | None = None, /, *, outputs: Sequence[str] | None = None) -> Any:
    """Make an indicator of a function over operators.

    Parameters
    ----------
    function : callable
        Its first argument is the operators, by convention ``o``; then come the inputs, then the parameters with their
        defaults, an int for a number of bars. It returns a value, or a tuple of values. It is run once for each set of
        parameters, on values that note what is done with them: it must not depend on their numbers.
    outputs : sequence of str, optional
        The names of several outputs.

    Returns
    -------
    CustomIndicator
        It is called with data, or with parameters for a definition, which has the forms of the built-in ones.

    Raises
    ------
    TypeError, ValueError
        If the function's arguments are not as described, or it misuses an operator; the text names the operator.

    Examples
    --------
    >>> from fastcore import indicators as ta
    >>> @ta.indicator
    ... def force(o, close, volume, timeperiod=2):
    ...     return o.ema((close - o.lag(close, 1)) * volume, timeperiod)
    >>> force([1.0, 2.0, 4.0, 3.0], [5.0, 6.0, 7.0, 8.0])
    array([nan, nan, 10., -2.])
    >>> force(2).live([1.0, 2.0, 4.0], [5.0, 6.0, 7.0]).value
    10.0
    """
    if function is None:
        return lambda function: CustomIndicator(function, outputs)
    return CustomIndicator(function, outputs)


def _row(function: Callable[..., Any], outputs: Sequence[str] | None) -> CustomRow:
    if not callable(function):
        raise TypeError(f"indicator: expected a function, got {type(function).__name__}")
    name = getattr(function, "__name__", type(function).__name__)
    arguments = list(inspect.signature(function).parameters.values())[1:]
    for argument in arguments:
        if argument.kind is not argument.POSITIONAL_OR_KEYWORD:
            raise TypeError(f"{name}: {argument.name}: expected an argument that may be given by position and by name")
        if argument.name in RESERVED:
            raise TypeError(
                f"{name}: {argument.name}: expected another name: every indicator has a keyword of this one"
            )
    inputs = [argument.name for argument in arguments if argument.default is argument.empty]
    params = [_param(name, argument) for argument in arguments if argument.default is not argument.empty]
    if not 1 <= len(inputs) <= INPUTS_MAX or len(params) > PARAMS_MAX:
        raise TypeError(
            f"{name}: expected operators, 1 to {INPUTS_MAX} inputs and at most {PARAMS_MAX} parameters with defaults, "
            f"got {len(inputs)} inputs and {len(params)} parameters"
        )
    names = ("real",) if outputs is None else tuple(outputs)
    if isinstance(outputs, str) or not 1 <= len(names) <= OUTPUTS_MAX:
        raise TypeError(f"{name}: outputs: expected 1 to {OUTPUTS_MAX} names, got {outputs!r}")
    for output in names:
        if not isinstance(output, str) or not output.isidentifier() or keyword.iskeyword(output) or output[0] == "_":
            raise ValueError(f"{name}: outputs: expected names that may be attributes, got {output!r}")
    made = namedtuple(f"{name.title().replace('_', '')}Result", names) if len(names) > 1 else None
    if made is not None:
        made.__module__ = function.__module__
    text = (inspect.getdoc(function) or name).splitlines()[0].rstrip(".")
    return CustomRow(
        name=name,
        title=text,
        group="Custom",
        inputs=tuple(inputs),
        params=tuple(params),
        outputs=tuple(Output(output, output, output) for output in names),
        formula="that of its definition",
        source=f"{function.__module__}.{function.__qualname__}",
        notes="",
        calculate=function,
        result_type=made,
    )


def _param(name: str, argument: inspect.Parameter) -> Param:
    default = argument.default
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        raise TypeError(f"{name}: {argument.name}: expected an int or a float as default, got {default!r}")
    if isinstance(default, int):
        return Param(argument.name, "int", default, min(1, default), PERIOD_MAX, "A parameter.")
    return Param(argument.name, "float", default, -REAL_MAX, REAL_MAX, "A parameter.")
