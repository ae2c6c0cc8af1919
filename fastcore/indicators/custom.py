"""Indicators of the user's own: a function over operators becomes one with every form that a built-in has."""

from __future__ import annotations

import functools
import inspect
import keyword
import operator
import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np

from fastcore.dispatch import backends
from fastcore.indicators import coerce
from fastcore.indicators.definition import definition_class
from fastcore.indicators.live import Live
from fastcore.indicators.registry import INDICATORS, Indicator, Output, Param
from fastcore.indicators.registry.schema import PERIOD_MAX, REAL_MAX
from python_fallback.shared.indicators import Program, trace

__all__ = ["CustomIndicator", "indicator"]

INPUTS_MAX, PARAMS_MAX, OUTPUTS_MAX = 8, 8, 4
RESERVED = ("out", "nan")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CustomRow(Indicator):
    """A row for a function of the user's."""

    traced: Callable[[tuple[float, ...]], Program]
    result_type: type[tuple[Any, ...]] | None
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)  # results of coerce for this row, freed with it

    @property
    def definition(self) -> str:
        """What a definition is called by: the user's name."""
        return self.name

    def program(self, values: Sequence[float]) -> Program:
        """Return the program with these parameters."""
        return self.traced(tuple(map(float, values)))

    def core(self, values: tuple[float, ...]) -> tuple[Any, tuple[float, ...]]:
        """What a twin takes for it: the program, and no parameters."""
        return self.program(values), ()


def _trace(calculate: Callable[..., Any], name: str, inputs: int, outputs: int, values: tuple[float, ...]) -> Program:
    try:
        program = trace(calculate, inputs, values, _complete)
    except Exception as error:
        if type(error) in (TypeError, ValueError, AttributeError):
            raise type(error)(f"{name}: {error}") from error
        note = f"raised in the indicator {name}"
        if note not in getattr(error, "__notes__", ()):  # an error that is raised again
            error.add_note(note)
        raise
    if len(program.outputs) != outputs:
        expected = "a value" if outputs == 1 else f"{outputs} values"
        raise ValueError(
            f"{name}: expected {expected}, got {len(program.outputs)}: name them, as in "
            f'@indicator(outputs=("upper", "lower"))'
        )
    return program


def _complete(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    return coerce.function_arguments(INDICATORS[name], args, kwargs)


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
        named = _named(function)
        functools.update_wrapper(self, named, updated=())
        vars(self)["__wrapped__"] = function
        arguments = _arguments(function)
        self.row = _row(function, arguments, outputs)
        self.__signature__ = inspect.Signature(arguments)
        self._class = definition_class(self.row, self)
        self._arms: dict[str, Callable[..., Any]] = {}
        self.row.program([param.default for param in self.row.params])  # a mistake shows where it is made

    @property
    def result_type(self) -> type[tuple[Any, ...]] | None:
        """The named tuple of its outputs; None where it has one output."""
        return self.row.result_type  # a pickle finds the class here

    @property
    def inputs(self) -> int:
        """How many inputs it has."""
        return len(self.row.inputs)

    def program(self, values: Sequence[float]) -> Program:
        """Return the program with these parameters."""
        return self.row.program(values)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._is_given_data(args, kwargs):
            return self.compute(*args, **kwargs)
        inputs, params = self.row.inputs, self.row.params
        if len(args) > len(params):
            known = ", ".join(param.name for param in params) or "none"
            expected = f"series ({', '.join(inputs)}), or parameters ({known}) for a definition"
            raise TypeError(f"{self.row.name}: expected {expected}, got {len(args)} numbers")
        return self._class(*args, **kwargs)

    def _is_given_data(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call has data: an argument that is no number, and as an input no name of a column."""
        if any(coerce.is_data(value) for value in (*args, *kwargs.values())):
            return True
        named = [kwargs[name] for name in self.row.inputs if name in kwargs]
        return not all(map(coerce.is_number, args)) or not all(isinstance(value, str) for value in named)

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


def _named(function: Callable[..., Any]) -> Any:
    """What has the name and the text of `function`: of a partial the function that it calls, of an object its class."""
    if not callable(function):
        raise TypeError(f"indicator: expected a function, got {type(function).__name__}")
    if isinstance(function, CustomIndicator):
        raise TypeError(f"indicator: expected a function, got {function!r}, which is an indicator")
    while isinstance(function, functools.partial):
        function = function.func
    names = [getattr(function, name, None) for name in ("__name__", "__qualname__")]
    return function if all(isinstance(name, str) for name in names) else type(function)


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the inputs and the parameters of `function`: its arguments but the first one."""
    name = _named(function).__name__
    try:
        arguments = list(inspect.signature(function).parameters.values())[1:]
    except (TypeError, ValueError):
        kind = type(function).__name__
        raise TypeError(f"{name}: expected a function whose arguments Python knows, got a {kind}") from None
    if isinstance(function, functools.partial):
        if function.args:
            raise TypeError(f"{name}: expected a partial of keyword arguments: the first argument is the operators")
        usual, by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        arguments = [one.replace(kind=usual) if one.kind is by_name else one for one in arguments]
        arguments.sort(key=lambda one: one.default is not one.empty)
    for argument in arguments:
        if argument.kind is not argument.POSITIONAL_OR_KEYWORD:
            raise TypeError(f"{name}: {argument.name}: expected an argument that may be given by position and by name")
        if argument.name in RESERVED:
            raise TypeError(
                f"{name}: {argument.name}: expected another name: every indicator has a keyword of this one"
            )
    return arguments


def _row(
    function: Callable[..., Any], arguments: Sequence[inspect.Parameter], outputs: Sequence[str] | None
) -> CustomRow:
    named = _named(function)
    name: str = named.__name__
    inputs = [argument.name for argument in arguments if argument.default is argument.empty]
    params = [_param(name, argument) for argument in arguments if argument.default is not argument.empty]
    if not 1 <= len(inputs) <= INPUTS_MAX or len(params) > PARAMS_MAX:
        raise TypeError(
            f"{name}: expected operators, 1 to {INPUTS_MAX} inputs and at most {PARAMS_MAX} parameters with defaults, "
            f"got {len(inputs)} inputs and {len(params)} parameters"
        )
    names = ("real",) if outputs is None else _output_names(name, outputs)
    calculate = function
    if isinstance(function, functools.partial):  # an argument after one that it has is taken by name alone
        calculate = _by_name(function, [argument.name for argument in arguments])
    text = (inspect.getdoc(named) or name).splitlines()[0].rstrip(".")
    return CustomRow(
        name=name,
        title=text,
        group="Custom",
        inputs=tuple(inputs),
        params=tuple(params),
        outputs=tuple(Output(output, output, output) for output in names),
        formula="that of its definition",
        source=f"{named.__module__}.{named.__qualname__}",
        notes="",
        traced=functools.lru_cache(maxsize=1024)(functools.partial(_trace, calculate, name, len(inputs), len(names))),
        result_type=_result_type(named, names) if len(names) > 1 else None,
    )


def _by_name(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    def calculate(o: Any, *given: Any) -> Any:
        return function(o, **dict(zip(names, given, strict=True)))

    return calculate


def _output_names(name: str, outputs: Any) -> tuple[str, ...]:
    if isinstance(outputs, str) or not isinstance(outputs, Sequence) or not 1 <= len(outputs) <= OUTPUTS_MAX:
        raise TypeError(f"{name}: outputs: expected 1 to {OUTPUTS_MAX} names, got {outputs!r}")
    names = tuple(outputs)
    for i, output in enumerate(names):
        if not isinstance(output, str) or not output.isidentifier() or keyword.iskeyword(output) or output[0] == "_":
            raise ValueError(f"{name}: outputs: expected names that may be attributes, got {output!r}")
        if output in names[:i]:
            raise ValueError(f"{name}: outputs: expected names that differ, got {output!r} twice")
    return names


def _result_type(named: Any, names: Sequence[str]) -> type[tuple[Any, ...]]:
    """Return the named tuple of several outputs: a pickle finds it as an attribute of the indicator."""
    title = f"{re.sub(r'[^a-zA-Z0-9]', '', named.__name__.title())}Result"
    made: type[tuple[Any, ...]] = namedtuple(title if title.isidentifier() else "IndicatorResult", names)  # type: ignore[misc]
    made.__module__ = named.__module__
    made.__qualname__ = f"{named.__qualname__}.result_type"
    return made


def _param(name: str, argument: inspect.Parameter) -> Param:
    default = argument.default
    if isinstance(default, (bool, np.bool_)) or not isinstance(default, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: {argument.name}: expected an int or a float as default, got {default!r}")
    if isinstance(default, (int, np.integer)):
        whole = operator.index(default)
        if not -PERIOD_MAX <= whole <= PERIOD_MAX:
            expected = f"an int in {-PERIOD_MAX}..{PERIOD_MAX} as default"
            raise ValueError(f"{name}: {argument.name}: expected {expected}, got {coerce.shown(whole)}")
        return Param(argument.name, "int", whole, min(1, whole), PERIOD_MAX, "A parameter.")
    number = float(default)
    if not -REAL_MAX <= number <= REAL_MAX:
        expected = f"a number in {-REAL_MAX:g}..{REAL_MAX:g} as default"
        raise ValueError(f"{name}: {argument.name}: expected {expected}, got {number!r}")
    return Param(argument.name, "float", number, -REAL_MAX, REAL_MAX, "A parameter.")
