"""Boards and live indicators over a fork: the child gets them between two bars, with free locks."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

__all__ = ["keep_whole"]

_alive: weakref.WeakSet[Any] = weakref.WeakSet()
_turn = threading.RLock()  # of threads that fork at the same time
_held: list[Any] = []


def keep_whole(owner: Any) -> None:
    """Prevent a fork within a bar of `owner`, whose core has a lock."""
    if hasattr(owner._core, "hold"):
        _alive.add(owner)


def _before() -> None:
    _turn.acquire()
    for owner in sorted(_alive, key=id):
        owner._core.hold()
        _held.append(owner)


def _release() -> None:
    for owner in _held:
        owner._core.release()
    _held.clear()
    _turn.release()


def _after_in_child() -> None:
    global _turn
    for owner in _alive:
        if owner not in _held:  # made meanwhile; or all, in a process that forked without asking Python
            owner._core.renew()
    for owner in _held:
        owner._core.release()
    _held.clear()
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_after_in_child)
