"""A child's view of its parent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["end_with_parent"]


def end_with_parent(stop: Callable[[], object]) -> None:
    """Call `stop` when standard input ends: the parent closed it, or has ended in whatever way."""

    def watch() -> None:
        while os.read(0, 1 << 10):
            pass
        stop()

    threading.Thread(target=watch, name="parent", daemon=True).start()
