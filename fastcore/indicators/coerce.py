"""Converts the arguments of a call to arrays and parameters: the only place where input is read.

Each input becomes a float64 array, contiguous, aligned and in the machine's byte order, of the shape of all others:
1-D, or 2-D with one row per symbol. A result takes the form of the first input that is a Series.
"""

from __future__ import annotations

import functools
import keyword
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcore.indicators import destination, missing
from fastcore.indicators.forms import Form, plain_series, unwrap
from fastcore.indicators.registry import INDICATORS, MATYPES, Indicator, Param
from fastcore.indicators.registry import column as column_of
from fastcore.indicators.results import result_type
from python_fallback.shared.indicators import Value

__all__ = [
    "Array",
    "Finish",
    "array",
    "arrays",
    "bind",
    "column",
    "columns",
    "count",
    "definition_arguments",
    "finisher",
    "function_arguments",
    "indices",
    "instead_of",
    "is_data",
    "is_number",
    "mapping",
    "shown",
    "values",
]

Array = NDArray[np.float64]
Finish = Callable[[tuple[Array, ...]], Any]
Made = TypeVar("Made")

_FLOAT = np.dtype(np.float64)


def bind(
    row: Indicator, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, twin: Any = None
) -> tuple[tuple[Array, ...], tuple[float, ...], Finish | None, tuple[Array, ...] | None]:
    """Return the arrays and the parameters of a call of `row`, what makes the result of the outputs, and their arrays.

    What makes the result is None where that is the one output as it is; the arrays are None where they are to be made.
    Under the policy of TA-Lib the outputs are computed here, with `twin`, and the arrays of the call are empty.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the text says which, what was expected and what came.
    """
    count = len(row.inputs)
    if count <= len(args) <= count + len(row.params):
        known = _in_order(row, args[count:], kwargs) if kwargs else args[count:]
        if known is not None and (found := plain_series(args[:count])):
            return found[0], _values(row, known) + _defaults(row)[len(known) :], finisher(row, found[1]), None
    kwargs = dict(kwargs or {})
    out = kwargs.pop("out", None)
    as_talib = missing.checked(kwargs.pop("nan", None))
    try:
        given = _function_arguments(row)(*args, **kwargs)
        inputs, form = arrays(row.inputs, given[:count])
    except (TypeError, ValueError) as error:
        from fastcore.indicators.habits import instead_of_call

        if hint := instead_of_call(row, args, kwargs):
            raise type(error)(f"{error}{hint}") from None
        raise
    values = _values(row, given[count:])
    symbols = None if form is None else form.symbols
    shape = inputs[0].shape
    own = None if out is None else destination.taken(row, out, shape)
    if symbols is not None:
        inputs = tuple(symbols.spread(x) for x in inputs)
    outputs = missing.outputs(twin, row, values, inputs) if as_talib else None
    if own is None:
        finish = finisher(row, form)
        if outputs is None:
            return inputs, values, finish, None
        return _nothing(inputs), values, _given(outputs, finish), None
    result = destination.result_in(row, own)
    if symbols is None and outputs is None:
        return destination.apart(inputs, own), values, lambda outputs: result, tuple(map(np.asarray, own))

    def put(outputs: tuple[Array, ...]) -> Any:
        destination.put(outputs if symbols is None else [symbols.gather(x) for x in outputs], own)
        return result

    if outputs is None:
        return inputs, values, put, None
    return _nothing(inputs), values, _given(outputs, put), None


def function_arguments(row: Indicator, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of a call of `row`, inputs and parameters in order, with defaults for those not given."""
    try:
        return _function_arguments(row)(*args, **kwargs)
    except TypeError as error:
        from fastcore.indicators.habits import instead_of_argument

        unknown = next((name for name in kwargs if name not in row.arguments), None)
        hint = "" if unknown is None else instead_of_argument(unknown, row.arguments)
        raise TypeError(f"{error}{hint}") from None


def _nothing(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return inputs without bars."""
    return tuple(x[..., :0] for x in inputs)


def _given(found: tuple[Array, ...], finish: Finish | None) -> Finish:
    """Return what makes the result of the outputs `found`, whatever it is given."""
    return lambda outputs: found[0] if finish is None else finish(found)


def definition_arguments(
    row: Indicator, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return the parameters and the columns of its inputs that a definition of `row` is made with."""
    if any(is_data(value) for value in (*args, *kwargs.values())):
        raise TypeError(_data_given(row, args, kwargs))
    try:
        given = _definition_arguments(row)(*args, **kwargs)
    except TypeError as error:
        from fastcore.indicators.habits import instead_of_definition

        if hint := instead_of_definition(row, args, kwargs):
            raise TypeError(f"{error}{hint}") from None
        raise
    count = len(row.params)
    columns = given[count:]
    for name, column in zip(row.inputs, columns):
        if not isinstance(column, str):
            raise TypeError(f"{name}: expected the name of a column, got {shown(column)}")
    return _values(row, given[:count]), columns


def instead_of(value: Any) -> str:
    """Return the definition to write for `value`, an indicator that was given without (); empty for anything else."""
    row = getattr(value, "row", None)
    if not isinstance(row, Indicator):
        row = INDICATORS.get(str(getattr(value, "__name__", "")).lower())
    return "" if row is None else f"{row.definition}()"


def is_data(value: Any) -> bool:
    """Whether `value` is a series, and not a parameter."""
    return isinstance(value, (list, tuple)) or (hasattr(value, "__array__") and getattr(value, "ndim", 1) != 0)


def is_number(value: Any) -> bool:
    """Whether `value` is a number, which a parameter may be and a series may not."""
    if isinstance(value, (numbers.Number, np.bool_)):
        return True
    return getattr(value, "ndim", None) == 0 and not isinstance(value, (str, bytes))


def _data_given(row: Indicator, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """What to write where a definition was called as TA-Lib's function of that name is."""
    params = [shown(value) for value in args if not is_data(value)]
    params += [f"{name}={shown(value)}" for name, value in kwargs.items() if not is_data(value)]
    data = ", ".join(map(column_of, row.inputs))
    function = f"{row.name}({', '.join([data, *params])})"
    return (
        f"{row.definition}: expected parameters, got data: write {function} or "
        f"{row.definition}({', '.join(params)})({data})"
    )


def arrays(
    names: Sequence[str], values: Sequence[Any], ndims: tuple[int, ...] = (1, 2)
) -> tuple[tuple[Array, ...], Form | None]:
    """Return the arrays of `values`, all of one shape, and the form of the first Series among them."""
    form: Form | None = None
    found = []
    for name, value in zip(names, values):
        if type(value) is np.ndarray:
            found.append(array(name, value, ndims))
            continue
        raw, own = unwrap(name, value)
        found.append(array(name, raw, ndims))
        if own is None:
            continue
        if form is None:
            form = own
        elif not form.agrees(own):
            raise ValueError(
                f"{name}: expected a Series with the index of the others, {form.bars}, got another index, of {own.bars}"
            )
    shape = found[0].shape
    if len(found) > 1 and any(x.shape != shape for x in found):
        shapes = ", ".join(str(x.shape) for x in found)
        raise ValueError(f"{', '.join(names)}: expected arrays of one shape, got {shapes}")
    return tuple(found), form


def columns(names: Sequence[str], given: Sequence[Any]) -> tuple[dict[str, Array], dict[str, Form | None]]:
    """Return the arrays of columns, all of one shape and for the same bars of one symbol, and the form of each."""
    found: dict[str, Array] = {}
    forms: dict[str, Form | None] = {}
    first: Form | None = None
    for name, value in zip(names, given):
        raw, form = unwrap(name, value)
        found[name], forms[name] = array(name, raw), form
        first = first or form
        if form is not None and first is not None and (form.symbols is not None or not first.agrees(form)):
            raise ValueError(f"{name}: expected a Series of one symbol, with the index of the others")
        if found[name].shape != found[names[0]].shape:
            raise ValueError(f"{name}: expected the shape of {names[0]}")
    return found, forms


def values(name: str, value: Any) -> Array:
    """Return the column `value` as an array; which symbol a bar is of is the caller's to know."""
    return array(name, unwrap(name, value, apart=False)[0])


def finisher(row: Indicator, form: Form | None) -> Finish | None:
    """Return what makes the result of `row` of its outputs; None where it is the one output as it is."""
    result = result_type(row)
    if form is None:
        return None if result is None else result._make  # type: ignore[attr-defined]
    wrap, symbols = form.wrap, form.symbols
    if symbols is None and result is None:
        return lambda outputs: wrap(outputs[0], None)
    titles = [output.name for output in row.outputs]

    def finish(outputs: tuple[Array, ...]) -> Any:
        if symbols is not None:
            outputs = tuple(symbols.gather(x) for x in outputs)
        return wrap(outputs[0], None) if result is None else result(*map(wrap, outputs, titles))

    return finish


def array(name: str, value: Any, ndims: tuple[int, ...] = (1, 2)) -> Array:
    """Return `value` as an array fit for the kernels; copies only what is not one already."""
    if value is None or isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"{name}: expected {_wanted(ndims)}, got {'None' if value is None else type(value).__name__}")
    if type(value) is not np.ndarray:
        try:
            value = np.asarray(value)
        except (TypeError, ValueError):
            kind = f"a {type(value).__name__} that numpy makes no array of"
            if isinstance(value, Value):
                kind = "a value of a definition: within it operators compute, as o.sma(x, 30) does"
            raise TypeError(f"{name}: expected {_wanted(ndims)}, got {kind}") from None
    if value.dtype.kind not in "iuf":
        if value.ndim == 0:
            raise TypeError(f"{name}: expected {_wanted(ndims)}, got {type(value.item()).__name__}")
        raise TypeError(f"{name}: expected numbers, got an array of dtype {value.dtype}")
    if value.ndim not in ndims:
        raise ValueError(f"{name}: expected {_wanted(ndims)}, got {_plural(value.ndim)}")
    if value.dtype is _FLOAT and value.flags.c_contiguous and value.flags.aligned:
        found: Array = value
        return found
    with np.errstate(over="ignore"):  # a longdouble out of range becomes inf, which counts as missing
        return np.require(value, np.float64, ["C", "A"])


def column(name: str, value: Any, length: int) -> Array:
    """Return `value` as a 1-D array of `length` values."""
    if type(value) is np.ndarray and value.shape == (length,) and value.dtype is _FLOAT and value.flags.carray:
        return value
    found = array(name, unwrap(name, value, apart=False)[0], (1,))
    if len(found) != length:
        raise ValueError(f"{name}: expected {length} values, got {len(found)}")
    return found


def indices(name: str, value: Any, below: int) -> NDArray[np.int64]:
    """Return `value` as 1-D indices in 0..below-1."""
    try:
        found = np.array(value)  # a copy: it cannot be changed after the checks
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected ints in 1 dimension, got a {type(value).__name__} of another form") from None
    if found.size == 0 and found.ndim == 1:
        return np.empty(0, dtype=np.int64)
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise TypeError(f"{name}: expected ints in 1 dimension, got {found.dtype} in {found.ndim}")
    if not (0 <= (low := int(found.min())) <= (high := int(found.max())) < below):
        raise ValueError(f"{name}: expected ints in 0..{below - 1}, got {low if low < 0 else high}")
    return found.astype(np.int64)


def mapping(history: Any) -> None:
    """Raise the error of a `history` that is no mapping."""
    if not isinstance(history, Mapping):
        raise TypeError(f"history: expected a mapping of column name to array, got {type(history).__name__}")


def count(name: str, value: Any, most: int) -> int:
    """Return `value` as an int in 1..most."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int in 1..{most}, got {shown(value)}")
    if not 1 <= value <= most:
        raise ValueError(f"{name}: expected an int in 1..{most}, got {shown(value)}")
    return int(value)


def _wanted(ndims: tuple[int, ...]) -> str:
    return f"numbers in {'1 or 2 dimensions' if len(ndims) > 1 else _plural(ndims[0])}"


def _plural(dimensions: int) -> str:
    return f"{dimensions} dimension{'' if dimensions == 1 else 's'}"


def _of_row(make: Callable[[Indicator], Made]) -> Callable[[Indicator], Made]:
    """As functools.cache, but results for a row of the user's are stored on that row, and freed with it."""
    built_in = functools.cache(make)

    def found(row: Indicator) -> Made:
        kept: dict[Any, Made] | None = getattr(row, "kept", None)
        if kept is None:
            return built_in(row)
        if make not in kept:
            kept[make] = make(row)
        return kept[make]

    return found


@_of_row
def _function_arguments(row: Indicator) -> Callable[..., tuple[Any, ...]]:
    return _parser(row.name, [*row.inputs, *(f"{param.name}={param.default!r}" for param in row.params)])


@_of_row
def _definition_arguments(row: Indicator) -> Callable[..., tuple[Any, ...]]:
    columns = [f"{name}={column_of(name)!r}" for name in row.inputs]
    return _parser(row.definition, [*(f"{param.name}={param.default!r}" for param in row.params), "*", *columns])


def _parser(name: str, arguments: Sequence[str]) -> Callable[..., tuple[Any, ...]]:
    """Return a function that gives its arguments back: Python itself reads them and words the errors."""
    names = [argument.partition("=")[0] for argument in arguments if argument != "*"]
    title = name if name.isidentifier() and not keyword.iskeyword(name) else "indicator"  # as of a lambda
    scope: dict[str, Any] = {}
    exec(f"def {title}({', '.join(arguments)}): return ({', '.join(names)},)", scope)
    parse: Callable[..., tuple[Any, ...]] = scope[title]
    return parse


@_of_row
def _defaults(row: Indicator) -> tuple[float, ...]:
    return tuple(float(param.default) for param in row.params)


def _in_order(row: Indicator, given: Sequence[Any], named: Mapping[str, Any]) -> Sequence[Any] | None:
    """The parameters of a call, in order; None where there are other arguments, or one twice."""
    values = [*given, *(named.get(param.name, param.default) for param in row.params[len(given) :])]
    known = {param.name for param in row.params[len(given) :]}
    return values if named.keys() <= known else None


def _values(row: Indicator, given: Sequence[Any]) -> tuple[float, ...]:
    return tuple(_value(param, value) for param, value in zip(row.params, given))


def _value(param: Param, value: Any) -> float:
    if type(value) is int and param.lo <= value <= param.hi and (param.kind != "matype" or value in MATYPES):
        return float(value)
    whole = param.kind != "float"
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{param.name}: expected {_range(param)}, got {shown(value)}")
    try:
        number = float(int.__index__(value) if isinstance(value, int) else value)  # a subclass may lie
    except OverflowError:
        number = math.inf
    if not param.lo <= number <= param.hi or (param.kind == "matype" and number not in MATYPES):
        raise ValueError(f"{param.name}: expected {_range(param)}, got {shown(value)}")
    return number


def _range(param: Param) -> str:
    if param.kind == "matype":
        return f"one of {', '.join(f'{number} {name}' for number, name in MATYPES.items())}"
    return f"an int in {param.lo}..{param.hi}" if param.kind == "int" else f"a number in {param.lo:g}..{param.hi:g}"


def shown(value: Any) -> str:
    """Return `value` as an error shows it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, float, str)):
        text = repr(value)
    elif isinstance(value, int):
        text = repr(value) if abs(value) < 1e18 else "an int past 1e18"
    else:
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."
