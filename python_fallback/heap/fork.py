"""Heaps and queues in a forked process begin with fresh locks, and with no waiters but those of the forking thread."""

from __future__ import annotations

import os
import weakref
from typing import Any

_living: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # by identity: some cannot be hashed


def follow_forks(held: Any) -> None:
    _living[id(held)] = held


def _after_fork() -> None:
    for held in list(_living.values()):
        held._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
