"""Reads live objects that builds before the operators' programs have pickled."""

from __future__ import annotations

from typing import Any

__all__ = ["Earlier", "Number"]


class Earlier:
    """What an earlier build kept between bars: memories in the order in which a definition called its operators."""

    __slots__ = ("_at", "_memories")

    _at: int
    _memories: list[Any]

    def into(self, stepper: Any) -> Any:
        """Put the memories into those of a program's `Stepper`, and return it.

        Each memory takes the first one of its kind and parameters that is left.
        """
        left = list(self._memories)
        for (name, _, params), memory in zip(stepper.program.nodes, stepper._memories):
            if memory is None:
                continue
            if name == "after":  # once a part of the average that begins later
                [average] = [one for one in left if getattr(one, "_skip", 0) == int(params[0])]
                memory.value = float(max(0, -average._count))
                continue
            place = next(i for i, one in enumerate(left) if _alike(one, memory))
            _take(left.pop(place), memory)
        return stepper


class Number:
    """One number that stayed from bar to bar."""

    __slots__ = ("value",)


def _alike(old: Any, new: Any) -> bool:
    if hasattr(new, "values"):
        return hasattr(old, "values") and old.values.maxlen == new.values.maxlen
    if hasattr(new, "_keep"):
        return hasattr(old, "_keep") and (old._period, old._keep) == (new._period, new._keep)
    if hasattr(new, "_share"):
        return hasattr(old, "_share")
    return isinstance(old, Number)


def _take(old: Any, new: Any) -> None:
    if hasattr(new, "values"):
        new.values, new.run = old.values, old.run
    elif hasattr(new, "_keep"):
        new._count, new._before, new._apart = max(0, old._count), old._before, old._apart
    elif hasattr(new, "_share"):
        new._count, new._before, new._share, new._gain, new._move = (
            old._count,
            old._before,
            old._share,
            old._gain,
            old._move,
        )
    else:
        new.value = old.value
