"""Many small pieces of work in few tasks: a cluster's scheduler spends longer on a task than an indicator does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from fastcore.concurrency.checks import count

__all__ = ["chunks"]

T = TypeVar("T")


def chunks(items: Iterable[T], *, size: int | None = None, parts: int | None = None) -> list[list[T]]:
    """Split items, in order, into lists whose lengths differ by one at most.

    Parameters
    ----------
    items : iterable
    size : int, optional
        Most items in a list.
    parts : int, optional
        Number of lists, fewer if there are fewer items. Exactly one of `size` and `parts` is given.

    Returns
    -------
    list of list

    Examples
    --------
    >>> chunks("abcdefg", size=3)
    [['a', 'b', 'c'], ['d', 'e'], ['f', 'g']]

    ``queue.submit_many([(analyse, (chunk,)) for chunk in chunks(symbols, size=50)])`` analyses fifty symbols per task.
    """
    if (size is None) == (parts is None):
        raise TypeError("chunks: expected one of size and parts, got " + ("both" if parts is not None else "neither"))
    found = list(items)
    number = -(-len(found) // count("size", size)) if size is not None else min(count("parts", parts), len(found))
    if number == 0:
        return []
    each, more = divmod(len(found), number)
    lists, at = [], 0
    for n in range(number):
        end = at + each + (n < more)
        lists.append(found[at:end])
        at = end
    return lists
