"""Calls with right and with wrong arguments, and what they keep: blocks, bytes of malloc, references."""

from __future__ import annotations

import ctypes
import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from leaks import collect

ROUNDS = 40
WINDOWS = 4

Row = tuple[Callable[[], Any], tuple[Callable[[], Any], ...], dict[str, Callable[[], Any]]]


class Wrong(Exception):
    pass


def refuse(*_: Any) -> Any:
    raise Wrong


class Raises:
    """Whatever is asked of it raises."""

    __lt__ = __gt__ = __index__ = __float__ = __iter__ = __len__ = __bool__ = __call__ = __hash__ = refuse  # type: ignore
    __getitem__ = __next__ = __enter__ = __array__ = __buffer__ = keys = items = refuse

    def __eq__(self, other: object) -> bool:
        raise Wrong


class Incomparable:
    def __lt__(self, other: object) -> bool:
        raise Wrong


WRONG: list[Callable[[], Any]] = [
    object,
    Raises,
    Incomparable,
    lambda: "text" * 3,
    lambda: None,
    lambda: float("nan"),
    lambda: -(10**400),
    lambda: [Raises(), [1]],
    lambda: {"key": Raises()},
    lambda: (float("nan"), 1),
]


def public(ext: dict[str, ModuleType]) -> Iterator[str]:
    """Every callable that an extension defines, and every method of its types."""
    for name, module in ext.items():
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or inspect.ismodule(value) or not callable(value):
                continue
            if not str(getattr(value, "__module__", module.__name__)).startswith(module.__name__):
                continue
            yield f"{name}.{attribute}"
            if isinstance(value, type):
                for method, found in vars(value).items():
                    if not method.startswith("_") and callable(found):
                        yield f"{name}.{attribute}.{method}"


def call(made: Callable[[], Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    try:
        result = made()(*args, **kwargs)
        if inspect.isawaitable(result):
            steps = result.__await__()
            try:
                for _ in range(5):
                    steps.send(None) if hasattr(steps, "send") else next(steps)
            finally:
                if hasattr(steps, "close"):
                    steps.close()
    except (Exception, StopIteration):
        pass


def calls(each: Row) -> None:
    made, args, kwargs = each
    call(made, [arg() for arg in args], {name: value() for name, value in kwargs.items()})
    for wrong in WRONG:
        for at in range(len(args)):
            call(made, [wrong() if at == here else arg() for here, arg in enumerate(args)], {})
        for name in kwargs:
            others = {other: value() for other, value in kwargs.items()}
            call(made, [arg() for arg in args], {**others, name: wrong()})
    call(made, [arg() for arg in args] + [object()] * 9, {})
    call(made, [arg() for arg in args], {"no such argument": object()})
    if args:
        call(made, [], {})


class Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def malloced() -> int:
    """Bytes that malloc has handed out, to the byte; 0 where the C library does not say."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return 0
    ask.restype = Mallinfo2
    found = ask()
    return int(found.uordblks + found.hblkhd)


ALWAYS: list[Any] = [None, True, False, NotImplemented, Wrong, Raises, refuse, "text", (), 0, 1]


def measured() -> tuple[int, int, list[int]]:
    collect()
    return sys.getallocatedblocks(), malloced(), [sys.getrefcount(each) for each in ALWAYS]


def check(name: str, rows: list[Row]) -> None:
    """Exit with an error if the calls of `rows` keep anything in each window."""

    def work() -> None:
        for each in rows:
            calls(each)

    for _ in range(3):
        work()
    found = ""
    for _ in range(WINDOWS):
        blocks, size, references = measured()
        for _ in range(ROUNDS):
            work()
        after = measured()
        found = ""
        if after[0] - blocks >= ROUNDS - 5:
            found = f"{after[0] - blocks} blocks"
        elif after[1] - size >= 64 * ROUNDS:
            found = f"{after[1] - size} bytes"
        for each, one, other in zip(ALWAYS, references, after[2]):
            if other - one >= ROUNDS - 5:
                found = f"{other - one} references to {each!r}"
        if not found:
            return
    raise SystemExit(f"{name}: expected nothing to be kept in {ROUNDS} rounds, got {found}")
