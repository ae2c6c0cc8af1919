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

from examples.market_desk.__main__ import main

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "examples.market_desk")


def start(*arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen((*COMMAND, *arguments), cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(params=["before", "after"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A server, its port, and how its flags are set."""
    with start("serve", "--port", "0", "--arm", request.param, "--tick-rate", "20") as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, process.stderr and process.stderr.read()
            yield process, int(found.group(1)), request.param
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows cannot send Ctrl-C to one process")
def test_serve_answers_streams_and_ends_on_ctrl_c(server: tuple[subprocess.Popen[str], int, str]) -> None:
    process, port, arm = server
    address = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{address}/technical-analysis/IBM").json()["symbol"] == "IBM"
    assert "realtime_streaming" in httpx.get(f"{address}/switches").text

    with start("watch", "--port", str(port), "--topics", "prices.FB") as watch:
        assert watch.stdout is not None
        lines = [watch.stdout.readline() for _ in range(3)]
        clients = httpx.get(f"{address}/fastcore/api/snapshot/streaming").json()["clients"]
        assert clients == (1 if arm == "after" else 0)  # the hub's
        watch.send_signal(signal.SIGINT)
        assert watch.wait(90) == 0
    assert all(re.match(r"prices\.FB +201[23]-\d\d-\d\d +close +\d", line) for line in lines), lines

    with start("watch", "--port", str(port)) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("prices.")
        watch.stdout.close()  # as `head` does
        assert watch.wait(90) == 0
        assert watch.stderr is not None
        assert watch.stderr.read() == ""

    with start("watch", "--port", str(port), "--topics", "prices.TSLA") as watch:
        assert "403" in watch.communicate(timeout=90)[1]
        assert watch.returncode == 1

    assert httpx.get(f"{address}/metrics").status_code == 200

    with start("serve", "--port", str(port)) as second:
        assert f"got {port}" in second.communicate(timeout=90)[1]
        assert second.returncode == 1

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert err == ""
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sevre"], "did you mean serve?"),
        (["serve", "--prot", "0"], "did you mean --port?"),
        (["serve", "--port", "99999"], "expected a port in 0..65535, got '99999'"),
        (["serve", "--arm", "befor"], "did you mean before?"),
        (["demo", "--clients", "0"], "expected an int >= 1, got '0'"),
        (["demo", "--seconds", "inf"], "expected a number above 0, got 'inf'"),
    ],
)
def test_wrong_use_is_refused_with_what_to_write(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert told in capsys.readouterr().err
