"""Type checkers: which code of users they refuse, and which they accept."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent

CODE = """
from datetime import timedelta
from typing import Any
from fastcore.cache import cache_technical_analysis, cached
from fastcore.concurrency import map_async
from fastcore.tasks import TaskQueue

queue = TaskQueue()

@queue.task(retries=3, timeout=timedelta(minutes=1), on="thread")
def crawl(symbol: str, pages: int = 1) -> int:
    return pages

@queue.task
async def fetch(symbol: str) -> float:
    return 1.0

@queue.task(retrys=3)  # refused
def misspelt() -> None: ...

@queue.task(retries="3")  # refused
def mistyped() -> None: ...

queue.submit(crawl, "AAPL")
queue.submit(crawl, "AAPL", pages=2)
queue.submit("crawl", 1, 2, 3)
queue.submit(crawl, 3)  # refused
queue.submit(crawl, "AAPL", page=2)  # refused
queue.submit(crawl)  # refused
crawl.submit("AAPL", 2)
crawl.submit(2)  # refused
urgent = crawl.configure(priority=0, delay=timedelta(seconds=1))
urgent.submit("AAPL")
urgent.submit(["AAPL"])  # refused
queue.submit(urgent, "AAPL")
queue.submit(urgent, 1)  # refused
crawl.configure(prioriti=0)  # refused
number: int = crawl("AAPL")
text: str = crawl("AAPL")  # refused

async def submits() -> None:
    price: float = await fetch("AAPL")
    word: str = await fetch("AAPL")  # refused
    id: str = await queue.asubmit(fetch, "AAPL")
    await queue.asubmit(fetch, 1)  # refused
    await fetch.asubmit(symbol="AAPL")
    await fetch.asubmit(name="AAPL")  # refused

@cached(maxsize=16)
def length(text: str) -> int:
    return len(text)

length.invalidate("AAPL")
length.invalidate(3)  # refused
length.contains(text="AAPL")
length.contains(word="AAPL")  # refused
length.put(4, "AAPL")
length.put(4)  # refused

class Desk:
    @cached(per_instance=True)
    def name(self, number: int) -> str:
        return str(number)

    @cache_technical_analysis(ttl=60)
    def rsi(self, symbol: str, period: int = 14) -> float:
        return 50.0

    @cached(maxsize=16)
    @classmethod
    def above(cls, number: int) -> str:
        return str(number)

    @classmethod
    @cached
    def below(cls, number: int) -> str:
        return str(number)

    @cached
    @staticmethod
    def static(number: int) -> str:
        return str(number)

Desk.above(1)
Desk().above(1)
Desk.above("1")  # refused
Desk.above.invalidate(1)
Desk.above.invalidate("1")  # refused
Desk.below(1)
Desk().below("1")  # refused
Desk.below.contains(number=1)
Desk.static(1)
Desk.static("1")  # refused
wrong_text: int = Desk.below(1)  # refused

@cached
def load(model: type[Desk], number: int) -> Desk:
    return model()

load(Desk, 1)
load(1, 1)  # refused

desk = Desk()
title: str = desk.name(1)
wrong: int = desk.name(1)  # refused
desk.name("1")  # refused
desk.name.invalidate(1)
desk.name.invalidate("1")  # refused
strength: float = desk.rsi("AAPL", period=7)
desk.rsi(7)  # refused
desk.rsi.invalidate("AAPL")

async def maps() -> None:
    prices: list[float] = await map_async(fetch.fn, ["AAPL"])
    names: list[str] = await map_async(fetch, ["AAPL"])  # refused
"""
LINES = CODE.splitlines()
REFUSED = {number for number, line in enumerate(LINES, 1) if line.endswith("# refused")}


def lines_of(said: str, pattern: str) -> set[int]:
    return {int(number) for number in re.findall(pattern, said)}


def told(found: set[int]) -> list[str]:
    return [LINES[number - 1] for number in sorted(found)]


def test_mypy_refuses_what_would_fail_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(CODE)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--hide-error-context",
        "--cache-dir",
        str(tmp_path),
        "user.py",
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    found = lines_of(ran.stdout, r"user\.py:(\d+): error:")
    assert (told(REFUSED - found), told(found - REFUSED)) == ([], []), ran.stdout + ran.stderr


def pyright() -> str | None:
    """The command of pyright, or of basedpyright, whose package has all that it needs."""
    here = str(Path(sys.executable).parent)
    return next(filter(None, (shutil.which(name, path=here) for name in ("basedpyright", "pyright"))), None)


def test_pyright_refuses_what_would_fail_and_nothing_else(tmp_path: Path) -> None:
    command = pyright()
    if command is None:
        pytest.skip("basedpyright is not installed; make test-system installs it")
    (tmp_path / "user.py").write_text(CODE)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    ran = subprocess.run(
        [command, "--pythonpath", sys.executable, "user.py"], cwd=tmp_path, capture_output=True, text=True
    )
    found = lines_of(ran.stdout, r"user\.py:(\d+):\d+ - error:")
    assert (told(REFUSED - found), told(found - REFUSED)) == ([], []), ran.stdout + ran.stderr
