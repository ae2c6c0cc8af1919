"""The state of one flag: the settings of every source, and which of them is in force."""

from __future__ import annotations

import weakref
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from fastcore.dispatch.modes import Mode, parse

__all__ = ["HOT_PATHS", "STATEFUL", "Flag", "FlagState", "Follower", "Setting", "State"]

FlagState = Literal["default", "set", "trial", "promoted", "rolled_back"]

HOT_PATHS = ("indicators", "cache", "heap", "framing")
STATEFUL = ("cache", "heap", "framing")  # their objects keep their twin: nothing to compare call by call


class Flag(NamedTuple):
    """The current state of a flag.

    Attributes
    ----------
    name : str
    mode : str
        For a hot path ``auto``, ``compiled`` or ``python``; for a service's Switch ``control`` or ``candidate``; for
        both ``ramp:P``, ``shadow:P``, and ``canary`` in its shadow step or ``canary:P`` at P percent.
    source : str
        Source of the mode: ``rollback``, ``guard``, ``everywhere``, ``override``, ``set``, the name of an environment
        variable, ``file``, ``provider`` or ``default``.
    since : datetime
        When the mode came into force (UTC).
    reason : str
        The reason given; may be empty.
    state : str
        ``default`` where nothing was asked for, ``set`` for a fixed mode, ``trial`` in ``shadow``, ``ramp`` and
        ``canary``, ``promoted`` after a canary, ``rolled_back`` by a person or a guard until it is resumed.

    Examples
    --------
    >>> from fastcore import flags
    >>> flags.declare("described").mode
    'control'
    >>> flag = flags.set("described", "ramp:5", reason="ticket 42")
    >>> flag.mode, flag.source, flag.reason
    ('ramp:5', 'set', 'ticket 42')
    """

    name: str
    mode: str
    source: str
    since: datetime
    reason: str
    state: FlagState = "set"

    @property
    def rolled_back(self) -> bool:
        """Whether a rollback is in force."""
        return self.state == "rolled_back"


class Follower(Protocol):
    """A follower of a flag, such as a Switch; held weakly."""

    def _accept(self, mode: Mode) -> None:
        """Raise if `mode` cannot be applied; nothing has changed yet."""

    def _obey(self, mode: Mode) -> None:
        """Apply `mode` from now on; runs under the store's lock and must not raise."""


class Setting(NamedTuple):
    mode: Mode
    source: str
    since: datetime
    reason: str

    def says(self, other: Setting | None) -> bool:
        return other is not None and (self.mode, self.source, self.reason) == (other.mode, other.source, other.reason)


class State:
    """The state of one flag. `flag` and `mode` are replaced whole, so they are read without the lock."""

    def __init__(self, name: str, words: tuple[str, ...], since: datetime) -> None:
        self.name = name
        self.words = words
        self.default = Setting(Mode(words[0]), "default", since, "")
        self.inherited: Setting | None = None  # from the environment, the flag file or a provider
        self.settings: list[Setting] = []  # the last one is in force
        self.everywhere: Setting | None = None
        self.rollback: Setting | None = None
        self.progress: tuple[Setting, Setting] | None = None  # a setting, and how far its canary has come
        self.followers: weakref.WeakSet[Follower] = weakref.WeakSet()
        self.publish()

    def asked(self) -> Setting:
        """The setting in force apart from a rollback."""
        if self.everywhere is not None:
            return self.everywhere
        if self.settings:
            return self.settings[-1]
        return self.inherited or self.default

    def winner(self) -> Setting:
        if self.rollback is not None:
            return self.rollback
        asked = self.asked()
        if self.progress is not None and self.progress[0] is asked:
            return self.progress[1]
        return asked

    def publish(self) -> None:
        setting = self.winner()
        self.mode = setting.mode
        state = self._state(setting)
        self.flag = Flag(self.name, str(setting.mode), setting.source, setting.since, setting.reason, state)

    def _state(self, setting: Setting) -> FlagState:
        if setting is self.rollback:
            return "rolled_back"
        if setting.mode.promoted:
            return "promoted"
        if setting.mode.word in ("shadow", "ramp", "canary"):
            return "trial"
        return "default" if setting is self.default else "set"

    def parse(self, text: object, where: str = "mode") -> Mode:
        return parse(text, self.words, where, trials=self.name not in STATEFUL)

    @property
    def fixed(self) -> Mode:
        """The mode that a rollback puts in force."""
        return Mode("python" if "python" in self.words else "control")
