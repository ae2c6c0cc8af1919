"""Dataclasses and pydantic models in messages: whole, without running them again, and none of a message's choosing."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import ipaddress
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest

from fastcore.framing import ExtType, packb
from fastcore.tasks.codec import Codec, CodecError, Unserializable
from fastcore.tasks.codec.message import join
from tests.tasks.codec import codec_types
from tests.tasks.codec.codec_types import (
    Account,
    Box,
    Handle,
    Leg,
    Marked,
    Order,
    Page,
    Place,
    Rows,
    Side,
    Ticket,
    Trouble,
)

codec = Codec()
AT = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
LEGS = [Leg("AAPL"), Leg("MSFT", Side.SELL, Decimal("1.10"))]
PLACE = Place("XNYS", AT)


def back(value: Any) -> Any:
    return codec.decode(codec.encode(value))


def account(**given: Any) -> Account:
    return Account(id=uuid.UUID(int=7), opened=AT, **given)


PageOfLegs = Page[Leg]
PageOfDecimals = Page[Decimal]


@pytest.mark.parametrize(
    "value",
    [
        LEGS[1],
        PLACE,
        Ticket(LEGS, PLACE, {"a": Leg("X"), "b": {Place("Y", AT)}}),
        Marked([], PLACE, mark="z"),
        Box[Leg](LEGS[0]),
        Box(Box(account())),
        account(tags={"a"}, colour="red", legs=LEGS),
        Order(account=account(), legs=LEGS, callback="https://example.com/done?x=1"),
        Rows([1, 2]),
        Page[Leg](items=LEGS),
        PageOfDecimals(items=[Decimal("2.50")]),
        {"orders": (Order(account=account(), legs=[]), None)},
        ipaddress.ip_address("10.0.0.1"),
        ipaddress.ip_network("fe80::/10"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_round_trip(value: Any) -> None:
    before = copy.deepcopy(value)
    again = back(value)
    assert type(again) is type(value)
    assert again == value == before
    assert repr(again) == repr(value)


def test_attributes_that_are_not_fields_are_kept_without_running_code() -> None:
    ticket, order = Ticket(LEGS, PLACE), Order(account=account(), legs=LEGS)
    made, checked = Ticket.made, Order.checked
    assert (back(ticket).total, back(ticket).hint) == (2, "2 legs")
    assert back(order) == order
    assert (Ticket.made, Order.checked) == (made, checked)


def test_models_keep_their_set_fields_and_private_attributes() -> None:
    model = account(side=Side.BUY)
    model._seen = 3
    again = back(model)
    assert again.model_fields_set == {"id", "opened", "side"}
    assert (again._seen, again.limit) == (3, Decimal("10.50"))
    assert again.model_dump() == model.model_dump()
    assert back(account())._seen == 0


def test_a_parametrized_model_without_a_module_is_decoded_as_the_generic_model() -> None:
    def made() -> Any:
        return Page[dt.date](items=[dt.date(2026, 3, 1)])

    assert back(made()) == made()
    assert isinstance(back(made()), Page)


def test_times_that_pydantic_read_have_offsets_of_the_library() -> None:
    read = pydantic.TypeAdapter(dt.datetime).validate_python
    for text in (
        "2026-03-01T09:30:00Z",
        "2026-03-01T09:30:00+05:30",
        "2026-03-01T09:30:00-03:00",
        "2026-03-01T09:30:00",
    ):
        value = read(text)
        assert back(value) == value
        assert back(value).utcoffset() == value.utcoffset()
        assert back({"t": value.timetz()}) == {"t": value.timetz()}


def local() -> Any:
    @dataclasses.dataclass
    class Local:
        n: int

    return Local(1)


def local_model() -> Any:
    class Local(pydantic.BaseModel):
        n: int

    return Local(n=1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (local(), "expected a dataclass that its module has, got .*local.<locals>.Local"),
        (local_model(), "expected a model that its module has, got .*local_model.<locals>.Local"),
        (Handle("x"), "expected a class without __del__, got tests.tasks.codec.codec_types.Handle"),
        (Trouble(3), "expected a dataclass of fields alone, got tests.tasks.codec.codec_types.Trouble"),
        (Leg(object()), "expected a type that can be stored, got object"),  # type: ignore[arg-type]
        (Leg, "expected a type that can be stored, got type"),
        (pydantic.SecretStr("x"), "expected a type that can be stored, got pydantic.types.SecretStr"),
    ],
)
def test_values_that_cannot_be_stored_are_refused(value: Any, text: str) -> None:
    with pytest.raises(Unserializable, match=text):
        codec.encode(value)


def message(code: int, *parts: Any) -> bytes:
    return join(b"m", packb(ExtType(code, packb(list(parts)))), ())


TYPES = "tests.tasks.codec.codec_types"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (message(18, "os", "path", {}), "expected the dataclass os.path to be imported, got no such class"),
        (message(18, TYPES, "Side", {}), "expected the dataclass tests.tasks.codec.codec_types.Side"),
        (message(18, TYPES, "Order", {}), "expected the dataclass"),
        (message(19, TYPES, "Leg", {}, None, [], {}), "expected the model"),
        (message(18, "no.such.module", "Leg", {}), "expected the dataclass no.such.module.Leg to be imported"),
        (message(18, TYPES, "Leg", {}), "expected tests.tasks.codec.codec_types.Leg with 'symbol', got none"),
        (message(18, TYPES, "Place", {"venue": "x", "at": 1, "other": 2}), "expected a field of .*Place, got 'other'"),
        (message(18, TYPES, "Handle", {"path": "x"}), "expected a class without __del__"),
        (message(18, TYPES, "Trouble", {"code": 1}), "expected a dataclass of fields alone"),
        (message(19, TYPES, "Order", {"other": 1}, None, [], {}), "expected a field of .*Order, got 'other'"),
        (message(19, TYPES, "Order", {"legs": []}, None, [], {}), "expected .*Order with 'account', got none"),
        (message(20, "subprocess", "Popen", "true"), "expected the type subprocess.Popen"),
        (message(20, "builtins", "eval", "1"), "expected the type builtins.eval"),
        (message(18, TYPES, "Leg", [1]), "cannot be read"),
        (message(18, TYPES), "cannot be read"),
    ],
)
def test_decoding_makes_only_encodable_types(data: bytes, text: str) -> None:
    with pytest.raises(CodecError, match=text):
        codec.decode(data)


def test_fields_that_came_later_have_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class Older:
        symbol: str

    class OlderModel(pydantic.BaseModel):
        id: uuid.UUID
        opened: dt.datetime

    for older, name in ((Older, "Leg"), (OlderModel, "Account")):
        older.__module__, older.__qualname__ = TYPES, name
    with monkeypatch.context() as patch:
        patch.setattr(codec_types, "Leg", Older)
        patch.setattr(codec_types, "Account", OlderModel)
        leg, model = codec.encode(Older("AAPL")), codec.encode(OlderModel(id=uuid.UUID(int=7), opened=AT))
    assert codec.decode(leg) == Leg("AAPL")
    assert codec.decode(model).model_dump() == account().model_dump()


MAIN = """
import asyncio, dataclasses, enum, sys
from decimal import Decimal
import pydantic
from fastcore.tasks import TaskQueue

class Side(enum.Enum):
    BUY = 1

@dataclasses.dataclass
class Leg:
    symbol: str
    side: Side = Side.BUY

class Order(pydantic.BaseModel):
    legs: list[Leg]
    price: Decimal

queue = TaskQueue(sys.argv[1], workers={"process": 1})

@queue.task(on="process", retries=0)
def fill(order: Order) -> Order:
    assert type(order) is Order and type(order.legs[0]) is Leg
    return order.model_copy(update={"price": order.price + 1})

async def main():
    async with queue:
        found = await queue.aresult(await queue.asubmit(fill, Order(legs=[Leg("AAPL")], price="1.50")), 60)
        assert found == Order(legs=[Leg("AAPL")], price="2.50"), found

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("store", ["memory", "sqlite:///tasks.db"])
def test_classes_of_a_script_reach_its_processes(tmp_path: Path, store: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    subprocess.run([sys.executable, str(script), store], cwd=tmp_path, check=True, timeout=120)
