"""Operators under the policy ``nan="talib"``: a missing value is computed with, and spoils what is made of it.

Each value of a definition has a mask: a series that is 1 where the value is spoiled and 0 where it is not. Masks are
values too, made by the same operators, so that what comes of it is a program as any other: the executors of whole
series, of ticks, of boards and of plans carry it out without knowing of the policy. A missing value comes in, and goes
out, as a number that stands for it, :data:`MISSING`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from python_fallback.shared.indicators.as_talib.reaches import reach
from python_fallback.shared.indicators.operators import OPERATORS
from python_fallback.shared.indicators.program import Program
from python_fallback.shared.indicators.tracing import Operators, Value

__all__ = ["MISSING", "Masks", "Spoiling"]

MISSING = 2.0**1023  # no price, and no result of prices
Masks = Sequence[Value | None]


class Spoiling(Operators):
    """Operators that note what a missing value spoils: its bar, windows that hold it, or every later bar.

    Parameters
    ----------
    inputs : int
    running : bool, default True
        Whether sums run on from bar to bar: a missing value stays in them.
    """

    def __init__(self, inputs: int, running: bool = True) -> None:
        super().__init__(inputs)
        self._running = running
        self._mask_of: dict[int, Value] = {}
        self._first_of: dict[int, int] = {}  # of each value, how many bars of clean data come before its first

    def given(self) -> list[Value]:
        """Return the inputs, from the first bar on that has all of them."""
        raw = [Value(self, i) for i in range(self._inputs)]
        masks = [self.plain("eq", x, MISSING) for x in raw]
        lacks = functools.reduce(self._greater, masks)
        begun = self.plain("sign", self.plain("total", self.plain("subtract_from", lacks, params=(1.0,))))
        since = self.plain("divide", begun, params=(1.0,))  # not finite before
        given = []
        for x, mask in zip(raw, masks):
            mask = self.plain("there", mask, since)
            given.append(self.masked(self.plain("where", mask, 0.0, x), mask))
        return given

    def coded(self, outputs: Sequence[Value]) -> Program:
        """Return the program that gives `outputs`, with MISSING where they are spoiled."""
        masks = [self.mask(x) for x in outputs]
        coded = [x if mask is None else self.plain("where", mask, MISSING, x) for x, mask in zip(outputs, masks)]
        return self.program(tuple(coded))

    def mask(self, x: Value) -> Value | None:
        """Return where `x` is spoiled; None: nowhere."""
        return self._mask_of.get(x.index)

    def masked(self, x: Value, mask: Value | None) -> Value:
        """Return `x` as spoiled where `mask` is 1."""
        if mask is not None:
            self._mask_of[x.index] = mask
        return x

    def plain(self, operator: str, *inputs: Any, params: tuple[Any, ...] = ()) -> Value:
        """Return the value of an operator, whatever is spoiled."""
        found = super().node(operator, *inputs, params=params)
        if found.index not in self._first_of:
            node = self._made[found.index]
            first = max((self._first_of.get(place, 0) for place in node.inputs), default=0)
            self._first_of[found.index] = first + OPERATORS[node.operator].lag(*node.params)
        return found

    def node(self, operator: str, *inputs: Any, params: tuple[Any, ...] = ()) -> Value:
        values = [self.value(operator, x) for x in inputs]
        masks = [self.mask(x) for x in values]
        if all(mask is None for mask in masks):
            return self.plain(operator, *values, params=params)
        if OPERATORS[operator].kind != "map":
            masks = [None if mask is None else self._begun(mask, values) for mask in masks]
        return self.spoil(operator, values, masks, params)

    def spoil(self, operator: str, values: Sequence[Value], masks: Masks, params: tuple[Any, ...]) -> Value:
        """Return the value of an operator, and note its mask."""
        return self.masked(self.plain(operator, *values, params=params), self._spread(operator, params, masks))

    def either(self, masks: Masks) -> Value | None:
        """Return where one of `masks` is 1."""
        there = [mask for mask in masks if mask is not None]
        return functools.reduce(self._greater, there) if there else None

    def ever(self, mask: Value) -> Value:
        """Return where `mask` is or has been 1."""
        return self.plain("sign", self.plain("total", mask))

    def counted(self, x: Value) -> Value:
        """Return the number of the bar among those of `x`, from 1 on."""
        return self.plain("total", self.plain("eq", x, x))

    def since(self, mask: Value, first: Value) -> Value:
        """Return where `mask` has been 1 at the bar numbered `first` or a later one."""
        latest = self.plain("hold", self.counted(mask), mask)
        return self.plain("ge", latest, self.plain("greatest", first, 1.0))

    def _begun(self, mask: Value, values: Sequence[Value]) -> Value:
        """Return `mask` from the first bar on that has all of `values`."""
        for x in values:
            if self._first_of.get(x.index, 0) > self._first_of.get(mask.index, 0):
                mask = self.plain("there", mask, x)
        return mask

    def _greater(self, a: Value, b: Value) -> Value:
        return self.plain("greatest", a, b)

    def _spread(self, operator: str, params: tuple[Any, ...], masks: Masks) -> Value | None:
        mask = self.either(masks)
        if mask is None or operator == "bar_number":
            return None
        if operator == "previous":
            return self.plain("previous", mask, params=(0.0 if params[0] == params[0] else params[0],))
        if operator in ("after", "lag"):
            return self.plain(operator, mask, params=params)
        how = reach(operator, self._running)
        if how == "bar":
            return mask
        if how == "ever":
            return self.ever(mask)
        if OPERATORS[operator].kind == "count":  # gives results before its window is full
            return self.since(mask, self.plain("add_number", self.counted(mask), params=(1.0 - params[0],)))
        return self.plain("highest", mask, params=(params[0],))
