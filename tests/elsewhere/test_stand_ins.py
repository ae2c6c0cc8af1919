"""What each stand-in does, asked of a Python that was started under it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.elsewhere.systems import VARIABLE, environment

pytestmark = pytest.mark.backend_independent

SEES = """if True:
    import errno, os, socket, sys, time
    import tests.elsewhere.views as views
    code = compile(sys.stdin.read(), "<as fastcore>", "exec")
    exec(code, {"__name__": "fastcore.seen", "__builtins__": __builtins__})
"""

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; print(sys.stdout.encoding)'])"


def said(system: str, code: str, cwd: Path) -> str:
    """What a module of the project prints on `system`."""
    plain = {name: value for name, value in os.environ.items() if name != VARIABLE}
    ran = subprocess.run(
        [sys.executable, "-c", SEES],
        input=code,
        env=environment(system, plain),
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return (ran.stdout + ran.stderr.strip().rpartition("\n")[2]).strip()


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        ("windows", "import sys, os; print(sys.platform, os.name)", "win32 nt"),
        ("macos", "import sys, os; print(sys.platform, os.name)", "darwin posix"),
        ("windows", "import os; print([n for n in ('fork', 'getuid', 'fsync') if hasattr(os, n)])", "['fsync']"),
        ("macos", "import os; print([n for n in ('fork', 'sched_getaffinity') if hasattr(os, n)])", "['fork']"),
        ("windows", "from os import fork", "ImportError: cannot import name 'fork' from 'os' (unknown location)"),
        ("windows", "import socket; print(hasattr(socket, 'AF_UNIX'), hasattr(socket, 'MSG_DONTWAIT'))", "False False"),
        ("windows", "import signal; print(hasattr(signal, 'SIGKILL'), hasattr(signal, 'SIGTERM'))", "False True"),
        ("windows", "import fcntl", "ModuleNotFoundError: No module named 'fcntl'"),
        ("windows", "import uvloop", "ModuleNotFoundError: import of uvloop halted; None in sys.modules"),
        ("windows", "import time; print(time.monotonic() * 64 % 1, time.time() * 64 % 1)", "0.0 0.0"),
        ("windows", "import multiprocessing as m; m.get_context('fork')", "ValueError: cannot find context for 'fork'"),
        ("macos", "import multiprocessing as m; print(m.get_start_method())", "spawn"),
        ("windows", "open('a', 'w').close()", "EncodingWarning: 'encoding' argument not specified"),
        (
            "windows",
            "open('a', 'w', encoding='utf-8').write('x\\n'); print(open('a', 'rb').read())",
            "b'x\\r\\n'",
        ),
        ("windows", "open('a:b', 'w', encoding='utf-8')", "OSError: [Errno 22] Invalid argument: 'a:b'"),
        ("macos", "open('/proc/stat')", "FileNotFoundError: [Errno 2] No such file or directory: '/proc/stat'"),
        ("macos", "import os; os.listdir('/proc')", "FileNotFoundError: [Errno 2] No such file or directory: '/proc'"),
        ("windows", "import os; os.open('.', os.O_RDONLY)", "PermissionError: [Errno 13] Permission denied: '.'"),
        ("windows", "import select; print(hasattr(select, 'epoll'), hasattr(select, 'select'))", "False True"),
        ("windows", CHILD, "cp1252"),
        ("macos", "open('A', 'x').close(); import os; print(os.path.exists('a'))", "True"),
        (
            "macos",
            "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
            "OSError: [Errno 93] Protocol not supported",
        ),
        ("macos", "import socket; socket.socket(socket.AF_UNIX).bind('x' * 104)", "OSError: AF_UNIX path too long"),
        ("macos", "import socket; socket.socket(socket.AF_UNIX).bind('x' * 103); print('bound')", "bound"),
    ],
)  # fmt: skip
def test_what_the_project_sees(system: str, code: str, expected: str, tmp_path: Path) -> None:
    assert said(system, code, tmp_path) == expected


@pytest.mark.parametrize(
    "verb", ["os.remove('a')", "os.replace('a', 'b')", "os.replace('b', 'a')", "os.rename('a', 'c')"]
)
def test_an_open_file_is_neither_removed_nor_replaced_on_windows(verb: str, tmp_path: Path) -> None:
    code = f"""
import os
open('b', 'wb').close()
with open('a', 'wb'):
    try:
        {verb}
    except PermissionError as error:
        print('refused')
{verb}
print('done')
"""
    assert said("windows", code, tmp_path) == "refused\ndone"


def test_a_file_that_another_process_has_open_is_not_replaced_on_windows(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb"):
        code = "import os\ntry: os.remove('a')\nexcept PermissionError: print('refused')"
        assert said("windows", code, tmp_path) == "refused"


def test_one_process_at_a_time_has_a_lock_on_windows(tmp_path: Path) -> None:
    code = """
from fastcore import _filelock
first, second = _filelock.open_lock('lock'), _filelock.open_lock('lock')
print(_filelock.try_lock(first), _filelock.try_lock(second))
_filelock.os.close(first)
print(_filelock.try_lock(second), _filelock.sys.platform)
"""
    assert said("windows", code, tmp_path) == "True False\nTrue win32"


def test_the_event_loop_of_windows(tmp_path: Path) -> None:
    code = """
import asyncio
async def main():
    loop = asyncio.get_running_loop()
    print(isinstance(loop, asyncio.ProactorEventLoop))
    for refused in (lambda: loop.add_reader(0, print), lambda: loop.add_signal_handler(15, print)):
        try: refused()
        except NotImplementedError: print('refused')
    async def echo(reader, writer):
        writer.write(await reader.readexactly(3_000_000))
        await writer.drain()
        writer.close()
    async with await asyncio.start_server(echo, '127.0.0.1', 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(bytes(3_000_000))
        print(len(await reader.read(-1)))
        writer.close()
        await writer.wait_closed()
asyncio.run(main())
"""
    assert said("windows", code, tmp_path) == "True\nrefused\nrefused\n3000000"


def test_nothing_is_loaded_that_a_program_does_not_load(tmp_path: Path) -> None:
    code = "import sys; print(sorted({'asyncio', 'multiprocessing', 'sqlite3', 'socket'} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment("windows", dict(os.environ)),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert ran.stdout == b"[]\n"
