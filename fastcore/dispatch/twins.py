"""Classes that have a compiled and a pure twin behind one public name.

The public class carries the docstrings and the type signatures; constructing it returns an instance of the twin that
the hot path's flag names at that moment. ``isinstance`` and ``issubclass`` accept both twins, and a subclass binds its
twin when the class statement runs. A subclass may call a method of its base by ``super()`` or by the public name
(``LRUCache.__setitem__(self, key, value)``): both are the twin's own method, whatever the subclass overrides.
"""

from __future__ import annotations

import functools
import inspect
import types
from abc import ABCMeta
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastcore.dispatch import backends, flags
from fastcore.dispatch.modes import Mode

if TYPE_CHECKING:
    from typing import Generic
else:

    class Generic:
        """Takes the place of ``typing.Generic``, which would check and count the arguments of each subscript."""

        __class_getitem__ = classmethod(types.GenericAlias)


__all__ = ["Generic", "Twin", "migrate"]

_PLUMBING = frozenset({"__init_subclass__", "__class_getitem__"})
# What every object has, and a twin may define: found on the public class too, where a subclass calls it by that name.
_OF_EVERY_OBJECT = (
    *("__init__", "__repr__", "__str__", "__format__", "__dir__", "__sizeof__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__"),
    *("__reduce__", "__reduce_ex__", "__getstate__"),
)


class Twin(ABCMeta):
    """Metaclass of a public class whose instances come from a twin.

    ``class TTLCache(metaclass=Twin, path="cache")`` looks its twins up under its own name in
    ``fastcore._ext.cache`` and ``python_fallback.cache``. What its body defines serves documentation and type
    checkers; used on the class (``TTLCache.get(cache, key)``, ``TTLCache.load(path)``), it is handed on: to the twin
    that the instance's class is or derives from, or for class methods and static methods to the twin that the flag
    names at that moment. A public class without a twin of its own stands for those that derive from it.
    """

    _path: str
    _twins: dict[str, type[Any]]
    _both: tuple[type[Any], ...]  # those available; empty until the first use
    _bound: tuple[Mode | None, type[Any]]  # the class chosen for a mode of the flag; a ramp chooses for each instance
    __signature__: inspect.Signature

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], path: str = "", **kwargs: Any
    ) -> Any:
        if path:  # the definition of a public class
            owner: list[Twin] = []
            body: dict[str, Any] = {}
            if not any(isinstance(base, Twin) for base in bases):
                body = {key: _method(owner, key, getattr(object, key)) for key in _OF_EVERY_OBJECT}
                body["__new__"] = _new(owner)
                body["__class_getitem__"] = classmethod(types.GenericAlias)
            body.update((key, _handed_on(owner, key, value)) for key, value in namespace.items())
            cls = super().__new__(mcs, name, bases, body, **kwargs)
            owner.append(cls)
            cls._path = path
            cls._twins = {}
            cls._both = ()
            cls._bound = (None, object)
            if inspect.isfunction(namespace.get("__init__")):  # else inspect would show that of __call__ below
                signature = inspect.signature(namespace["__init__"])
                cls.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
            return cls
        facades = [base for base in bases if isinstance(base, Twin)]
        if not facades:
            raise TypeError(f"{name}: expected path=, the name of a hot path, in the definition of a public twin class")
        backend = backends.backend_for(facades[0]._path)
        real = tuple(base.twin(backend) if isinstance(base, Twin) else base for base in bases)
        return types.new_class(name, real, kwargs, lambda body: body.update(namespace))

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], path: str = "", **kwargs: Any
    ) -> None:
        super().__init__(name, bases, namespace, **kwargs)

    def twin(cls, backend: str) -> type[Any]:
        """Return the class that implements this one on `backend`.

        Raises
        ------
        BackendUnavailable
            If `backend` is ``"compiled"`` and the extension may not run.
        """
        found = cls._twins.get(backend)
        if found is None:
            found = cls._twins[backend] = getattr(backends.twin(cls._path, backend), cls.__name__)
        return found

    def _current(cls) -> type[Any]:
        mode = flags.mode_of(cls._path)
        known, found = cls._bound
        if known is not mode:
            found = cls.twin(backends.backend_of(cls._path, mode))
            if mode.word != "ramp":
                cls._bound = (mode, found)
        return found

    def _loaded(cls) -> tuple[type[Any], ...]:
        if not cls._both:
            found = []
            for backend in backends.BACKENDS:
                try:
                    found.append(cls.twin(backend))
                except (ImportError, AttributeError):
                    continue
            if not found:
                derived: Any = type.__subclasses__(cls)
                found = [twin for public in derived for twin in public._loaded()]
            cls._both = tuple(found)
        return cls._both

    def _own(cls, kind: type, name: str) -> type[Any]:
        """Return the twin of this class that `kind` is or derives from."""
        loaded = cls._loaded()
        for base in kind.__mro__:
            if base in loaded:
                return base
        raise TypeError(f"{cls.__name__}.{name}: expected an instance of {cls.__name__}, got {kind.__name__}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._current()(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls._both or cls._loaded())

    def __subclasscheck__(cls, subclass: type) -> bool:
        if isinstance(subclass, Twin):
            return cls in subclass.__mro__
        return issubclass(subclass, cls._loaded())


def _handed_on(owner: list[Twin], key: str, documented: Any) -> Any:
    """Replace what a public class, which will be in `owner`, defines by what finds the twin's own."""
    if key in _PLUMBING:
        return documented
    if isinstance(documented, types.FunctionType):
        return _method(owner, key, documented)
    if isinstance(documented, property):

        def read(self: Any) -> Any:
            return _attribute(owner, key, self).__get__(self, type(self))

        def write(self: Any, value: Any) -> None:
            _attribute(owner, key, self).__set__(self, value)

        return property(read, write if documented.fset is not None else None, doc=documented.__doc__)
    if isinstance(documented, (classmethod, staticmethod)):

        @functools.wraps(documented.__func__)
        def of_class(cls: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(cls._current(), key)(*args, **kwargs)

        return classmethod(of_class)
    return documented


def _attribute(owner: list[Twin], key: str, instance: Any) -> Any:
    """Return what the twin of an instance defines: not what a subclass overrides it by."""
    return getattr(owner[0]._own(type(instance), key), key)


def _method(owner: list[Twin], key: str, documented: Any) -> Callable[..., Any]:
    @functools.wraps(documented)
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        found = _attribute(owner, key, self)
        if found is None:  # as __hash__ of what compares by value
            raise TypeError(f"unhashable type: {type(self).__name__!r}")
        return found(self, *args, **kwargs)

    return method


def _new(owner: list[Twin]) -> Any:
    """Return the ``__new__`` that a subclass calls by the public name; constructing a public class never comes here."""

    def new(kind: type, /, *args: Any, **kwargs: Any) -> Any:
        if isinstance(kind, Twin):
            kind = kind._current()
        return owner[0]._own(kind, "__new__").__new__(kind, *args, **kwargs)

    return new


def migrate(obj: Any, backend: str) -> Any:
    """Return an object on `backend` with the contents of `obj`, which is left empty.

    Parameters
    ----------
    obj : a cache, heap or queue of fastcore
    backend : {"compiled", "python"}

    Raises
    ------
    TypeError
        If `obj` has no twin.
    BackendUnavailable
        If the compiled twin may not run.

    Examples
    --------
    >>> from fastcore.cache import LRUCache, migrate
    >>> cache = LRUCache(10)
    >>> cache["AAPL"] = 187.2
    >>> moved = migrate(cache, "python")
    >>> moved["AAPL"]
    187.2
    """
    own = getattr(obj, "_migrate", None)  # of an object whose contents are in another one
    if own is not None:
        return own(backend)
    take = getattr(obj, "_take_state", None)
    if take is None:
        raise TypeError(f"obj: expected an object of a class with two twins, got {type(obj).__name__}")
    target = _twin_class(type(obj), backend)
    if target is type(obj):
        return obj
    return target._from_state(take())


def _twin_class(cls: type, backend: str) -> Any:
    for base in cls.__mro__:
        public = base.__dict__.get("_public_path")  # e.g. "cache"
        if public is not None and base is cls:
            return getattr(backends.twin(public, backend), cls.__name__)
    raise TypeError(f"obj: expected an instance of a public class, got {cls.__name__}; subclasses stay on their twin")
