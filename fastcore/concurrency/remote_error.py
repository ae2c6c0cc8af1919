"""Errors from other processes: they keep their class, their text and every attribute that can be pickled."""

from __future__ import annotations

import importlib
import pickle
import traceback
from typing import Any, NamedTuple

__all__ = ["RemoteError", "sendable", "trace_of"]


class RemoteError(RuntimeError):
    """An error of another process that cannot be pickled; has its text.

    It is an instance of the error's own class as well, or of the nearest base that can be imported, so that ``except``
    and ``retry_on`` know it; attributes that can be pickled are there. What is no `Exception`, such as SystemExit, is
    a RemoteError only.

    Examples
    --------
    >>> from fastcore.concurrency import RemoteError
    >>> issubclass(RemoteError, RuntimeError)
    True
    """


def sendable(error: BaseException) -> Exception:
    """Return an error that can be pickled, and is the same when it is read: the error itself, or a RemoteError."""
    kind = type(error)
    text = _text_of(error)
    if issubclass(kind, Exception):
        try:
            copy = pickle.loads(pickle.dumps(error, protocol=5))
            # Some can be written and not be read, and some are read as something else: a text made of a text.
            if type(copy) is kind and _text_of(copy) == text:
                return error  # type: ignore[return-value]
        except BaseException:
            pass
    bases = [_names_of(base) for base in kind.__mro__ if issubclass(base, Exception) and base is not Exception]
    state, members = {}, []
    try:
        state = {name: value for name, value in vars(error).items() if _can_travel(value)}
        if issubclass(kind, ExceptionGroup):
            members = [sendable(one) for one in error.exceptions]  # type: ignore[attr-defined]
    except BaseException:  # properties of its own
        pass
    args = tuple(value if _can_travel(value) else repr(type(value)) for value in _ARGS.__get__(error))
    return revived(_Fields(_names_of(kind), bases, text, args, state, members))


def trace_of(error: BaseException) -> str:
    """Return an error's traceback; empty where its own code does not let it be made."""
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:
        return ""


_ARGS = BaseException.__dict__["args"]
_Names = tuple[str, str]
"""Module and qualified name of a class."""


class _Fields(NamedTuple):
    """The description of an error that cannot be pickled."""

    names: _Names
    bases: list[_Names]
    text: str
    args: tuple[Any, ...]
    state: dict[str, Any]
    members: list[Exception]
    """Of an exception group."""


def revived(fields: _Fields) -> Exception:
    """Create the error that represents another; also used for unpickling."""
    for base in fields.bases:
        try:
            error = _instance_of(_find(*base), fields)
            break
        except BaseException:  # of its metaclass, `__init_subclass__` or `__new__`: then its base
            continue
    else:
        error = RemoteError(f"{fields.names[1]}: {fields.text}")
    vars(error).update(fields.state)
    return error


def _instance_of(base: type, fields: _Fields) -> Exception:
    module, name = fields.names
    namespace = {
        "__module__": module,
        "__qualname__": name,
        "__str__": lambda self: fields.text,
        "__reduce_ex__": lambda self, protocol: (revived, (fields,)),
    }
    kind: Any = type(name.rpartition(".")[2], (base, RemoteError), namespace)
    if issubclass(base, ExceptionGroup):
        group: Exception = base.__new__(kind, str(fields.args[0]), fields.members)
        return group
    error: Exception = base.__new__(kind, *fields.args)
    error.args = fields.args
    if issubclass(base, OSError):
        OSError.__init__(error, *fields.args)  # it knows its number from then on
    return error


def _find(module: str, qualname: str) -> type:
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise TypeError(f"{module}.{qualname}: expected an exception class, got {found!r}")
    return found


def _can_travel(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value, protocol=5))
    except BaseException:
        return False
    return True


def _names_of(kind: type) -> _Names:
    """As `type` knows them: a metaclass may say something else."""
    module = type.__dict__["__module__"].__get__(kind)
    return module if isinstance(module, str) else "builtins", type.__dict__["__qualname__"].__get__(kind)


def _text_of(error: BaseException) -> str:
    try:
        return "".join((str(error),))
    except BaseException:
        return "(its text cannot be made)"
