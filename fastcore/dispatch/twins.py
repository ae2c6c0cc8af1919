"""Classes that have a compiled and a pure twin behind one public name.

The public class carries the docstrings and the type signatures; constructing it returns an instance of the twin that
the hot path's flag names at that moment. ``isinstance`` and ``issubclass`` accept both twins, and a subclass binds its
twin when the class statement runs.
"""

from __future__ import annotations

import functools
import types
from abc import ABCMeta
from typing import Any

from fastcore.dispatch import backends

__all__ = ["Twin", "migrate"]


class Twin(ABCMeta):
    """Metaclass of a public class whose instances come from a twin.

    ``class TTLCache(metaclass=Twin, path="cache")`` looks its twins up under its own name in
    ``fastcore._ext.cache`` and ``python_fallback.cache``. Methods written in its body serve documentation and type
    checkers; called unbound, they hand the call on to the instance's own method.
    """

    _path: str

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], path: str = "", **kwargs: Any
    ) -> Any:
        facades = [base for base in bases if isinstance(base, Twin)]
        if path:  # the definition of a public class
            for key, value in list(namespace.items()):
                if isinstance(value, types.FunctionType) and key != "__new__":
                    namespace[key] = _unbound(value)
            cls = super().__new__(mcs, name, bases, namespace, **kwargs)
            cls._path = path
            return cls
        if not facades:
            raise TypeError(f"{name}: expected path=, the name of a hot path, in the definition of a public twin class")
        backend = backends.backend_for(facades[0]._path)
        real = tuple(base.twin(backend) if isinstance(base, Twin) else base for base in bases)
        namespace.pop("__orig_bases__", None)
        return types.new_class(name, real, kwargs, lambda body: body.update(namespace))

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], path: str = "", **kwargs: Any
    ) -> None:
        super().__init__(name, bases, namespace, **kwargs)

    def twin(cls, backend: str) -> type[Any]:
        """Return the class that implements this one on `backend`."""
        found: type[Any] = getattr(backends.twin(cls._path, backend), cls.__name__)
        return found

    def _loaded(cls) -> tuple[type[Any], ...]:
        loaded = [cls.twin("python")]
        try:
            loaded.append(cls.twin("compiled"))
        except ImportError:
            pass
        return tuple(loaded)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.twin(backends.backend_for(cls._path))(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls._loaded())

    def __subclasscheck__(cls, subclass: type) -> bool:
        if isinstance(subclass, Twin):
            return issubclass(subclass.twin("python"), cls.twin("python"))
        return issubclass(subclass, cls._loaded())


def _unbound(documented: types.FunctionType) -> Any:
    @functools.wraps(documented)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, documented.__name__)(*args, **kwargs)

    return method


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
    """
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
