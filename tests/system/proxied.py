"""What the tests behind a real proxy share."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from tests.streaming.running import WAIT

__all__ = ["free_port", "until_it_listens"]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a proxy takes connections."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise TimeoutError("the proxy does not listen")
