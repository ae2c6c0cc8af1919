"""A module of a service, with functions that processes can import, and others that they cannot."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fastcore.tasks import TaskQueue

queue = TaskQueue(workers={"process": 1})


def doubled(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return 2 * fn(*args)

    return wrapper


def one(n: int) -> int:
    return n


class Desk:
    def __init__(self, by: int) -> None:
        self.by = by

    def times(self, n: int) -> int:
        return n * self.by

    @classmethod
    def named(cls, n: int) -> str:
        return f"{cls.__name__} {n}"

    @staticmethod
    def plus(n: int) -> int:
        return n + 1

    def __call__(self, n: int) -> int:
        return self.times(n)


@queue.task(on="process", name="decorated", retries=0)
@doubled
def decorated(n: int) -> int:
    return n


wrapped = queue.task(doubled(one), on="process", name="wrapped", retries=0)
unseen = [queue.task(doubled(one), on="process", name="unseen", retries=0)]
named = queue.task(Desk.named, on="process", name="named", retries=0)
plus = queue.task(Desk.plus, on="process", name="plus", retries=0)
thrice = queue.task(Desk(3), on="process", name="thrice", retries=0)
partial = queue.task(functools.partial(one, 4), on="process", name="partial", retries=0)
