"""Errors of other processes keep their class, so that `except` and `retry_on` know them, and their text."""

from __future__ import annotations

import asyncio
import copy
import errno
import pickle
from typing import Any

import error_jobs as jobs
import pytest

from fastcore.concurrency import RemoteError, Retry, map_async, run_cpu
from fastcore.concurrency.remote_error import sendable


def raised(name: str) -> Exception:
    with pytest.raises(Exception) as caught:
        asyncio.run(run_cpu(jobs.raises, name, on="process"))
    return caught.value


CLASSES: list[tuple[str, type, str]] = [
    ("plain", KeyError, "'k'"),
    ("system", FileNotFoundError, "[Errno 2] no such file: 'name'"),
    ("unicode", UnicodeDecodeError, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ("coded", jobs.Coded, "404: none"),
    ("keyword", jobs.KeywordOnly, "refused"),
    ("child", jobs.Child, "refused"),
    ("required", RemoteError, ""),
    ("slotted", jobs.Slotted, ""),
    ("fault", jobs.SystemFault, "[Errno 2] nothing at home"),
    ("mute", jobs.Mute, "(its text cannot be made)"),
    ("impostor", jobs.Impostor, ""),
    ("local", TimeoutError, "only here"),
    ("caused", jobs.Coded, "3: none"),
    ("noted", jobs.Coded, "4: none"),
    ("group", ExceptionGroup, "many (3 sub-exceptions)"),
    ("nested", ExceptionGroup, "outer (2 sub-exceptions)"),
    ("exit", RemoteError, "SystemExit: 3"),
    ("interrupt", RemoteError, "KeyboardInterrupt: "),
    ("base group", RemoteError, "BaseExceptionGroup: bad (1 sub-exception)"),
]


@pytest.mark.parametrize(("name", "kind", "text"), CLASSES)
def test_the_class_and_the_text_are_kept(name: str, kind: type, text: str) -> None:
    error = raised(name)
    assert isinstance(error, kind)
    if name not in ("required", "slotted"):  # whose texts have an address in them
        assert str(error) == text
    assert "raised in a process of run_cpu" in error.__notes__[-1]


def test_picklable_errors_are_raised_as_themselves() -> None:
    assert type(raised("plain")) is KeyError
    assert type(raised("system")) is FileNotFoundError
    assert not isinstance(raised("unicode"), RemoteError)


def test_attributes_that_can_be_pickled_are_there() -> None:
    error: Any = raised("keyword")
    assert error.response == {"status": 503}
    assert not hasattr(error, "lock")
    assert raised("coded").code == 404  # type: ignore[attr-defined]
    fault: Any = raised("fault")
    assert fault.errno == errno.ENOENT


def test_an_unimportable_class_is_replaced_by_its_nearest_base() -> None:
    error = raised("local")
    assert isinstance(error, OSError)
    assert isinstance(error, RemoteError)
    assert type(error).__qualname__ == "local.<locals>.Local"
    assert isinstance(raised("child"), ConnectionError)


def test_members_of_groups_keep_their_classes_too() -> None:
    group: Any = raised("group")
    assert [str(one) for one in group.exceptions] == ["'k'", "refused", "only here"]
    matched, rest = group.split((jobs.Child, TimeoutError))
    assert [type(one).__name__ for one in matched.exceptions] == ["Child", "Local"]
    assert [type(one) for one in rest.exceptions] == [KeyError]
    nested: Any = raised("nested")
    assert nested.subgroup(jobs.Coded).exceptions[0].exceptions[0].code == 5


def test_the_text_includes_causes_and_notes() -> None:
    assert "the first cause" in raised("caused").__notes__[-1]
    assert raised("noted").__notes__[0] == "a note of its own"


@pytest.mark.parametrize("name", sorted(jobs.MADE))
def test_a_remote_error_can_be_pickled_again(name: str) -> None:
    first = sendable(jobs.MADE[name]())
    for again in (pickle.loads(pickle.dumps(first)), copy.copy(first), sendable(first)):
        assert type(again).__qualname__ == type(first).__qualname__
        assert type(again).__mro__[1:] == type(first).__mro__[1:]
        assert str(again) == str(first)


@pytest.mark.parametrize(
    ("name", "retry_on", "calls"),
    [
        ("keyword", ConnectionError, 3),
        ("child", jobs.KeywordOnly, 3),
        ("coded", jobs.Coded, 3),
        ("local", TimeoutError, 3),
        ("group", ExceptionGroup, 3),
        ("coded", ConnectionError, 1),
        ("exit", OSError, 1),
    ],
)
def test_a_retry_policy_matches_their_class(name: str, retry_on: Any, calls: int) -> None:
    heard: list[int] = []
    retry = Retry(3, base=0.0, retry_on=retry_on, on_retry=lambda attempt: heard.append(attempt.number))
    [error] = asyncio.run(map_async(jobs.raises, [name], on="process", retry=retry, return_exceptions=True))
    assert isinstance(error, Exception)
    assert len(heard) + 1 == calls
