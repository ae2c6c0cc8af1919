"""What the processes of the tests run."""

from __future__ import annotations

import os
import pathlib
import sys
import threading
import time
from typing import Any

import psutil


class Unreadable(Exception):
    """Can be pickled, and not be unpickled: its arguments are not those of its __init__."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"{code} in {where}")


def square(n: int) -> int:
    return n * n


def pid(_: object = None) -> int:
    return os.getpid()


def die(_: object = None) -> None:
    psutil.Process().kill()


def die_if(n: int) -> int:
    if n < 0:
        die()
    return n


def die_once(path: str) -> str:
    if not os.path.exists(path):
        pathlib.Path(path).touch()
        die()
    return "survived"


def leave(code: int) -> None:
    os._exit(code)


def quit_by_exception(_: object) -> None:
    sys.exit(3)


def fail(n: int) -> None:
    raise LookupError(f"no {n}")


def fail_unreadably(_: object) -> None:
    raise Unreadable(7, "here")


def stop_iteration(_: object) -> Any:
    return next(iter(()))


def unpicklable(_: object) -> Any:
    return threading.Lock()


def report_and_sleep(path: str) -> None:
    part = pathlib.Path(path + ".part")
    part.write_text(str(os.getpid()))
    part.rename(path)
    time.sleep(600)


def nested(n: int) -> int:
    import asyncio

    from fastcore.concurrency import run_cpu

    return asyncio.run(run_cpu(square, n, on="process"))
