"""Records: results in the cache of a decorated function, with what decides whether they are served."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastcore.cache.refresh import Attempts
from fastcore.cache.results import Copy, copy_of
from python_fallback.shared.cache.errors import copy_error

if TYPE_CHECKING:
    from fastcore.cache.policy import Tag

__all__ = ["Kept"]


class Kept:
    """A result, or an error, with what decides whether it is served.

    Attributes
    ----------
    value : object
    error : Exception or None
        What was raised instead, without frames and context.
    tags : tuple of Tag
    took : float
        Seconds that the computation took.
    spare : float
        Seconds before the cache drops it from when on it is no longer fresh.
    look : float
        Seconds before that from when on a hit is judged by `miss`; infinite: always. The call objects read it.
    copy : {"on-write", True, False}
        How each caller gets its copy of the value; False: all share it.
    awaited : bool
        Whether the function is a plain one whose callers await what it returns.
    attempts : Attempts or None
        The refreshes that were tried so far.
    """

    __slots__ = ("attempts", "awaited", "copy", "error", "look", "spare", "tags", "took", "value")

    def __init__(
        self,
        value: Any,
        error: BaseException | None = None,
        tags: tuple[Tag, ...] = (),
        took: float = 0.0,
        copy: Copy = False,
        awaited: bool = False,
    ) -> None:
        self.value = value
        self.error = error
        self.tags = tags
        self.took = took
        self.copy = copy
        self.awaited = awaited
        self.attempts: Attempts | None = None
        self.spare = 0.0
        self.look = math.inf if error is not None or copy or awaited else 0.0

    def current(self) -> bool:
        """Whether none of its tags was invalidated."""
        return all(tag.valid for tag in self.tags)

    def unwrap(self) -> Any:
        """Return the result, or raise a copy of the error that it was."""
        if self.error is not None:
            raise self.own_error()
        return copy_of(self.value, self.copy) if self.copy else self.value

    def content(self) -> Any:
        """Return what is kept itself: the result, or the error."""
        return self.value if self.error is None else self.error

    def own_error(self) -> BaseException:
        """Return a copy of the error."""
        assert self.error is not None
        return copy_error(self.error, frames=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "attempts"}

    def __setstate__(self, state: Any) -> None:
        slots = state if isinstance(state, dict) else state[1]
        self.__init__(None)  # type: ignore[misc]
        for name in set(self.__slots__) & set(slots):
            setattr(self, name, slots[name])
        if "look" not in slots:  # from a file of an earlier version
            self.look = math.inf
