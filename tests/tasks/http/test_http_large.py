"""Submissions made to cost much: how many errors are collected, where, and numbers beyond a float."""

from __future__ import annotations

import json
import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator
from pydantic_core import SchemaValidator

from fastcore.tasks.http import arguments
from fastcore.tasks.http.arguments import MOST_ERRORS, ArgumentErrors, Signature
from tests.tasks.http.served import Desk, served, told


class Bar(BaseModel):
    open: int
    close: int


class Day(BaseModel):
    bars: list[Bar]


_on_the_loop: list[bool] = []


def noted(value: Any) -> Any:
    _on_the_loop.append(threading.current_thread() is threading.main_thread())
    return value


def body(text: str) -> dict[str, Any]:
    return {"content": text.encode(), "headers": {"content-type": "application/json"}}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E+0400", "1" + "0" * 400 + ".0"])
@pytest.mark.parametrize(
    ("template", "loc"),
    [
        ('{"task": "echo", "args": [%s]}', ["body", "args", 0]),
        ('{"task": "echo", "args": [1, {"a": [0, %s]}]}', ["body", "args", 1, "a", 1]),
        ('{"task": "echo", "kwargs": {"x": %s}}', ["body", "kwargs", "x"]),
        ('{"task": "echo", "delay": %s}', ["body", "delay"]),
    ],
)
def test_a_number_beyond_the_largest_float_is_refused_with_its_place(number: str, template: str, loc: Any) -> None:
    async def test(desk: Desk) -> None:
        found = told(await desk.client.post("/api/tasks", **body(template % number)), 422, "invalid")
        assert found["errors"][0]["loc"] == loc

    served(test)


@pytest.mark.parametrize("value", ["1e308", "1e-400", '"1e400"', "1" + "0" * 400])
def test_finite_numbers_and_strings_that_name_infinity_are_accepted(value: str) -> None:
    async def test(desk: Desk) -> None:
        answer = await desk.client.post("/api/tasks", **body(f'{{"task": "echo", "args": [{value}]}}'))
        if value != "1" + "0" * 400:  # a whole number of any size is JSON; whether it can be stored is the codec's
            assert answer.status_code == 202
        else:
            assert answer.status_code in (202, 422)

    served(test)


@pytest.mark.parametrize(
    "annotation", [list[int], list[int | str | None], set[int], tuple[int, ...], list[Bar], Day, dict[str, list[Bar]]]
)
def test_validation_of_a_large_list_stops_at_its_first_wrong_element(annotation: Any) -> None:
    def fn(x: Any) -> None: ...

    fn.__annotations__["x"] = annotation
    wrong: Any = [{"open": "a", "close": "b"}] * 5000
    value = {"bars": wrong} if annotation is Day else {"a": wrong} if annotation == dict[str, list[Bar]] else wrong
    with pytest.raises(ArgumentErrors) as brief:
        Signature(fn).bind([value], {}, brief=True)
    assert 1 <= len(brief.value.errors) <= 3  # one element's
    assert brief.value.errors[0].loc[:2] == ("args", 0)
    with pytest.raises(ArgumentErrors) as full:
        Signature(fn).bind([value], {})
    assert len(full.value.errors) <= MOST_ERRORS


def test_brief_validation_accepts_and_converts_as_the_full_one() -> None:
    def fn(days: list[Day], pair: tuple[int, str], names: set[str], by: dict[str, list[float]]) -> None: ...

    args = [[{"bars": [{"open": 1, "close": 2}]}], [1, "a"], ["x", "y"], {"a": [1, 2.5]}]
    signature = Signature(fn)
    assert signature.bind(args, {}, brief=True) == signature.bind(args, {})


def test_large_bodies_are_validated_where_pydantic_cannot_rebuild_its_validators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arguments, "SchemaValidator", lambda schema: SchemaValidator(schema))  # as before 2.12

    def fn(days: list[Day], n: int = 0) -> None: ...

    args = [[{"bars": [{"open": 1, "close": 2}]}]]
    assert Signature(fn).bind(args, {}, brief=True) == Signature(fn).bind(args, {})
    with pytest.raises(ArgumentErrors, match="valid integer"):
        Signature(fn).bind([*args, "x"], {}, brief=True)


def test_many_wrong_values_are_counted_in_one_entry_and_a_hundred_are_listed() -> None:
    def fn(days: list[int]) -> None: ...

    with pytest.raises(ArgumentErrors) as few:
        Signature(fn).bind([["a"] * MOST_ERRORS], {})
    assert len(few.value.errors) == MOST_ERRORS
    with pytest.raises(ArgumentErrors) as many:
        Signature(fn).bind([["a"] * (MOST_ERRORS + 1)], {})
    assert [(each.loc, "101" in each.message) for each in many.value.errors] == [(("args", 0), True)]


def test_many_wrong_keywords_and_unknown_members_are_bounded() -> None:
    async def test(desk: Desk) -> None:
        @desk.queue.task(name="named")
        async def named(**values: int) -> None: ...

        text = json.dumps({"task": "named", "kwargs": {f"k{i}": "x" for i in range(5000)}})
        found = told(await desk.client.post("/api/tasks", **body(text)), 422, "invalid")
        assert len(found["errors"]) <= MOST_ERRORS
        text = json.dumps({"task": "named", **{f"k{i}": 1 for i in range(5000)}})
        found = told(await desk.client.post("/api/tasks", **body(text)), 422, "invalid")
        assert len(found["errors"]) == 1

    served(test)


def test_a_large_body_is_validated_off_the_loop_and_a_small_one_on_it() -> None:
    _on_the_loop.clear()

    async def test(desk: Desk) -> None:
        @desk.queue.task(name="noted")
        async def task(text: Annotated[str, BeforeValidator(noted)]) -> None: ...

        assert (await desk.post("noted", "short")).status_code == 202
        assert (await desk.post("noted", "x" * 100_000)).status_code == 202
        assert _on_the_loop == [True, False]

    served(test)
