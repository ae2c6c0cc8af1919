"""Many small cases in one test: what pytest does for a test takes longer than most cases."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["in_turn"]

SHOWN = 20  # names of cases that failed


def in_turn(names: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like `pytest.mark.parametrize`, in one test: all cases run, and it fails with the error of the first that does.

    A note names the cases that failed. With several of these each combination runs.
    """
    arguments = [name.strip() for name in names.split(",")]
    cases = [dict(zip(arguments, value if len(arguments) > 1 else (value,), strict=True)) for value in values]

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            failed: list[str] = []
            first: BaseException | None = None
            for case in cases:
                try:
                    test(**fixtures, **case)
                except (Exception, pytest.fail.Exception) as error:
                    failed.append(" ".join(map(_name, case.values())))
                    first = first or error
            if first is not None:
                first.add_note(
                    f"{names}: {len(failed)} of {len(cases)} failed, first of all {'; '.join(failed[:SHOWN])}"
                )
                raise first

        signature = inspect.signature(test)
        others = [parameter for name, parameter in signature.parameters.items() if name not in arguments]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        return run

    return decorate


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", None) or getattr(value, "name", None) or value)
