"""What the processes of the tests run."""

from __future__ import annotations

import ctypes
import os
import pathlib
import signal
import stat
import sys
import threading
import time
from typing import Any

import psutil

from fastcore.tasks import current, progress


def square(n: int, *, plus: int = 0) -> int:
    return n * n + plus


def pid() -> int:
    return os.getpid()


def who() -> Any:
    return current()


def fail(n: int) -> None:
    raise LookupError(f"no {n}")


def leave(code: int) -> None:
    sys.exit(code)


def die() -> None:
    psutil.Process().kill()


def die_once(path: str) -> str:
    if not os.path.exists(path):
        pathlib.Path(path).touch()
        die()
    return "survived"


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def note(path: str, word: str) -> None:
    """Append a line, whole."""
    with open(path, "a", encoding="ascii") as file:
        file.write(word + "\n")


def note_and_nap(path: str, word: str, seconds: float) -> str:
    note(path, word)
    time.sleep(seconds)
    return word


def report_and_sleep(path: str) -> None:
    """Report this process's id, and keep running, ignoring requests to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    part = pathlib.Path(path + ".part")
    part.write_text(str(os.getpid()))
    part.rename(path)
    time.sleep(600)


def steps(path: str) -> str:
    for n in range(1, 4):
        progress(n / 4, f"step {n}")
        while not os.path.exists(f"{path}{n}"):
            time.sleep(0.01)
    return "there"


def two_reports(path: str) -> None:
    """Report twice at once, and then no more until the file exists."""
    progress(0.25, "first")
    progress(0.5, "second")
    while not os.path.exists(path):
        time.sleep(0.01)


def chatter(n: int) -> int:
    for i in range(n):
        progress(i / n, str(i))
    progress(1.0, "last")
    return n


def hold(megabytes: int) -> None:
    kept = b"x" * (megabytes << 20)
    time.sleep(600)
    del kept


def unpicklable() -> Any:
    return threading.Lock()


def fork_and_die(path: str) -> None:
    """Die with the pipe to the parent still open in a separate process."""
    if os.fork() == 0:
        pathlib.Path(path).write_text(str(os.getpid()))
        time.sleep(600)
        os._exit(0)
    while not os.path.exists(path):
        time.sleep(0.01)
    die()


def exit_at_once() -> None:
    os._exit(7)


def fault() -> None:
    ctypes.string_at(0)


def close_everything() -> None:
    """Close all files but the standard ones, and go on."""
    os.closerange(3, 1024)
    time.sleep(0.2)


def write_to_the_pipe() -> None:
    """Write what is no answer to whatever leads out of this process."""
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.write(number, b"\x80\x00\x00\x00" * 8)
        except OSError:
            continue
    time.sleep(600)


def print_bytes() -> str:
    for stream in (sys.stdout, sys.stderr):
        stream.buffer.write(b"\x80\x05not an answer\n" * 1000)
    return "printed"


def report_and_wait(path: str, until: str) -> str:
    pathlib.Path(path).touch()
    while not os.path.exists(until):
        time.sleep(0.01)
    return "went"


def size(data: bytes) -> int:
    return len(data)
