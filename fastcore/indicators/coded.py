"""Cores of live indicators and boards under the policy ``nan="talib"``: a number stands for a missing value in them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastcore.indicators.missing import coded, decode
from python_fallback.shared.indicators import MISSING

__all__ = ["CodedBoard", "CodedLive"]


class CodedLive:
    """The core of a live indicator.

    Parameters
    ----------
    core : object
        That of a twin, of the program under the policy.
    make : callable, optional
        Makes one result of several outputs.
    """

    __slots__ = ("_make", "core")

    def __init__(self, core: Any, make: Callable[..., Any] | None) -> None:
        self.core = core
        self._make = make

    @property
    def value(self) -> Any:
        """What the last update returned."""
        return self._result(self.core.value)

    @property
    def count(self) -> int:
        """The number of bars it was given."""
        count: int = self.core.count
        return count

    def update(self, *bar: Any) -> Any:
        """Take the next bar and return the indicator's value at it."""
        return self._result(self.core.update(*map(_number, bar)))

    def peek(self, *bar: Any) -> Any:
        """Return what `update` would, and change nothing."""
        return self._result(self.core.peek(*map(_number, bar)))

    def extend(self, *arrays: Any) -> Any:
        """Take every bar of `arrays` in turn and return the series of values."""
        result = self.core.extend(*map(coded, arrays))
        outputs = result if isinstance(result, tuple) else (result,)
        for x in outputs:
            decode(x)
        return outputs[0] if self._make is None else self._make(*outputs)

    def __getattr__(self, name: str) -> Any:
        if name in ("hold", "release", "renew"):  # the lock of a core in Python
            return getattr(self.core, name)
        raise AttributeError(name)

    def copy(self) -> CodedLive:
        """Return an independent core in the same state."""
        return CodedLive(self.core.copy(), self._make)

    def _result(self, value: Any) -> Any:
        if self._make is None:
            return math.nan if value == MISSING else value
        return self._make(*(math.nan if x == MISSING else x for x in value))


class CodedBoard:
    """The core of a board.

    Parameters
    ----------
    core : object
        That of a twin, of the programs under the policy.
    parts : int
        How many indicators it has.
    """

    __slots__ = ("_lock", "_outputs", "_parts", "core")

    def __init__(self, core: Any, parts: int) -> None:
        self.core = core
        self._parts = parts
        self._lock = threading.Lock()  # outputs are read before another tick changes them
        self._look()

    @property
    def symbols(self) -> int:
        """How many symbols it has."""
        symbols: int = self.core.symbols
        return symbols

    def update(self, columns: Mapping[str, Any], at: Any = None) -> None:
        """Take the next bar of every symbol, or of the symbols `at` these indices."""
        bars = _coded(columns)
        with self._lock:
            self.core.update(bars, at)
            self._read(at)

    def extend(self, columns: Mapping[str, Any], at: Any = None) -> None:
        """Take many bars of every symbol, or of the symbols `at` these indices."""
        bars = _coded(columns)
        with self._lock:
            self.core.extend(bars, at)
            self._read(at)

    def add(self, symbols: int, columns: Mapping[str, Any] | None = None) -> None:
        """Take `symbols` more, with their bars so far; the outputs are other arrays from then on."""
        history = None if columns is None else _coded(columns)
        with self._lock:
            self.core.add(symbols, history)
            self._look()

    def reset(self, at: Any = None, parts: Iterable[int] | None = None) -> None:
        """Begin again, for all symbols or those at `at`, with the indicators `parts` or all."""
        with self._lock:
            self.core.reset(at, parts)
            self._read(at)

    def output(self, i: int) -> tuple[Any, ...]:
        """Return the outputs of the i-th indicator: arrays that later updates change in place."""
        return self._outputs[i]

    def copy(self) -> CodedBoard:
        """Return an independent core in the same state."""
        with self._lock:
            return CodedBoard(self.core.copy(), self._parts)

    def hold(self) -> None:
        """Let no bar be taken until `release`."""
        self._lock.acquire()
        if hasattr(self.core, "hold"):
            self.core.hold()

    def release(self) -> None:
        """Let bars be taken again."""
        if hasattr(self.core, "release"):
            self.core.release()
        self._lock.release()

    def renew(self) -> None:
        """Make new locks: after a fork no thread is left that would release the old ones."""
        self._lock = threading.Lock()
        if hasattr(self.core, "renew"):
            self.core.renew()

    def _look(self) -> None:
        self._outputs = [tuple(x.copy() for x in self.core.output(i)) for i in range(self._parts)]
        self._read(None)

    def _read(self, at: Any) -> None:
        """Read the outputs of the core, all or those at `at`."""
        for i, own in enumerate(self._outputs):
            for x, output in zip(own, self.core.output(i)):
                values = output.copy() if at is None else output[at]
                decode(values)
                x[... if at is None else at] = values


def _coded(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: coded(x) for name, x in columns.items()}


def _number(x: Any) -> Any:
    """Return the number that stands for `x`, which may be anything: what is no number is refused by the core."""
    try:
        return x if math.isfinite(x) else MISSING
    except (TypeError, ValueError, OverflowError):
        return x
