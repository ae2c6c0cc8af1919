"""The store of flags: settings of every source, which of them is in force, and its followers."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fastcore import _ext
from fastcore._text import storable
from fastcore.dispatch.formatting import meant
from fastcore.dispatch.journal import Entry, Journal, take_in
from fastcore.dispatch.modes import PATH_WORDS, SERVICE_WORDS, Mode, parse
from fastcore.dispatch.shared_state import KINDS
from fastcore.dispatch.state import HOT_PATHS, STATEFUL, Flag, Follower, Setting, State

__all__ = ["HOT_PATHS", "Change", "Flag", "FlagStore", "Follower", "Told"]

_BACKEND_VARIABLE = "FASTCORE_BACKEND"

OUTSIDE = ("file", "provider")  # in this order

_log = logging.getLogger("fastcore.flags")


class Change(NamedTuple):
    """A flag before and after a change of its mode, source or reason; `serial` numbers the changes of a process.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("changed")
    >>> seen = []
    >>> stop = flags.subscribe(seen.append)
    >>> flag = flags.set("changed", "candidate", reason="release 12")
    >>> seen[-1].old.mode, seen[-1].new.mode, seen[-1].new.reason
    ('control', 'candidate', 'release 12')
    >>> stop()
    """

    serial: int
    old: Flag
    new: Flag


class Told(NamedTuple):
    """How a change is journaled: author, kind, evidence, and whether it applies to every process."""

    who: str
    what: str
    evidence: dict[str, Any]
    shared: bool


class _NotObeyed(ValueError):
    """The flag file or a provider contains a mode that the flag does not accept or that cannot run."""


class FlagStore:
    """The flags of one process.

    Parameters
    ----------
    environ : mapping, default os.environ
    clock : callable, default the UTC wall clock
    journal : Journal, optional
        Where changes are written, and where those of other processes come from.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        journal: Journal | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self.journal = Journal() if journal is None else journal
        self._lock = threading.RLock()
        self._states: dict[str, State] = {}
        self._listeners: list[Callable[[Change], object]] = []
        self._serial = 0
        self._shared: dict[str, dict[str, Entry]] = {}  # flag -> what the journal last said to every process
        self._own: Counter[tuple[str, str]] = Counter()  # changes of this process that it has not read there yet
        self._reading = threading.RLock()
        self._outside: dict[str, dict[str, tuple[str, str]]] = {}  # of the file and a provider: flag -> mode, reason
        self.wrong: dict[str, str] = {}  # flag -> why its mode in the file or of a provider is not applied
        self._unread = ""  # why the contents of the file are unknown
        for path in HOT_PATHS:
            self._declare(path, PATH_WORDS)
        if hasattr(os, "register_at_fork"):
            me = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _after_fork(me))

    def declare(self, name: str) -> Flag:
        if not isinstance(name, str):
            raise TypeError(f"name: expected a str, got {type(name).__name__}")
        if not name or not name.isprintable() or any(c.isspace() for c in name):
            raise ValueError(f"name: expected printable characters without spaces, got {name!r}")
        with self._lock:
            if name not in self._states:
                self._declare(name, SERVICE_WORDS)
            return self._states[name].flag

    def _declare(self, name: str, words: tuple[str, ...]) -> None:
        state = State(name, words, self._clock())
        try:
            state.inherited = self._environment(state) or self._outsider(state)
        except _NotObeyed as error:
            state.inherited = self._unsure(state, str(error))
        if self._unread and state.inherited is None:
            state.inherited = self._unsure(state, self._unread)
        for what, entry in self._shared.get(name, {}).items():
            self._take_shared(state, what, entry)
        state.publish()
        self._states[name] = state

    def get(self, name: str) -> Flag:
        return self._state(name).flag

    def mode(self, name: str) -> Mode:
        """The mode in force: the same object for as long as nothing has changed it."""
        state = self._states.get(name)
        return self._state(name).mode if state is None else state.mode

    def snapshot(self) -> dict[str, Flag]:
        with self._lock:
            return {name: state.flag for name, state in sorted(self._states.items())}

    def ramping(self) -> list[tuple[str, Mode]]:
        """The flags that give some keys the candidate and others the control."""
        states = list(self._states.items())
        return [(name, state.mode) for name, state in states if state.mode.word in ("ramp", "canary")]

    def names(self) -> list[str]:
        """The names of the flags that are declared."""
        return list(self._states)

    def shared(self) -> list[str]:
        """The names of the flags that the journal says something of to every process."""
        with self._lock:
            return sorted(name for name, kinds in self._shared.items() if kinds)

    def set(
        self, name: str, mode: str, reason: str = "", *, everywhere: bool = False, who: str = "operator"
    ) -> Flag:  # fmt: skip
        told = Told(who, "set", {}, everywhere)
        with self._changing(name, told) as state:
            setting = self._setting(state, mode, "everywhere" if everywhere else "set", reason)
            if everywhere:
                state.everywhere = setting
            else:
                state.settings = [s for s in state.settings if s.source != "set"] + [setting]
            state.progress = None
        return state.flag

    def clear(self, name: str, *, everywhere: bool = False, who: str = "operator") -> Flag:
        with self._changing(name, Told(who, "clear", {}, everywhere)) as state:
            if everywhere:
                state.everywhere = None
            state.settings = [s for s in state.settings if s.source != "set"]
        return state.flag

    @contextlib.contextmanager
    def override(self, name: str, mode: str, reason: str = "") -> Iterator[Flag]:
        with self._changing(name, Told("operator", "override", {}, False)) as state:
            setting = self._setting(state, mode, "override", reason)
            state.settings = [*state.settings, setting]
        try:
            yield state.flag
        finally:
            with self._changing(name, Told("operator", "override ends", {}, False)):
                state.settings = [s for s in state.settings if s is not setting]

    def rollback(
        self, name: str, reason: str, *, source: str = "rollback", who: str = "operator",
        evidence: dict[str, Any] | None = None,
    ) -> Flag:  # fmt: skip
        with self._changing(name, Told(who, "rollback", evidence or {}, True)) as state:
            if source != "guard" or state.rollback is None:  # what came first, or a person, says why
                state.rollback = Setting(state.fixed, source, self._clock(), _text(reason))
            state.progress = None
        return state.flag

    def resume(self, name: str, *, who: str = "operator", why: str = "") -> Flag:
        with self._changing(name, Told(who, "resume", {"why": why} if why else {}, True)) as state:
            if who != "guard" or state.rollback is None or state.rollback.source == "guard":
                state.rollback = None
                state.progress = None
        return state.flag

    def advance(self, name: str, mode: Mode, reason: str, what: str, evidence: dict[str, Any]) -> Flag:
        """Advance the canary in force to `mode`; no effect without one."""
        with self._changing(name, Told("guard", what, evidence, True)) as state:
            self._progress(state, mode, reason)
        return state.flag

    def _progress(self, state: State, mode: Mode, reason: str) -> None:
        asked = state.asked()
        if state.rollback is None and asked.mode.word == "canary":
            state.progress = asked, Setting(mode, "guard", self._clock(), reason)

    def reapply(self, name: str) -> None:
        """Apply a flag's mode to its followers again, because its meaning to them has changed."""
        with self._lock:
            state = self._state(name)
            for follower in state.followers:
                follower._obey(state.mode)

    def refresh(self) -> None:
        """Read the environment again."""
        with self._lock:
            fresh = {}
            for name, state in self._states.items():
                with contextlib.suppress(_NotObeyed):  # as `outside` has said
                    fresh[name] = self._environment(state) or self._outsider(state)
        self._inherited(fresh, Told("environment", "change", {}, False))

    def outside(self, source: str, settings: Mapping[str, tuple[str, str]]) -> None:
        """Apply the current contents of the flag file or a provider: flag -> mode and reason.

        Raises
        ------
        ValueError
            If a declared flag does not accept its mode; the other flags are applied.
        """
        with self._lock:
            self._outside[source] = dict(settings)
            if source == "file":
                self._unread = ""
            fresh, wrong = {}, {}
            for name, state in self._states.items():
                try:
                    fresh[name] = self._environment(state) or self._outsider(state)
                except _NotObeyed as error:
                    wrong[name] = str(error)
            self.wrong = wrong
        self._inherited(fresh, Told(source, "change", {}, False))
        if wrong:
            raise ValueError("; ".join(wrong.values()))

    def distrust(self, unread: str) -> None:
        """Put what the file may want off on its control: all flags if it is `unread` and why, else the wrong ones."""
        with self._lock:
            self._unread = unread
            whose = dict.fromkeys(self._states, unread) if unread else dict(self.wrong)
            states = [state for name, state in self._states.items() if name in whose and state.inherited is None]
            fresh = {state.name: self._unsure(state, whose[state.name]) for state in states}
        self._inherited(fresh, Told("file", "change", {}, False))

    def _unsure(self, state: State, why: str) -> Setting:
        self.wrong[state.name] = why
        _log.error("flag %s: %s in force, %s", state.name, state.fixed, why)
        return Setting(state.fixed, "file", self._clock(), f"not applied: {why}")

    def _inherited(self, fresh: Mapping[str, Setting | None], told: Told) -> None:
        for name, inherited in fresh.items():
            if inherited is None or not inherited.says(self._states[name].inherited):
                with self._changing(name, told) as state:
                    state.inherited = inherited

    def follow_journal(self) -> None:
        """Apply what other processes have journaled for every process since the last call."""
        if self.journal.behind:
            self.journal.save()
        with self._reading:
            replaced, entries = self.journal.news()
            with self._lock:
                if replaced:
                    self._shared = {}
                    self._own.clear()
                touched: dict[str, list[Entry]] = {}
                for entry in entries:
                    own = entry.session == self.journal.session and entry.scope != "process"
                    if own and entry.what in KINDS:
                        self._own[entry.flag, KINDS[entry.what]] -= 1
                    if entry.scope != "host":
                        continue
                    take_in(self._shared.setdefault(entry.flag, {}), entry)
                    touched.setdefault(entry.flag, []).append(entry)
                self._own = +self._own
            for name, told in touched.items():
                if name in self._states:
                    with self._changing(name, None) as state:
                        for what, entry in self._shared.get(name, {}).items():
                            if not self._own[name, what]:  # else this process's own comes later in the file, and holds
                                self._take_shared(state, what, entry)
                        for entry in told:
                            self._take_step(state, entry)

    def _take_shared(self, state: State, what: str, entry: Entry) -> None:
        """Apply an entry of the journal, which may be this process's own."""
        try:
            since = datetime.fromisoformat(entry.when)
            if what == "rollback":
                given = entry.new.get("source", "rollback"), since, entry.new.get("reason", entry.why)
                setting = None if entry.what == "resume" else Setting(state.fixed, *given)
                if setting is None or not setting.says(state.rollback):
                    state.rollback = setting
                    state.progress = None
            else:
                asked = entry.evidence.get("mode", entry.new.get("mode"))
                setting = None
                if entry.what == "set":
                    setting = Setting(state.parse(asked), "everywhere", since, entry.why)
                if setting is None or not setting.says(state.everywhere):
                    state.everywhere = setting
        except (ValueError, TypeError):
            _log.exception("journal %s: an entry about flag %s cannot be applied", self.journal.path, state.name)

    def _take_step(self, state: State, entry: Entry) -> None:
        """Follow the canary of another process, upwards only."""
        if entry.what not in ("advance", "promote") or entry.session == self.journal.session:
            return
        if state.mode.word == "canary":
            promoted = entry.what == "promote"
            mode = _promoted(state) if promoted else parse(entry.new.get("mode"), state.words)
            if promoted or (mode.word == "canary" and mode.percent > state.mode.percent):
                self._progress(state, mode, entry.why)

    def subscribe(self, listener: Callable[[Change], object]) -> Callable[[], None]:
        with self._lock:
            self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = [known for known in self._listeners if known is not listener]

        return unsubscribe

    def follow(self, name: str, follower: Follower) -> None:
        """Let `follower` follow the flag `name` for its lifetime."""
        with self._lock:
            state = self._state(name)
            follower._accept(state.mode)
            follower._obey(state.mode)
            state.followers.add(follower)

    def followers(self, name: str) -> list[Follower]:
        with self._lock:
            return list(self._state(name).followers)

    def _state(self, name: str) -> State:
        try:
            return self._states[name]
        except (KeyError, TypeError):
            known = ", ".join(sorted(self._states))
            close = meant(name, self._states) if isinstance(name, str) else ""
            text = f"name: expected a declared flag ({known}), got {name!r}{close or '; see flags.declare'}"
            raise ValueError(text) from None

    def _setting(self, state: State, mode: str, source: str, reason: str) -> Setting:
        """Parse a setting and check that every follower of the flag can apply it."""
        parsed = state.parse(mode)
        self._can(state, parsed)
        return Setting(parsed, source, self._clock(), _text(reason))

    def _can(self, state: State, mode: Mode) -> None:
        if state.name in HOT_PATHS and mode.word in ("compiled", "ramp", "shadow", "canary"):
            _ext.load(state.name)
        for follower in state.followers:
            follower._accept(mode)

    def _environment(self, state: State) -> Setting | None:
        if state.words is not PATH_WORDS:
            return None
        for variable in (f"FASTCORE_{state.name.upper()}", _BACKEND_VARIABLE):
            text = self._environ.get(variable, "").strip()
            if text:
                trials = variable != _BACKEND_VARIABLE and state.name not in STATEFUL
                return Setting(parse(text, PATH_WORDS, variable, trials), variable, self._clock(), "")
        return None

    def _outsider(self, state: State) -> Setting | None:
        """Return the mode of the flag file, else that of an outside provider."""
        source = next((source for source in OUTSIDE if state.name in self._outside.get(source, ())), None)
        if source is None:
            return None
        text, reason = self._outside[source][state.name]
        try:
            mode = state.parse(text, f"{source}: {state.name}")
            self._can(state, mode)
        except (ValueError, TypeError, ImportError) as error:
            raise _NotObeyed(str(error)) from None
        return Setting(mode, source, self._clock(), reason)

    @contextlib.contextmanager
    def _changing(self, name: str, told: Told | None) -> Iterator[State]:
        """Change a flag's state and apply it to its followers under the lock, then call listeners without it."""
        with self._lock:
            state = self._state(name)
            old, asked = state.flag, (state.everywhere, state.rollback)
            yield state
            winner = state.winner()
            if (winner.mode, winner.source, winner.reason) == (state.mode, old.source, old.reason):
                change = None
            else:
                state.publish()
                for follower in state.followers:
                    follower._obey(state.mode)
                self._serial += 1
                change = Change(self._serial, old, state.flag)
            silent = change is None and asked == (state.everywhere, state.rollback)
            if told is not None and told.shared and not silent and self.journal.path and told.what in KINDS:
                self._own[name, KINDS[told.what]] += 1
            listeners = self._listeners
        if told is not None and not silent:
            self._write(told, old, state)
        if change is None:
            return
        for listener in listeners:
            try:
                listener(change)
            except KeyboardInterrupt:
                raise
            except BaseException:  # an error of a listener never reaches the caller that sets a flag
                _log.exception("a listener of flag %s raised", name)

    def _write(self, told: Told, old: Flag, state: State) -> None:
        new, evidence = state.flag, told.evidence
        if told.what == "set" and told.shared and state.everywhere is not None:
            evidence = {"mode": str(state.everywhere.mode)}  # what is asked for, which a rollback may hide
            why = state.everywhere.reason
        elif told.what == "rollback" and state.rollback is not None:
            why = state.rollback.reason
        else:
            why = evidence.get("why", new.reason)
        self.journal.write(
            told.who, told.what, state.name, why, old=_said(old), new=_said(new), evidence=evidence, shared=told.shared
        )


def _promoted(state: State) -> Mode:
    return Mode("compiled" if "compiled" in state.words else "candidate", 0.0, True)


def _said(flag: Flag) -> dict[str, str]:
    return {"mode": flag.mode, "source": flag.source, "reason": flag.reason}


def _text(reason: object) -> str:
    if not isinstance(reason, str):
        raise TypeError(f"reason: expected a str, got {type(reason).__name__}")
    return storable(reason)


def _after_fork(ref: weakref.ref[FlagStore]) -> None:
    """A child process starts with a free lock: the thread that may have held it was not copied."""
    store = ref()
    if store is not None:
        store._lock, store._reading = threading.RLock(), threading.RLock()
        store._own.clear()
        store.journal.after_fork()
