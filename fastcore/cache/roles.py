"""The call objects of a decorated function, each with the memo that serves the calls it passes to Python."""

from __future__ import annotations

import functools
import math
import threading
import weakref
from typing import TYPE_CHECKING, Any

from fastcore.cache import registry
from fastcore.cache.async_memo import AsyncMemo, ready
from fastcore.cache.controls import BY_ARGUMENTS, Controls
from fastcore.cache.mapping import Results
from fastcore.cache.memo import Memo
from fastcore.cache.policy import Tag
from fastcore.cache.record import Kept
from fastcore.cache.results import is_coroutine_function
from fastcore.cache.storage import Storage, backend_of
from fastcore.cache.sync_memo import SyncMemo
from fastcore.dispatch import backends
from python_fallback.shared.cache.stats import CacheStats

if TYPE_CHECKING:
    from fastcore.cache.binding import Binding

__all__ = ["InstanceCaches", "InstancesRole", "MethodRole", "Role"]


class Role:
    """The function as called by its name: every argument is part of the key.

    Attributes
    ----------
    memo : Memo
    results : Results
        What the function's attribute ``cache`` gives.
    call : call object
        Stays the same one; while the cache is on the other twin it hands its calls to a call object there.
    controls : Controls
    """

    kind = "CachedCall"
    skip = 0

    @property
    def named_storage(self) -> bool:
        """Whether its cache has the name in the registry; with caches of instances their sum has."""
        return not (self.binding.options.per_instance and self.binding.options.unbound)

    def __init__(self, binding: Binding, memo: Memo | None = None, **more: Any) -> None:
        self.binding = binding
        self.memo = self._new_memo() if memo is None else memo
        self.results = Results(self.memo)
        if self.named_storage and binding.options.name is not None:
            registry.register(binding.options.name, self.results)
        self._more = more
        self._calls: dict[str, Any] = {}
        self._twin = backend_of(self.memo.storage.cache)
        self.call: Any = self._call_on(self._twin)
        self.controls = Controls(binding.options, self.memo_of, self.memos)

    def _new_memo(self) -> Memo:
        function, options = self.binding.function, self.binding.options
        kind = AsyncMemo if is_coroutine_function(function) else SyncMemo
        return kind(function, options, Storage(options), self.skip)

    def _call_on(self, backend: str) -> Any:
        call = self._calls.get(backend)
        if call is None:
            memo: Any = self.memo
            made = getattr(backends.twin("cache", backend), self.kind)
            awaited = ready if isinstance(memo, AsyncMemo) else None
            call = self._calls[backend] = made(
                memo.storage.cache,
                memo.miss if backend == "compiled" else memo.begin,
                self.follow,
                self,
                memo.shape,
                Kept,
                Tag,
                self.skip,
                awaited,
                **self._more,
            )
        return call

    def follow(self) -> None:
        """Serve on the twin that the flag names now."""
        storage = self.memo.storage
        with storage.lock:
            cache = storage.follow()
            call = self._call_on(backend_of(cache))
            call._use(cache, None)
            if call is not self.call:
                self.call._use(cache, call)

    def dress(self) -> None:
        """Copy the function's attributes and the controls to the call object."""
        call = self.call
        functools.update_wrapper(call, self.binding.function)
        if isinstance(self.memo, AsyncMemo):  # what inspect.iscoroutinefunction looks for in a callable object
            call.__code__ = ready.__code__
            call.__defaults__ = call.__kwdefaults__ = None
        self.controls.put_on(call)

    def bind(self, instance: Any) -> Any:
        """Return the call object with the instance as its first argument."""
        return backends.twin("cache", self._twin).BoundCall(self.call, instance)

    def memo_of(self, args: tuple[Any, ...]) -> Memo:
        """Return the memo that serves a call with these arguments."""
        return self.memo

    def memos(self) -> list[Memo]:
        """Return the memos that hold this role's results."""
        return [self.memo]

    # ---- what call objects ask ----

    def named(self, call: Any, owner: type, name: str) -> None:
        self.binding.named(call, owner, name)

    def bound(self, call: Any, instance: Any, owner: type) -> Any:
        return self.binding.bound(call, instance, owner)

    def cache_of(self, call: Any) -> Any:
        return self.results

    def attribute(self, call: Any, instance: Any, name: str) -> Any:
        """Return an attribute of the function bound to `instance`; it puts the instance before arguments."""
        if name == "__wrapped__":
            function = self.binding.function
            bind = getattr(type(function), "__get__", None)
            return function if bind is None else bind(function, instance, type(instance))
        value = self._control(instance, name) if name in BY_ARGUMENTS else getattr(self.call, name)
        if name == "put":
            return lambda value_, /, *args, **kwargs: value(value_, instance, *args, **kwargs)
        return functools.partial(value, instance) if name in BY_ARGUMENTS else value

    def _control(self, instance: Any, name: str) -> Any:
        return getattr(self.controls, name)


class MethodRole(Role):
    """The function as a method of a class, whose instances share results."""

    kind = "CachedMethod"
    skip = 1

    def __init__(self, binding: Binding, owner: type) -> None:
        self._owner = owner
        super().__init__(binding, owner=owner, outside=binding.public.call)

    def memo_of(self, args: tuple[Any, ...]) -> Memo:
        if args and issubclass(type(args[0]), self._owner):
            return self.memo
        return self.binding.public.memo_of(args)


class InstanceRole(Role):
    """The function as the method of one instance, to which it holds no reference."""

    skip = 1
    named_storage = False


class InstancesRole(Role):
    """The function as a method with separate results for each instance, freed with the instance.

    Parameters
    ----------
    binding : Binding
    owner : type or None
        Whose method it is; None: the function itself, for instances of classes that hold it in a property or the like.
    """

    kind = "CachedMethod"

    def __init__(self, binding: Binding, owner: type | None) -> None:
        self._owner = owner
        self._lock = threading.RLock()
        self._calls_by_id: dict[int, Any] = {}
        self._roles: dict[int, tuple[weakref.ref[Any], InstanceRole]] = {}
        self._departed: weakref.WeakSet[Memo] = weakref.WeakSet()  # of freed instances
        if owner is None:
            self.kind = "CachedCall"
        super().__init__(binding, binding.plain.memo, instances=self._calls_by_id)
        self.caches = InstanceCaches(self)
        if binding.options.name is not None:
            registry.register(binding.options.name, self.caches)

    def adopt(self, instance: Any) -> Any:
        """Return the call object for calls with this first argument."""
        role = self._role_of(instance)
        return self.binding.plain.call if role is None else role.call

    def _role_of(self, instance: Any) -> InstanceRole | None:
        mine = self.binding.is_held_by(instance) if self._owner is None else issubclass(type(instance), self._owner)
        if not mine:
            return None
        number = id(instance)
        with self._lock:
            known = self._roles.get(number)
            if known is not None and known[0]() is instance:
                return known[1]
            try:
                reference = weakref.ref(instance, functools.partial(_forget, weakref.ref(self), number))
            except TypeError:
                raise TypeError(
                    f"per_instance: expected instances with weak references, got {type(instance).__name__}; "
                    "add '__weakref__' to its __slots__, or pass key="
                ) from None
            role = InstanceRole(self.binding)
            self._roles[number] = reference, role
            self._calls_by_id[number] = role.call
        return role

    def forget(self, reference: weakref.ref[Any], number: int) -> None:
        """Drop the results of a freed instance."""
        with self._lock:
            known = self._roles.get(number)
            if known is None or known[0] is not reference:
                return
            if self.binding.options.kept is not None:  # callbacks for results may still use the memo
                self._departed.add(known[1].memo)
            released = self._roles.pop(number), self._calls_by_id.pop(number, None)
        del released  # finalizers of results run without the lock

    def memo_of(self, args: tuple[Any, ...]) -> Memo:
        role = self._role_of(args[0]) if args else None
        return self.memo if role is None else role.memo

    def memos(self) -> list[Memo]:
        with self._lock:
            memos: list[Memo] = [*(role.memo for _, role in self._roles.values()), *self._departed]
        return memos if self._owner is not None else [*memos, self.memo]

    def cache_of(self, call: Any) -> Any:
        return self.caches

    def follow(self) -> None:
        """Each instance's call object follows by itself."""

    def attribute(self, call: Any, instance: Any, name: str) -> Any:
        role = self._role_of(instance)
        if role is None:
            return super().attribute(call, instance, name)
        if name == "cache":
            return role.results
        if hasattr(Controls, name) and name not in BY_ARGUMENTS and not name.startswith("_"):
            return getattr(role.controls, name)
        return super().attribute(call, instance, name)


def _forget(role: weakref.ref[InstancesRole], number: int, reference: weakref.ref[Any]) -> None:
    found = role()
    if found is not None:
        found.forget(reference, number)


class InstanceCaches:
    """The caches of all instances of a method, for monitoring and for freeing memory."""

    def __init__(self, role: InstancesRole) -> None:
        self._role = role

    def _caches(self) -> list[Results]:
        return [Results(memo) for memo in self._role.memos()]

    def __len__(self) -> int:
        return sum(map(len, self._caches()))

    def stats(self) -> CacheStats:
        """Return the sums of their statistics."""
        return self._role.controls.stats()

    @property
    def maxsize(self) -> float | None:
        """The bound of each of them."""
        return self._role.binding.options.maxsize

    @property
    def currsize(self) -> float:
        """The sum of their sizes."""
        return math.fsum(cache.currsize for cache in self._caches())

    def clear(self) -> None:
        """Remove every entry."""
        for cache in self._caches():
            cache.clear()

    def expire(self, time: Any = None) -> list[tuple[Any, Any]]:
        """Drop what has expired; return the pairs."""
        return [pair for cache in self._caches() for pair in cache.expire(time)]

    def _shrink(self, fraction: float) -> None:
        for cache in self._caches():
            cache._shrink(fraction)
