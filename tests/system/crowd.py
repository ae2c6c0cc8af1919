"""Streaming clients of one hub, in a process of their own: ``python tests/system/crowd.py PORT CLIENTS``.

Prints a line when all are connected, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOPICS = 50


@contextmanager
def crowd(port: int, clients: int) -> Iterator[None]:
    """Keep clients connected, each to one of 50 topics ``prices.SN``."""
    command = [sys.executable, "-m", "tests.system.crowd", str(port), str(clients)]
    root = Path(__file__).resolve().parents[2]
    # Its end closes the standard input, and waits.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        yield


async def main(port: int, clients: int) -> None:
    from fastcore.streaming import Client

    url = f"ws://127.0.0.1:{port}/stream"
    made = [Client(url, [f"prices.S{n % TOPICS}"], on_message=lambda message: None) for n in range(clients)]
    for start in range(0, clients, 50):
        await asyncio.gather(*(client.start() for client in made[start : start + 50]))
    print("connected", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
