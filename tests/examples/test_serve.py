"""``serve`` and ``watch`` as one uses them by hand."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "examples.market_desk")


def start(*arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen((*COMMAND, *arguments), cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(params=["before", "after"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server and its port."""
    with start("serve", "--port", "0", "--arm", request.param, "--tick-rate", "20") as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, process.stderr and process.stderr.read()
            yield process, int(found.group(1))
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows cannot send Ctrl-C to one process")
def test_serve_answers_streams_and_ends_on_ctrl_c(server: tuple[subprocess.Popen[str], int]) -> None:
    process, port = server
    address = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{address}/technical-analysis/IBM").json()["symbol"] == "IBM"
    assert "realtime_streaming" in httpx.get(f"{address}/switches").text

    with start("watch", "--port", str(port), "--topics", "prices.FB") as watch:
        assert watch.stdout is not None
        lines = [watch.stdout.readline() for _ in range(3)]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(90) == 0
    assert all(re.match(r"prices\.FB +201[23]-\d\d-\d\d +close +\d", line) for line in lines), lines

    with start("watch", "--port", str(port), "--topics", "prices.TSLA") as watch:
        assert "403" in watch.communicate(timeout=90)[1]
        assert watch.returncode == 1

    with start("serve", "--port", str(port)) as second:
        assert f"got {port}" in second.communicate(timeout=90)[1]
        assert second.returncode == 1

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert err == ""
    socket.create_server(("127.0.0.1", port)).close()
