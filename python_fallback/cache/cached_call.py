"""The callables that @cached puts in place of functions and methods."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

from python_fallback.shared.cache.seat import Computation
from python_fallback.shared.cache.shape import MISSING, Keywords, Shape

__all__ = ["BoundCall", "CachedCall", "CachedMethod", "Keywords", "flag_changed"]

_epoch: list[object] = [object()]


def flag_changed() -> None:
    """Let each call object check, at its next call, whether it is to move to the other twin."""
    _epoch[0] = object()


class CachedCall:
    """Serves hits; everything else is for ``miss(args, kwargs or None, key or None)``, which counts it too.

    Parameters
    ----------
    cache : cache of this twin
    miss : callable
        Gives the answer to a call, or the `Computation` in which the function is to be called.
    obey : callable
        Called when the flag may have changed.
    binder : object
        Decides what access through an instance or a class gives: ``bound``, ``named``, ``attribute``, ``adopt``,
        ``cache_of``.
    shape : Shape
        Makes the keys.
    record, tag : type
        Records of results, and their tags: a record is served here while its ``tags`` are ``valid``, and it expires
        later than ``look`` seconds from now.
    skip : int
        Leading arguments that are not part of the key.
    ready : callable, optional
        Makes a hit awaitable.
    owner : type, optional
        The class whose method it is.
    outside : callable, optional
        Takes calls whose first argument is no instance of `owner`.
    instances : dict, optional
        The id of an instance -> its own call object.
    """

    # Apart from the dict, which is updated with that of the function.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_binder",
        "_cache",
        "_epoch",
        "_instances",
        "_miss",
        "_obey",
        "_outside",
        "_owner",
        "_ready",
        "_record",
        "_route",
        "_shape",
        "_skip",
    )

    def __init__(
        self,
        cache: Any,
        miss: Callable[[Any, Any, Any], Any],
        obey: Callable[[], None],
        binder: Any,
        shape: Shape,
        record: type,
        tag: type,
        skip: int = 0,
        ready: Callable[[Any], Any] | None = None,
        owner: type | None = None,
        outside: Any = None,
        instances: dict[int, Any] | None = None,
    ) -> None:
        self._cache = cache
        self._miss = miss
        self._obey = obey
        self._binder = binder
        self._shape = shape
        self._record: Any = record
        self._skip = skip
        self._ready = ready
        self._owner = owner
        self._outside = outside
        self._instances = instances
        self._route: Any = None
        self._epoch = _epoch[0]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        # The function is called from here: recursion goes half as deep as with functools.lru_cache, or deeper.
        call = self._serving(args)
        if not isinstance(call, CachedCall):
            return call(*args, **kwargs)
        answer = call._answer(args, kwargs)
        if not isinstance(answer, Computation):
            return answer
        try:
            with answer:
                if answer.value is MISSING:
                    answer.value = answer.function(*args, **kwargs)
            return answer.result()
        finally:
            del answer  # an error would make a cycle through this frame

    def _serving(self, args: tuple[Any, ...]) -> Any:
        """Return the call object that serves a call with these arguments."""
        call: Any = self
        while isinstance(call, CachedCall):
            if call._instances is not None:
                if not args:
                    break  # the function says what is missing
                own = call._instances.get(id(args[0]))
                call = call._binder.adopt(args[0]) if own is None else own
                continue
            epoch = _epoch[0]
            if call._epoch is not epoch:
                call._obey()  # asked again by the next call if it raises
                call._epoch = epoch
            if call._route is not None:
                call = call._route
            elif call._owner is not None and not (args and issubclass(type(args[0]), call._owner)):
                call = call._outside
            else:
                break
        return call

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) < self._skip or self._shape.keyed or self._instances is not None:
            return self._miss(args, kwargs or None, None)
        key = self._shape.key(args[self._skip :], kwargs)
        try:
            hash(key)
        except (TypeError, ValueError):  # arrays, frames, lists, views of memory: keyed by content elsewhere
            return self._miss(args, kwargs or None, None)
        value = self._cache._hit_if(key, self._fresh)
        if value is MISSING:
            return self._miss(args, kwargs or None, key)
        return value if self._ready is None else self._ready(value)

    def _fresh(self, value: Any, expires: float) -> Any:
        """Return the part of a cached value that may be served directly, or `MISSING`."""
        if type(value) is not self._record:
            return value
        look = value.look
        if look and (look == math.inf or self._cache._timer is not None or not expires - time.monotonic() > look):
            return MISSING
        return value.value if all(tag.valid for tag in value.tags) else MISSING

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Ask the binder: a function may have come into a class after the class was made."""
        if instance is None:
            return self
        return self._binder.bound(self, instance, type(instance) if owner is None else owner)

    def __set_name__(self, owner: type, name: str) -> None:
        self._binder.named(self, owner, name)

    def _use(self, cache: Any, route: Any) -> None:
        """Move to another cache of this twin, or hand every call to `route`."""
        if route is None:
            self._cache = cache
        self._route = route

    @property
    def cache(self) -> Any:
        return self._binder.cache_of(self)

    def __repr__(self) -> str:
        return f"<cached {vars(self).get('__wrapped__')!r}>"

    def __reduce__(self) -> str:
        name: str = vars(self)["__qualname__"]
        return name

    def __copy__(self) -> CachedCall:
        return self

    def __deepcopy__(self, memo: object) -> CachedCall:
        return self


class CachedMethod(CachedCall):
    """As a class attribute it takes the instance as its first argument."""

    __slots__ = ()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundCall(self, instance)  # a method is bound already


class BoundCall:
    """A cached method with the instance it was taken from."""

    __slots__ = ("__func__", "__self__", "__weakref__")

    def __init__(self, function: CachedCall, instance: Any) -> None:
        object.__setattr__(self, "__func__", function)
        object.__setattr__(self, "__self__", instance)

    @property
    def __call__(self) -> Callable[..., Any]:
        """The call itself, so that nothing of the binding is on the stack while the function runs."""
        return functools.partial(CachedCall.__call__, self.__func__, self.__self__)

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__
        if name in ("__doc__", "__module__"):  # the class has its own
            return own(self, "__getattr__")(name)
        return own(self, name)

    def __getattr__(self, name: str) -> Any:
        return self.__func__._binder.attribute(self.__func__, self.__self__, name)

    def __get__(self, instance: Any, owner: type | None = None) -> BoundCall:
        return self

    def __eq__(self, other: object) -> Any:
        if type(other) is not BoundCall:
            return NotImplemented
        return self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {self.__self__!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.__func__.__name__)
