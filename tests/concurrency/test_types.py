"""What a type checker knows of a map: the results of the function, whichever kind of function it is."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent

RIGHT = """
import functools
from collections.abc import Awaitable
from typing import assert_type
from fastcore.concurrency import Retry, map_async

async def fetch(n: int) -> str:
    return str(n)

def halve(n: int) -> float:
    return n / 2

def begin(n: int) -> Awaitable[bytes]:
    raise NotImplementedError

class Source:
    async def read(self, n: int) -> bytes:
        return b""

    async def __call__(self, n: int) -> complex:
        return 1j

async def main(keep: bool) -> None:
    assert_type(await map_async(fetch, [1]), list[str])
    assert_type(await map_async(fetch, [1], limit=3, retry=Retry()), list[str])
    assert_type(await map_async(fetch, [1], on="async"), list[str])
    assert_type(await map_async(fetch, [1], return_exceptions=True), list[str | BaseException])
    assert_type(await map_async(fetch, [1], return_exceptions=keep), list[str | BaseException])
    assert_type(await map_async(halve, [1]), list[float])
    assert_type(await map_async(halve, [1], on="process"), list[float])
    assert_type(await map_async(halve, [1], on="thread", return_exceptions=True), list[float | BaseException])
    assert_type(await map_async(Source().read, [1]), list[bytes])
    assert_type(await map_async(Source(), [1]), list[complex])
    assert_type(await map_async(functools.partial(fetch), [1]), list[str])
    assert_type(await map_async(begin, [1], on="async"), list[bytes])
"""

WRONG = """
from fastcore.concurrency import map_async

async def fetch(n: int) -> str:
    return str(n)

async def main() -> None:
    a: list[int] = await map_async(fetch, [1])
    b = await map_async(fetch, ["a"])
    c: list[str] = await map_async(fetch, [1], return_exceptions=True)
    d = await map_async(fetch, [1], on="sideways")
"""


@pytest.mark.parametrize(("code", "wrong"), [(RIGHT, []), (WRONG, [8, 9, 10, 11])], ids=["right", "wrong"])
def test_results_have_the_types_of_the_function_s(tmp_path: Path, code: str, wrong: list[int]) -> None:
    api = pytest.importorskip("mypy.api")
    path = tmp_path / "code.py"
    path.write_text(code)
    report, _, _ = api.run(["--strict", "--no-error-summary", "--hide-error-context", str(path)])
    assert sorted({int(line.split(":")[1]) for line in report.splitlines() if ": error:" in line}) == wrong, report
