"""Classes of a user's own that messages refer to."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Side(enum.Enum):
    BUY = "b"
    SELL = "s"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2
    TRADE = 4


class Level(enum.IntEnum):
    LOW = 1


class Quote(NamedTuple):
    bid: float
    ask: float

    class Inner(NamedTuple):
        depth: int
