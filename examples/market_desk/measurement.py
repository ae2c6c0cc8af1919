"""A measurement on the command line: its progress, its end and its files."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from examples.market_desk.child import ChildFailed

__all__ = ["measure", "say", "write_json", "write_page"]

STYLE = "body{font:14px sans-serif;max-width:1100px;margin:2em auto}pre{font-size:12px}td,th{padding:2px 8px}"

T = TypeVar("T")


def say(line: str) -> None:
    """Print `line` at once."""
    print(line, flush=True)


def measure(name: str, work: Coroutine[Any, Any, T], report: Callable[[T], int]) -> int:
    """Run `work`, and return the exit code that `report` gives its result; 1 where a process failed, 130 on SIGTERM."""
    try:
        found = asyncio.run(_interruptible(work))
    except ChildFailed as error:
        print(f"\nThe {name} failed. {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nInterrupted; every process has ended.", file=sys.stderr)
        return 130
    return report(found)


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # Windows has no such handlers; there the children end with their pipes
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def write_json(path: str, facts: Any) -> None:
    """Write `facts`."""
    Path(path).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def write_page(path: str, title: str, printed: str, plots: str) -> None:
    """Write an HTML page with a title, the printed table and plots; it needs no other file."""
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    body = f"<h1>{escape(title)}</h1><pre>{escape(printed)}</pre>{plots}"
    Path(path).write_text(f"{head}{body}</html>", encoding="utf-8")
    say(f"With plots: {path}")
