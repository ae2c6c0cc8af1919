"""Classes of a user's own that messages refer to."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pydantic

T = TypeVar("T")


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


# ---- dataclasses and models ----


@dataclasses.dataclass
class Leg:
    symbol: str
    side: Side = Side.BUY
    price: Decimal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    venue: str
    at: dt.datetime
    id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass
class Ticket:
    legs: list[Leg]
    place: Place
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    total: int = dataclasses.field(init=False)
    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        type(self).made += 1  # counts how often one is made by a call
        self.total = len(self.legs)
        self.hint = f"{self.total} legs"


@dataclasses.dataclass
class Marked(Ticket):
    mark: str = "m"


@dataclasses.dataclass
class Box(Generic[T]):
    value: T


class Account(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    id: uuid.UUID
    side: Side = Side.SELL
    opened: dt.datetime
    limit: Decimal = Decimal("10.50")
    tags: set[str] = set()
    _seen: int = pydantic.PrivateAttr(default=0)


class Order(pydantic.BaseModel):
    checked: ClassVar[int] = 0

    account: Account
    legs: list[Leg]
    callback: pydantic.HttpUrl | None = None

    @pydantic.model_validator(mode="after")
    def _count(self) -> Order:
        type(self).checked += 1  # counts how often one is validated
        return self


class Rows(pydantic.RootModel[list[int]]):
    pass


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


class Closing:
    def __del__(self) -> None: ...


@dataclasses.dataclass
class Handle(Closing):
    path: str


@dataclasses.dataclass
class Trouble(Exception):
    code: int
