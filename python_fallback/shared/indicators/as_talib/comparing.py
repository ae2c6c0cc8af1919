"""How TA-Lib's functions go on after a comparison with a missing value, which is false."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from python_fallback.shared.indicators.as_talib.masks import Masks, Spoiling
from python_fallback.shared.indicators.tracing import Value

__all__ = ["FAR", "Comparing"]

FAR = 2.0**1000  # beyond every price


class Comparing(Spoiling):
    """Operators as TA-Lib's functions carry them out: what was compared with NaN need not be NaN.

    Parameters
    ----------
    inputs : int
    running : bool, default True
        Whether sums run on from bar to bar.
    blocks : bool, default False
        Whether extremes are those of blocks of a window's length, and not of the window each time.
    zero : bool, default False
        Whether a divisor that is NaN counts as zero.
    copies : bool, default False
        Whether an exponential average of one bar is that bar, and does not recur.
    """

    def __init__(
        self, inputs: int, running: bool = True, blocks: bool = False, zero: bool = False, copies: bool = False
    ) -> None:
        super().__init__(inputs, running)
        self._copies = copies
        self._blocks = blocks
        self._zero = zero

    def spoil(self, operator: str, values: Sequence[Value], masks: Masks, params: tuple[Any, ...]) -> Value:
        rule = getattr(type(self), f"_at_{operator}", None)
        if rule is None:
            return super().spoil(operator, values, masks, params)
        found: Value = rule(self, values, masks, *params)
        return found

    def unspoiled(self, x: Value) -> Value:
        """Return `x` where nothing counts as missing: what takes it says what is spoiled."""
        return x if self.mask(x) is None else self.plain("copy", x)

    def kept(self, x: Value, otherwise: Any) -> Value:
        """Return `x`, and `otherwise` where it is missing."""
        mask = self.mask(x)
        return x if mask is None else self.plain("where", mask, otherwise, x)

    def without(self, x: Value, divisor: Value) -> Value:
        """Return `x`, missing where `divisor` is 0 too."""
        return self.masked(x, self.either([self.mask(x), self.plain("eq", divisor, 0.0)]))

    # ---- comparisons ----

    def _compared(self, operator: str, values: Sequence[Value], masks: Masks, *params: Any) -> Value:
        """The value of an operator, and 0 where an input is missing."""
        found = self.plain(operator, *values, params=params)
        mask = None if any(self._boundless(x) for x in values) else self.either(masks)
        return found if mask is None else self.plain("where", mask, 0.0, found)

    def _boundless(self, x: Value) -> bool:
        """Whether `x` is an infinite number: what is compared with it is whether there is a bar before."""
        node = self._made.get(x.index)
        return node is not None and node.operator == "constant" and math.isinf(node.params[0])

    def _at_gt(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._compared("gt", values, masks)

    def _at_ge(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._compared("ge", values, masks)

    def _at_eq(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._compared("eq", values, masks)

    def _at_sign(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._compared("sign", values, masks)

    def _at_surplus(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._compared("surplus", values, masks)

    def _at_where(self, values: Sequence[Value], masks: Masks) -> Value:
        condition, x, y = values
        found = self.plain("where", condition, x, y)
        mask = None
        if masks[1] is not None or masks[2] is not None:
            mask = self.plain("where", condition, *(0.0 if one is None else one for one in masks[1:]))
        return self.masked(found, self.either([masks[0], mask]))

    def _at_where_greater(self, values: Sequence[Value], masks: Masks) -> Value:
        return self.where(self.node("gt", *values[:2]), *values[2:])

    def _at_greatest(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._beaten("greatest", values, masks)

    def _at_least(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._beaten("least", values, masks)

    def _beaten(self, operator: str, values: Sequence[Value], masks: Masks) -> Value:
        """The first value, unless the second is beyond it."""
        found = self.plain(operator, *values)
        if masks[1] is not None:
            found = self.plain("where", masks[1], values[0], found)
        return self.masked(found, masks[0])

    def _at_true_range(self, values: Sequence[Value], masks: Masks) -> Value:
        found, mask = self.plain("true_range", *values), masks[2]
        if mask is not None:
            found = self.plain("where", mask, self.plain("sub", *values[:2]), found)
        return self.masked(found, self.either(masks[:2]))

    def _at_ratio(self, values: Sequence[Value], masks: Masks, otherwise: float) -> Value:
        return self._divided(self.plain("ratio", *values, params=(otherwise,)), values[1], masks, otherwise)

    def _at_share(self, values: Sequence[Value], masks: Masks) -> Value:
        x, y = masks
        found = self.plain("share", *values)
        above = self.plain("gt", values[1], 0.0)
        if y is not None:
            found, above = self.plain("where", y, 0.0, found), self.plain("where", y, 0.0, above)
        return self.masked(found, None if x is None else self.plain("mul", x, above))

    def _divided(self, found: Value, divisor: Value, masks: Masks, otherwise: float) -> Value:
        x, y = masks
        if y is not None and self._zero:
            found = self.plain("where", y, otherwise, found)
        divides = self.plain("gt", self.plain("abs", divisor), 0.0)
        mask = None if x is None else self.plain("mul", x, divides)
        if y is None or not self._zero:
            return self.masked(found, self.either([mask, y]))
        return self.masked(found, None if mask is None else self.plain("where", y, 0.0, mask))

    def _at_scaled_ratio(self, values: Sequence[Value], masks: Masks, otherwise: float, by: float) -> Value:
        return self.node("times", self.ratio(values[0], values[1], otherwise), params=(by,))

    def _at_within(self, values: Sequence[Value], masks: Masks, by: float) -> Value:
        x, low, high = values
        found = self.plain("within", x, low, high, params=(by,))
        span = self.node("sub", high, low)
        return self._divided(found, span, [self.either(masks[:2]), self.mask(span)], 0.0)

    def _at_money_flow(self, values: Sequence[Value], masks: Masks) -> Value:
        found = self.plain("money_flow", *values)
        price, others = self.either(masks[:2]), self.either(masks[2:])
        if price is not None:
            found = self.plain("where", price, 0.0, found)
        if others is not None:
            others = self.plain("mul", others, self.plain("gt", values[0], values[1]))
        if others is not None and price is not None:
            others = self.plain("where", price, 0.0, others)
        return self.masked(found, others)

    def _at_balance(self, values: Sequence[Value], masks: Masks) -> Value:
        found = self.plain("balance", *values)
        ends = self.either([masks[0], masks[3]])
        if ends is not None:
            ends = self.plain("mul", ends, self.plain("gt", values[1], values[2]))
        return self.masked(found, self.either([*masks[1:3], ends]))

    def _at_true_move(self, values: Sequence[Value], masks: Masks) -> Value:
        high, low, close, before = values
        fall = close - self.greatest(high, before)
        move = self.where(close > before, close - self.least(low, before), self.where(close < before, fall, 0.0))
        return self.where(before < math.inf, move, 0.0)

    def _at_smooth(self, values: Sequence[Value], masks: Masks, period: float, keep: float) -> Value:
        found, mask = self.plain("smooth", *values, params=(period, keep)), self.either(masks)
        return self.masked(found, mask if mask is None or (self._copies and period == 1) else self.ever(mask))

    def _at_rises(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        found, mask = self.plain("rises", *values, params=(period,)), self.either(masks)
        return found if mask is None else self.plain("where", self.ever(mask), 0.0, found)

    # ---- stops ----

    def _at_trail_below(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._trail("trail_below", values, -FAR)

    def _at_trail_above(self, values: Sequence[Value], masks: Masks) -> Value:
        return self._trail("trail_above", values, FAR)

    def _trail(self, operator: str, values: Sequence[Value], far: float) -> Value:
        """A band that a missing one follows where it is let go: from then on it is missing."""
        found = self.plain(operator, self.kept(values[0], far), self.kept(values[1], -far))
        return self.masked(found, self.plain("eq", found, far))

    def _at_side(self, values: Sequence[Value], masks: Masks) -> Value:
        price, lower, upper = values
        lower, upper = self.kept(lower, -FAR), self.kept(upper, FAR)
        if masks[0] is not None:
            lower, upper = self.plain("where", masks[0], -FAR, lower), self.plain("where", masks[0], FAR, upper)
        return self.plain("side", price, lower, upper)

    def _at_parabolic(self, values: Sequence[Value], masks: Masks, start: float, *others: float) -> Value:
        high, low = values
        found = self.plain("parabolic", self.kept(high, -FAR), self.kept(low, FAR), params=(start, *others))
        mask = masks[1] if start < 0.0 else masks[0]
        if mask is None:
            return found
        # The second bar opens the position. Where it lacks the extreme price, no later stop is a number.
        opens = self.plain("mul", mask, self.plain("eq", self.counted(mask), 2.0))
        stop: Any = abs(start) if start else self.plain("previous", low, params=(math.nan,))
        crossed = self.node("ge", high, stop) if start < 0.0 else self.node("ge", stop, low)
        spoiled = self.plain("where", opens, crossed, self.ever(opens))
        first = stop if start >= 0.0 else stop * others[-1]
        return self.masked(self.plain("where", opens, first, found), spoiled)

    # ---- sums that are begun again ----

    def begun_again(self, mask: Value, period: float, every: float, first: float) -> Value:
        """Where sums of `period` values hold one of `mask`, that are begun again every so many bars from `first` on."""
        bars = self.plain("floor", (self.plain("add_number", self.counted(mask), params=(-first,))) / every)
        anchor = self.plain("add_number", self.plain("times", bars, params=(every,)), params=(first - period + 1.0,))
        found = self.since(mask, anchor)
        return self.plain("there", found, self.plain("lag", mask, params=(period - 1.0,)))

    def sum_until_still(self, x: Value, period: float, *others: Value) -> Value:
        """The sum of `period` values of `x`, none of them below 0: begun again after as many bars at which all were 0.

        `others` are 0 at those bars too.
        """
        found, mask = self.plain("sum", x, params=(period,)), self.mask(x)
        if mask is None:
            return found
        terms = (x, *others)
        masks = [mask for mask in map(self.mask, terms) if mask is not None]
        moves = self.greatest(*(self.plain("sign", self.plain("abs", term)) for term in terms), *masks)
        still = self.plain("subtract_from", self.plain("highest", moves, params=(period,)), params=(1.0,))
        again = self.plain("hold", self.counted(moves), still)
        return self.masked(found, self.since(self._begun(mask, [moves]), again + 1.0))

    def _summed(
        self,
        operator: str,
        values: Sequence[Value],
        masks: Masks,
        params: Sequence[float],
        windows: float,
        late: float,
    ) -> Value:
        mask, period = self.either(masks), float(params[0])
        found = self.plain(operator, *values, params=tuple(params))
        if mask is None:
            return found
        every = windows * period
        return self.masked(found, self.begun_again(mask, period, every, period + every - late))

    def _at_weighted(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        if period == 1:
            return self.masked(self.plain("weighted", *values, params=(period,)), masks[0])
        return self._summed("weighted", values, masks, (period,), 8.0, 1.0)

    def _at_variance(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        return self._summed("variance", values, masks, (period,), 32.0, 1.0)

    def _at_deviation(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        return self._summed("deviation", values, masks, (period,), 32.0, 1.0)

    def _at_slope(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        return self._summed("slope", values, masks, (period,), 32.0, 0.0)

    def _at_line(self, values: Sequence[Value], masks: Masks, period: float, at: float) -> Value:
        return self._summed("line", values, masks, (period, at), 32.0, 0.0)

    def _at_correlation(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        found = self._summed("correlation", values, masks, (period,), 32.0, 1.0)
        mask = self.mask(found)
        return found if mask is None else self.plain("where", mask, 0.0, found)

    def _at_beta(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        found = self.plain("beta", *values, params=(period,))
        every = 32.0 * period
        x, y = (None if m is None else self.begun_again(m, period, every, period + every - 1.0) for m in masks)
        if x is not None:
            found = self.plain("where", x, 0.0, found)
        if x is not None and y is not None:
            y = self.plain("where", x, 0.0, y)
        return self.masked(found, y)

    # ---- extremes ----

    def _at_highest(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        return self._extreme("highest", values[0], masks[0], period, -FAR)

    def _at_lowest(self, values: Sequence[Value], masks: Masks, period: float) -> Value:
        return self._extreme("lowest", values[0], masks[0], period, FAR)

    def _extreme(self, operator: str, x: Value, mask: Value | None, period: float, far: float) -> Value:
        if mask is None:
            return self.plain(operator, x, params=(period,))
        if period == 1:
            return self.masked(self.plain(operator, x, params=(period,)), mask)
        if self._blocks:
            return self._of_blocks(operator, x, mask, period, far)
        there = self.plain("where", mask, far, x)
        found = self.plain(operator, there, params=(period,))
        age = self.plain(f"since_{operator}", there, params=(period, 2.0))
        return self.masked(found, self._sought_again(mask, age, period))

    def _since(self, operator: str, x: Value, mask: Value | None, params: Sequence[float], far: float) -> Value:
        period = params[0]
        if mask is None or period == 1:
            return self.plain(operator, x, params=tuple(params))
        age = self.plain(operator, self.plain("where", mask, far, x), params=tuple(params))
        return self.plain("where", self._sought_again(mask, age, period), period - 1.0, age)

    def _at_since_highest(self, values: Sequence[Value], masks: Masks, *params: float) -> Value:
        return self._since("since_highest", values[0], masks[0], params, -FAR)

    def _at_since_lowest(self, values: Sequence[Value], masks: Masks, *params: float) -> Value:
        return self._since("since_lowest", values[0], masks[0], params, FAR)

    def _sought_again(self, mask: Value, age: Value, period: float) -> Value:
        """Where the extreme, `age` bars old, has left the window and is sought again from a missing value on.

        Nothing is beyond that: it stays the extreme, for one bar.
        """
        oldest = self.plain("lag", mask, params=(period - 1.0,))
        begins = self.plain("gt", oldest, self.plain("previous", oldest, params=(0.0,)))
        left = self.plain("ge", self.plain("previous", age, params=(period - 1.0,)), period - 1.0)
        return self.plain("mul", oldest, self.plain("hold", left, begins))

    def _of_blocks(self, operator: str, x: Value, mask: Value, period: float, far: float) -> Value:
        """The extreme of the end of one block and the beginning of the next.

        The one is NaN where the last bar of its block is, the other where the first is, and counts for nothing then.
        """
        bar = self.plain("add_number", self.counted(mask), params=(-1.0,))
        block = self.plain("floor", self.plain("divide_by", bar, params=(period,)))
        place = self.plain("sub", bar, self.plain("times", block, params=(period,)))
        last, first = self.plain("eq", place, period - 1.0), self.plain("eq", place, 0.0)
        odd = self.plain("sub", block, self.plain("times", self.plain("floor", block / 2.0), params=(2.0,)))
        unseen = self.plain("hold", mask, first)
        whole = self.plain(operator, self.plain("where", mask, far, x), params=(period,))
        parts = []
        for parity in (odd, self.plain("subtract_from", odd, params=(1.0,))):
            out = self.plain("greatest", mask, self.plain("mul", unseen, parity))
            parts.append(self.plain(operator, self.plain("where", out, far, x), params=(period,)))
        alone = self.plain("where", odd, *parts)
        found = self.plain("where", last, whole, self.plain("where", unseen, alone, whole))
        spoiled = self.plain("hold", mask, last)
        return self.masked(found, self.plain("there", spoiled, whole))
