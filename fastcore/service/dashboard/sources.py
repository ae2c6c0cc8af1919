"""Where the dashboard's figures come from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastcore.service.dashboard.attempts import Attempts

if TYPE_CHECKING:
    from fastcore.memory import MemoryWatch
    from fastcore.monitor import AlertManager
    from fastcore.service.dashboard.prices import Prices
    from fastcore.streaming import Hub
    from fastcore.tasks import TaskQueue

__all__ = ["Section", "Sources"]

Section = Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """What a dashboard shows: the parts that are installed, None for those that are not.

    Examples
    --------
    >>> from fastcore.service.dashboard import Prices, Sources
    >>> from fastcore.streaming import Hub
    >>> Sources(Prices(), hub=Hub()).tasks is None
    True
    """

    prices: Prices
    tasks: TaskQueue | None = None
    hub: Hub | None = None
    watch: MemoryWatch | None = None
    writable: bool = False
    alerts: AlertManager | None = None
    attempts: Attempts = field(default_factory=Attempts)
    started: float = field(default_factory=time.time)
