"""Objects that lie in cells of object columns."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple

import numpy as np


class Side(enum.Enum):
    BUY = 1
    SELL = 2


class Level(enum.IntEnum):
    ONE = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Curve:
    points: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    points: Any


class Order:
    def __init__(self, price: Any) -> None:
        self.price = price


class Slots:
    __slots__ = ("__hidden", "price")

    def __init__(self, price: Any) -> None:
        self.price = price
        self.__hidden = price


class Money(float):
    currency = "EUR"


class Tagged(list[Any]):
    tag = ""


def long_array(changed: bool) -> Any:
    values = np.arange(5000.0)
    values[2500] = -1 if changed else 2500
    return values
