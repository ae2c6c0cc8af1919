"""Where flags live: settings of every source, which of them is in force, and who follows it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from fastcore import _ext
from fastcore.dispatch.modes import PATH_WORDS, SERVICE_WORDS, Mode, parse

__all__ = ["HOT_PATHS", "Change", "Flag", "FlagStore", "Follower"]

HOT_PATHS = ("indicators", "cache", "heap", "framing")
_BACKEND_VARIABLE = "FASTCORE_BACKEND"

_log = logging.getLogger("fastcore.flags")


class Flag(NamedTuple):
    """What a flag holds now.

    Attributes
    ----------
    name : str
    mode : str
        For a hot path ``auto``, ``compiled``, ``python`` or ``ramp:P``; for a service's Switch ``control``,
        ``candidate`` or ``ramp:P``.
    source : str
        Who says so: ``rollback``, ``override``, ``set``, the name of an environment variable, or ``default``.
    since : datetime
        When that came into force (UTC).
    reason : str
        What was given as the reason; may be empty.
    """

    name: str
    mode: str
    source: str
    since: datetime
    reason: str


class Change(NamedTuple):
    """A flag before and after a change of its mode, source or reason; `serial` numbers the changes of a process."""

    serial: int
    old: Flag
    new: Flag


class Follower(Protocol):
    """What obeys a flag, such as a Switch; held weakly."""

    def _accept(self, mode: Mode) -> None:
        """Raise if `mode` cannot be obeyed; nothing has changed yet."""

    def _obey(self, mode: Mode) -> None:
        """Obey `mode` from now on; runs under the store's lock and must not raise."""


class _Setting(NamedTuple):
    mode: Mode
    source: str
    since: datetime
    reason: str


class _State:
    """Everything known of one flag. `flag` and `mode` are replaced whole, so they are read without the lock."""

    def __init__(self, name: str, words: tuple[str, ...], since: datetime) -> None:
        self.name = name
        self.words = words
        self.default = _Setting(Mode(words[0]), "default", since, "")
        self.inherited: _Setting | None = None  # from the environment
        self.settings: list[_Setting] = []  # the last one is in force
        self.rollback: _Setting | None = None
        self.followers: weakref.WeakSet[Follower] = weakref.WeakSet()
        self.publish()

    def winner(self) -> _Setting:
        if self.rollback is not None:
            return self.rollback
        if self.settings:
            return self.settings[-1]
        return self.inherited or self.default

    def publish(self) -> None:
        setting = self.winner()
        self.mode = setting.mode
        self.flag = Flag(self.name, str(setting.mode), setting.source, setting.since, setting.reason)


class FlagStore:
    """The flags of one process.

    Parameters
    ----------
    environ : mapping, default os.environ
    clock : callable, default the UTC wall clock
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self._lock = threading.RLock()
        self._states: dict[str, _State] = {}
        self._listeners: list[Callable[[Change], object]] = []
        self._serial = 0
        for path in HOT_PATHS:
            self._declare(path, PATH_WORDS)
        if hasattr(os, "register_at_fork"):
            me = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _fresh_lock(me))

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
        state = _State(name, words, self._clock())
        state.inherited = self._inherit(state)
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

    def set(self, name: str, mode: str, reason: str = "") -> Flag:
        with self._changing(name) as state:
            setting = self._setting(state, mode, "set", reason)
            state.settings = [s for s in state.settings if s.source != "set"] + [setting]
        return state.flag

    def clear(self, name: str) -> Flag:
        with self._changing(name) as state:
            state.settings = [s for s in state.settings if s.source != "set"]
        return state.flag

    @contextlib.contextmanager
    def override(self, name: str, mode: str, reason: str = "") -> Iterator[Flag]:
        with self._changing(name) as state:
            setting = self._setting(state, mode, "override", reason)
            state.settings = [*state.settings, setting]
        try:
            yield state.flag
        finally:
            with self._changing(name):
                state.settings = [s for s in state.settings if s is not setting]

    def rollback(self, name: str, reason: str) -> Flag:
        with self._changing(name) as state:
            word = "python" if "python" in state.words else "control"
            state.rollback = _Setting(Mode(word), "rollback", self._clock(), _text(reason))
        return state.flag

    def resume(self, name: str) -> Flag:
        with self._changing(name) as state:
            state.rollback = None
        return state.flag

    def refresh(self) -> None:
        """Read the environment again."""
        with self._lock:
            fresh = {name: self._inherit(state) for name, state in self._states.items()}
        for name, inherited in fresh.items():
            with self._changing(name) as state:
                state.inherited = inherited

    def subscribe(self, listener: Callable[[Change], object]) -> Callable[[], None]:
        with self._lock:
            self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = [known for known in self._listeners if known is not listener]

        return unsubscribe

    def follow(self, name: str, follower: Follower) -> None:
        """Make `follower` obey the flag `name` from now on, for as long as it lives."""
        with self._lock:
            state = self._state(name)
            follower._accept(state.mode)
            follower._obey(state.mode)
            state.followers.add(follower)

    def _state(self, name: str) -> _State:
        try:
            return self._states[name]
        except (KeyError, TypeError):
            known = ", ".join(sorted(self._states))
            raise ValueError(f"name: expected a declared flag ({known}), got {name!r}; see flags.declare") from None

    def _setting(self, state: _State, mode: str, source: str, reason: str) -> _Setting:
        """Parse a setting and make sure that whoever follows the flag can obey it."""
        parsed = parse(mode, state.words)
        if state.name in HOT_PATHS and parsed.word in ("compiled", "ramp"):
            _ext.load(state.name)
        for follower in state.followers:
            follower._accept(parsed)
        return _Setting(parsed, source, self._clock(), _text(reason))

    def _inherit(self, state: _State) -> _Setting | None:
        """What the environment says; the flag file and an outside provider come after it."""
        if state.words is not PATH_WORDS:
            return None
        for variable in (f"FASTCORE_{state.name.upper()}", _BACKEND_VARIABLE):
            text = self._environ.get(variable, "").strip()
            if text:
                return _Setting(parse(text, PATH_WORDS, variable), variable, self._clock(), "")
        return None

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[_State]:
        """Change a flag's state under the lock, have its followers obey, and tell listeners after the lock is free."""
        with self._lock:
            state = self._state(name)
            old = state.flag
            yield state
            if (state.winner().mode, state.winner().source, state.winner().reason) == (
                state.mode,
                old.source,
                old.reason,
            ):
                return
            state.publish()
            for follower in state.followers:
                follower._obey(state.mode)
            self._serial += 1
            change = Change(self._serial, old, state.flag)
            listeners = self._listeners
        for listener in listeners:
            try:
                listener(change)
            except Exception:  # a listener never hurts whoever flips a flag
                _log.exception("a listener of flag %s raised", name)


def _text(reason: object) -> str:
    if not isinstance(reason, str):
        raise TypeError(f"reason: expected a str, got {type(reason).__name__}")
    return reason


def _fresh_lock(ref: weakref.ref[FlagStore]) -> None:
    """A child process starts with a free lock: the thread that may have held it was not copied."""
    store = ref()
    if store is not None:
        store._lock = threading.RLock()
