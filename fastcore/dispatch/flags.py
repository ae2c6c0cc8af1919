"""The flags of this process: which implementation runs, set for every thread at once.

The one in force is the first of: a rollback, :func:`set` or :func:`override` (whichever came last), the variable
``FASTCORE_<PATH>`` of a hot path, ``FASTCORE_BACKEND``, the default.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from fastcore.dispatch.store import Change, Flag, FlagStore

__all__ = [
    "Change",
    "Flag",
    "clear",
    "declare",
    "get",
    "override",
    "refresh",
    "resume",
    "rollback",
    "set",
    "snapshot",
    "subscribe",
]

_store = FlagStore()


def get(name: str) -> Flag:
    """Return what the flag `name` holds now, who says so, since when and why.

    Raises
    ------
    ValueError
        If no flag of that name is declared.
    """
    return _store.get(name)


def set(name: str, mode: str, reason: str = "") -> Flag:
    """Set the flag `name`; the next call in every thread obeys.

    Parameters
    ----------
    name : str
        A hot path (``indicators``, ``cache``, ``heap``, ``framing``), the flag of a Switch, or a declared name.
    mode : str
        ``auto``, ``compiled`` or ``python`` for a hot path, ``control`` or ``candidate`` for a Switch of a service;
        ``ramp:P`` for both: P percent of the keys, always the same ones, get the candidate.
    reason : str, default ""
        Kept with the flag.

    Returns
    -------
    Flag
        The flag in force, which is still the rollback if one is.

    Raises
    ------
    ValueError
        If the name is not declared or the mode is not one of the above.
    BackendUnavailable
        If the compiled twin is asked for and may not run; nothing has changed then.
    """
    return _store.set(name, mode, reason)


def clear(name: str) -> Flag:
    """Take back :func:`set`, so that environment and default decide again; returns the flag in force."""
    return _store.clear(name)


def override(name: str, mode: str, reason: str = "") -> AbstractContextManager[Flag]:
    """Set the flag `name`, in every thread, for the length of a ``with`` block. For tests.

    Overrides nest. On leaving, a block takes back its own setting and nothing else: what :func:`set` has set
    meanwhile stays.
    """
    return _store.override(name, mode, reason)


def declare(name: str) -> Flag:
    """Declare the flag of a service, so that it can be set before its Switch exists; declaring it again is harmless."""
    return _store.declare(name)


def snapshot() -> dict[str, Flag]:
    """Return every flag by name."""
    return _store.snapshot()


def rollback(name: str, reason: str) -> Flag:
    """Put the flag `name` back to ``python`` or ``control``, above every other setting, until :func:`resume`."""
    return _store.rollback(name, reason)


def resume(name: str) -> Flag:
    """End a rollback: the other settings decide again. Returns the flag in force."""
    return _store.resume(name)


def refresh() -> None:
    """Read the environment again; it is otherwise read once, when a flag is declared."""
    _store.refresh()


def subscribe(listener: Callable[[Change], object]) -> Callable[[], None]:
    """Have `listener` called with every :class:`Change`, in the thread that made it; returns what ends that.

    An exception in a listener is logged, not raised.
    """
    return _store.subscribe(listener)
