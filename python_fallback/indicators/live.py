"""An indicator that takes one bar at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from python_fallback.indicators.earlier import Earlier
from python_fallback.indicators.locked import Locked
from python_fallback.indicators.maps import Array
from python_fallback.indicators.stepper import Stepper
from python_fallback.shared.indicators import program_of


class Live(Locked):
    """An indicator after the bars it was given.

    Parameters
    ----------
    name : str or Program
    params : sequence of float
        In the order of the registry.
    result_type : callable, optional
        Makes one result of several outputs; without it they come as a tuple.
    """

    __slots__ = ("_inputs", "_outputs", "_result_type", "_stepper", "count", "name", "params")

    def __init__(self, name: Any, params: Sequence[float], result_type: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.name = name
        self.params = tuple(float(value) for value in params)
        self.count = 0
        self._result_type = result_type
        self._stepper = Stepper(program_of(name, self.params))
        self._inputs = self._stepper.program.inputs
        self._outputs = (math.nan,) * len(self._stepper.program.outputs)

    @property
    def value(self) -> Any:
        """What the last update returned; missing before the first."""
        return self._result(self._outputs)

    def update(self, *bar: float) -> Any:
        """Take the next bar and return the indicator's value at it."""
        bar = self._checked("update", bar)
        with self._lock:
            self._outputs = outputs = self._stepper.step(bar)
            self.count += 1
        return self._result(outputs)

    def peek(self, *bar: float) -> Any:
        """Return what `update` would, and change nothing."""
        bar = self._checked("peek", bar)
        with self._lock:
            stepper = self._stepper.copy()
        return self._result(stepper.step(bar))

    def extend(self, *arrays: Array) -> Any:
        """Take every bar of `arrays` in turn and return the series of values."""
        if len(arrays) != self._inputs:
            raise TypeError(f"extend: expected {_plural(self._inputs, 'array')}, got {len(arrays)}")
        shapes = {x.shape for x in arrays}
        if len(shapes) != 1 or arrays[0].ndim != 1:
            raise ValueError(
                f"extend: expected 1-D arrays of one length, got {', '.join(str(x.shape) for x in arrays)}"
            )
        with self._lock:
            steps = list(map(self._stepper.step, zip(*(x.tolist() for x in arrays))))
            self._outputs = steps[-1] if steps else self._outputs
            self.count += len(steps)
        series = np.array(steps, dtype=np.float64).reshape(len(steps), len(self._outputs)).T
        return self._result(tuple(map(np.ascontiguousarray, series)))

    def copy(self) -> Live:
        """Return an independent indicator in the same state."""
        other = Live.__new__(Live)
        Locked.__init__(other)
        other.name, other.params, other._inputs = self.name, self.params, self._inputs
        other._result_type = self._result_type
        with self._lock:
            other._stepper = self._stepper.copy()
            other._outputs, other.count = self._outputs, self.count
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.copy()
        return Live, (self.name, self.params, self._result_type), (state._stepper, state._outputs, state.count)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        stepper, self._outputs, self.count = state
        self._stepper = stepper.into(self._stepper) if isinstance(stepper, Earlier) else stepper

    def _checked(self, method: str, bar: tuple[Any, ...]) -> tuple[float, ...]:
        if len(bar) != self._inputs:
            raise TypeError(f"{method}: expected {_plural(self._inputs, 'number')}, got {len(bar)}")
        for x in bar:
            if type(x) is not float:
                return tuple(_number(method, x) for x in bar)
        return bar

    def _result(self, outputs: tuple[Any, ...]) -> Any:
        if len(outputs) == 1:
            return outputs[0]
        return outputs if self._result_type is None else self._result_type(*outputs)


def _number(method: str, x: Any) -> float:
    if not isinstance(x, (str, bytes, bytearray)):  # float() would parse these
        try:
            return float(x)
        except TypeError:
            pass
    raise TypeError(f"{method}: expected a number, got {type(x).__name__}")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
