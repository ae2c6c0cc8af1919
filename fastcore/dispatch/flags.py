"""The flags of this process: which implementation runs, set for every thread at once.

The one in force is the first of: a rollback, a setting for all processes, :func:`set` or :func:`override` (whichever
came last), the variable ``FASTCORE_<PATH>`` of a hot path, ``FASTCORE_BACKEND``, the flag file
(``FASTCORE_FLAGS_FILE``), an outside provider, the default.

The journal (``FASTCORE_JOURNAL``, by default next to the flag file) tells every process of the host of rollbacks and of
settings for all, also one that starts later. The workers of one server share a journal without either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from fastcore.dispatch import process
from fastcore.dispatch.journal import Entry
from fastcore.dispatch.modes import Mode
from fastcore.dispatch.provider import Provider, ProviderPoll
from fastcore.dispatch.store import HOT_PATHS, Change, Flag

if TYPE_CHECKING:
    from fastcore.dispatch.guard import Guard

__all__ = [
    "HOT_PATHS",
    "Change",
    "Entry",
    "Flag",
    "clear",
    "declare",
    "get",
    "guard",
    "journal",
    "override",
    "problems",
    "provide",
    "refresh",
    "resume",
    "rollback",
    "set",
    "snapshot",
    "subscribe",
    "subscribe_journal",
]

_log = logging.getLogger("fastcore.flags")


def mode_of(path: str) -> Mode:
    """Return the mode in force of a hot path that is about to be used."""
    if process.sync.waiting:
        process.sync.begin()
    return process.store.mode(path)


def get(name: str) -> Flag:
    """Return the state of the flag `name`: mode, source, time and reason.

    Raises
    ------
    ValueError
        If no flag of that name is declared.

    Examples
    --------
    >>> from fastcore import flags
    >>> flags.get("indicators").mode in ("auto", "compiled", "python")
    True
    """
    process.sync.look_sometimes()
    return process.store.get(name)


def set(name: str, mode: str, reason: str = "", *, everywhere: bool = False, who: str = "operator") -> Flag:
    """Set the flag `name`, from the next call on in every thread.

    Parameters
    ----------
    name : str
        A hot path (``indicators``, ``cache``, ``heap``, ``framing``), the flag of a Switch, or a declared name.
    mode : str
        ``auto``, ``compiled`` or ``python`` for a hot path, ``control`` or ``candidate`` for a Switch of a service;
        for both ``ramp:P``: P percent of the keys, always the same ones, get the candidate; ``shadow:P``: the control
        answers, and P percent of the calls also run the candidate, to compare; ``canary``: in shadow first, then for
        a rising share of the keys, as the :class:`~fastcore.Guard` has it. Caches, heaps and framing, whose objects
        keep their twin, take ``ramp:P`` only.
    reason : str, default ""
        Kept with the flag, and in the journal.
    everywhere : bool, default False
        Set it for every process that shares the journal, also those that start later; precedes settings of one process.
    who : str, default "operator"
        Named in the journal.

    Returns
    -------
    Flag
        The flag in force. While it is rolled back a setting has no effect: ``rolled_back`` of the result is True, and
        a warning is logged.

    Raises
    ------
    ValueError
        If the name is not declared or the mode is not one of the above.
    BackendUnavailable
        If the compiled twin is asked for and may not run; nothing has changed then.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("switched")
    >>> flags.set("switched", "ramp:5", reason="release 12").mode
    'ramp:5'
    """
    flag = process.store.set(name, mode, reason, everywhere=everywhere, who=who)
    if note := not_acting(flag):
        _log.warning("flag %s: set to %s: %s", name, mode, note)
    return flag


def not_acting(flag: Flag) -> str:
    """Return why a setting has no effect, if a rollback is in force."""
    if not flag.rolled_back:
        return ""
    why = f" ({flag.reason})" if flag.reason else ""
    return f"does not act while the flag is rolled back{why}; resume it first"


def clear(name: str, *, everywhere: bool = False, who: str = "operator") -> Flag:
    """Undo :func:`set`, so that environment and default decide again; return the flag in force.

    With `everywhere`, also a setting for all processes.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("cleared")
    >>> flags.set("cleared", "candidate").mode
    'candidate'
    >>> flags.clear("cleared").mode
    'control'
    """
    return process.store.clear(name, everywhere=everywhere, who=who)


def override(name: str, mode: str, reason: str = "") -> AbstractContextManager[Flag]:
    """Set the flag `name`, in every thread, for the length of a ``with`` block. For tests.

    Overrides nest. On leaving, a block takes back its own setting and nothing else: what :func:`set` has set
    meanwhile stays.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("overridden")
    >>> with flags.override("overridden", "candidate"):
    ...     flags.get("overridden").mode
    'candidate'
    >>> flags.get("overridden").mode
    'control'
    """
    return process.store.override(name, mode, reason)


def declare(name: str) -> Flag:
    """Declare the flag of a service, so that it can be set before its Switch exists; declaring it again is harmless.

    Examples
    --------
    >>> from fastcore import flags
    >>> flags.declare("declared").mode
    'control'
    """
    return process.store.declare(name)


def snapshot() -> dict[str, Flag]:
    """Return every flag by name.

    Examples
    --------
    >>> from fastcore import flags
    >>> sorted(flags.snapshot())[:1]
    ['...']
    """
    process.sync.look_sometimes()
    return process.store.snapshot()


def rollback(name: str, reason: str, *, who: str = "operator") -> Flag:
    """Put the flag `name` back to ``python`` or ``control``, above every other setting, until :func:`resume`.

    In every process that shares the journal, and also after a restart.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("rolled_back")
    >>> flag = flags.rollback("rolled_back", "ticket 42")
    >>> flag.mode, flag.source
    ('control', 'rollback')
    >>> flags.set("rolled_back", "candidate").mode         # a rollback is above every other setting
    'control'
    """
    return process.store.rollback(name, reason, who=who)


def resume(name: str, *, who: str = "operator") -> Flag:
    """End a rollback, here and where the journal is shared: the other settings decide again; returns what is in force.

    A canary begins again in shadow.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("resumed")
    >>> flag = flags.set("resumed", "candidate")
    >>> flags.rollback("resumed", "ticket 42").mode
    'control'
    >>> flags.resume("resumed").mode
    'candidate'
    """
    return process.store.resume(name, who=who)


def guard(name: str, limits: Guard) -> None:
    """Guard the candidate of the flag `name` with `limits`, as ``Switch(guard=)`` does; for the hot paths.

    Examples
    --------
    >>> from fastcore import Guard, flags
    >>> flags.guard("indicators", Guard(slowdown=0.5))    # a ramp of the compiled twin is rolled back by it
    """
    from fastcore.dispatch.controller import of

    process.store.get(name)
    of(name).use(limits)
    process.store.reapply(name)


def provide(provider: Provider, interval: float = 30.0) -> Callable[[], None]:
    """Ask an outside flag service for every flag, now and every `interval` seconds; return a function that stops it.

    Parameters
    ----------
    provider : Provider
        Anything with ``resolve_string_details(flag_key, default_value, evaluation_context=None)`` that returns an
        object with ``value``: a mode, or the default for a flag it does not know. An OpenFeature provider is one.
    interval : float, default 30.0
        Seconds.

    Notes
    -----
    A provider that does not answer blocks the caller for five seconds; a late answer is applied when it arrives.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from fastcore import flags
    >>> flag = flags.declare("provided")
    >>> class Service:
    ...     def resolve_string_details(self, flag_key, default_value, evaluation_context=None):
    ...         return SimpleNamespace(value="candidate" if flag_key == "provided" else default_value)
    >>> stop = flags.provide(Service())
    >>> flags.get("provided").mode, flags.get("provided").source
    ('candidate', 'provider')
    >>> stop()
    """
    poll = ProviderPoll(provider, lambda: list(process.store.snapshot()), process.sync.provided, interval)
    poll.start()

    def stop() -> None:
        poll.stop()
        process.sync.provided({})

    return stop


def journal(name: str = "", limit: int = 100) -> list[Entry]:
    """Return the newest `limit` entries of the journal, of the flag `name` or of all, the oldest first.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("written")
    >>> flag = flags.set("written", "candidate", reason="release 12")
    >>> [(entry.what, entry.why) for entry in flags.journal("written")]
    [('set', 'release 12')]
    """
    return process.store.journal.entries(name, limit)


def subscribe_journal(listener: Callable[[Entry], object]) -> Callable[[], None]:
    """Call `listener` with every journal entry of this process; return a function that removes it.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("noted")
    >>> entries = []
    >>> stop = flags.subscribe_journal(entries.append)
    >>> flag = flags.set("noted", "candidate", reason="release 12")
    >>> entries[-1].flag, entries[-1].why
    ('noted', 'release 12')
    >>> stop()
    """
    return process.store.journal.subscribe(listener)


def problems() -> list[str]:
    """Return the problems of the flag file and the journal, whose last good state stays in force; usually none.

    :func:`fastcore.status` shows it.

    Examples
    --------
    >>> from fastcore import flags
    >>> flags.problems()
    []
    """
    process.sync.look_sometimes()
    return process.sync.problems()


def refresh() -> None:
    """Read the environment, the flag file and the journal again.

    The environment is otherwise read once, when a flag is declared; the others are followed, within a second.

    Raises
    ------
    ValueError
        If one of them contains a mode that a flag does not accept.

    Examples
    --------
    >>> import os
    >>> from fastcore import flags
    >>> before = os.environ.get("FASTCORE_HEAP", "")
    >>> os.environ["FASTCORE_HEAP"] = "python"
    >>> flags.refresh()
    >>> flags.get("heap").mode, flags.get("heap").source
    ('python', 'FASTCORE_HEAP')
    >>> os.environ["FASTCORE_HEAP"] = before
    >>> flags.refresh()
    """
    process.store.refresh()
    process.sync.look(strict=True)


def subscribe(listener: Callable[[Change], object]) -> Callable[[], None]:
    """Call `listener` with every :class:`Change`, in the thread that made it; return a function that removes it.

    An exception in a listener is logged, not raised.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("heard")
    >>> modes = []
    >>> stop = flags.subscribe(lambda change: modes.append(change.new.mode))
    >>> flag = flags.set("heard", "candidate")
    >>> modes
    ['candidate']
    >>> stop()
    """
    return process.store.subscribe(listener)
