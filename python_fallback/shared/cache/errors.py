"""Copies of exceptions, for callers that share or cache an error of another caller's computation.

Raising an exception changes it: frames are added to its traceback and the caller's handled exception becomes its
context. One object for many callers would collect all of that, so each gets a copy. Copies are made from the fields;
no constructor of the caller's runs.
"""

from __future__ import annotations

import types
from typing import Any

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a class statement
_FIELDS = (types.MemberDescriptorType, types.GetSetDescriptorType)
# Set by other means; `obj` of AttributeError and NameError serves suggestions only, and would keep an object alive.
_OWN = frozenset({"args", "obj", "__cause__", "__context__", "__dict__", "__suppress_context__", "__traceback__"})


def copy_error(error: BaseException, *, outer: BaseException | None = None, frames: bool = True) -> BaseException:
    """Return an exception like `error` that shares no traceback, context or notes with it.

    Parameters
    ----------
    error : BaseException
    outer : BaseException, optional
        The exception that the caller handled when it began the computation. It is left out of the chain of contexts,
        as it says nothing about the computation.
    frames : bool, default True
        Keep the tracebacks, and with them the frames' locals. False for what is kept longer than a call.

    Returns
    -------
    BaseException
        `error` itself where its class cannot be copied.
    """
    copies: dict[int, BaseException | None] = {id(outer): None, id(None): None}
    pairs: list[tuple[BaseException, BaseException]] = []
    todo: list[BaseException | None] = [error]
    while todo:
        original = todo.pop()
        if original is not None and (original is error or id(original) not in copies):
            copied = copies[id(original)] = _fields_copied(original, outer, frames)
            pairs.append((original, copied))
            todo += [link for link in (original.__cause__, original.__context__) if id(link) not in copies]
    for original, copied in pairs:
        if copied is not original:
            copied.__traceback__ = original.__traceback__ if frames else None
            copied.__cause__ = copies[id(original.__cause__)]
            copied.__context__ = copies[id(original.__context__)]
            copied.__suppress_context__ = original.__suppress_context__
    return pairs[0][1]


def as_kept(error: Any, outer: BaseException | None = None) -> Any:
    """Return a copy of an error for keeping: without frames, with a note that says where it was raised."""
    kept = copy_error(error, outer=outer, frames=False)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if kept is not error and place is not None:
        code = place.tb_frame.f_code
        kept.add_note(f"kept from an earlier call; raised in {code.co_qualname} ({code.co_filename}:{place.tb_lineno})")
    return kept


def _fields_copied(error: BaseException, outer: BaseException | None, frames: bool) -> BaseException:
    kind = type(error)
    built_in = next(base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE)
    arguments = error.args
    try:
        if isinstance(error, BaseExceptionGroup):
            arguments = (error.message, [copy_error(inner, outer=outer, frames=frames) for inner in error.exceptions])
        copied: BaseException = built_in.__new__(kind, *arguments)
        copied.args = arguments
        copied.__dict__.update(error.__dict__)
    except Exception:  # a class whose instances only its own code can make
        return error.with_traceback(error.__traceback__ if frames else None)
    notes = copied.__dict__.get("__notes__")
    if isinstance(notes, list):
        copied.__notes__ = list(notes)
    for base in kind.__mro__:
        for name, field in vars(base).items():
            if name not in _OWN and isinstance(field, _FIELDS) and _field(field, copied) is not _field(field, error):
                try:
                    field.__set__(copied, field.__get__(error, kind))
                except Exception:  # read-only
                    continue
    return copied


def _field(field: Any, error: BaseException) -> Any:
    try:
        return field.__get__(error, type(error))
    except Exception:  # unset
        return None
