"""``serve`` and ``watch`` as one uses them by hand."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("feedparser")

from examples.market_desk.__main__ import main

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "examples.market_desk")


def start(*arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen((*COMMAND, *arguments), cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(params=["before", "canary"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A server, its port, and how its flags are set."""
    with start("serve", "--port", "0", "--arm", request.param, "--visitors", "2") as process:
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
    mode = httpx.get(f"{address}/status", trust_env=False, timeout=60).json()["flags"]["technical_analysis"]
    assert mode == ("control" if arm == "before" else "canary")  # before its share grows
    for n in range(60):
        answer = httpx.get(f"{address}/technical-analysis/IBM?bars={100 + n}", trust_env=False, timeout=60)
        assert answer.json()["symbol"] == "IBM"
    assert "analysis.calculate_indicators" in httpx.get(f"{address}/switches", trust_env=False, timeout=60).text

    if arm != "before":
        with start("watch", "--port", str(port), "--topics", "prices.FB") as watch:
            assert watch.stdout is not None
            lines = [watch.stdout.readline() for _ in range(3)]
            watch.send_signal(signal.SIGINT)
            assert watch.wait(90) == 0
        assert all(re.match(r"prices\.FB +bar +\d+ +price +\d.* real", line) for line in lines), lines
        with start("watch", "--port", str(port)) as watch:
            assert watch.stdout is not None
            assert watch.stdout.readline().startswith("prices.")
            watch.stdout.close()  # as `head` does
            assert watch.wait(90) == 0
            assert watch.stderr is not None
            assert watch.stderr.read() == ""

    page = httpx.get(f"{address}/metrics", trust_env=False, timeout=60)
    assert page.status_code == 200
    if arm != "before":
        deadline = time.monotonic() + 60
        while "fastcore_cleanups_total" not in page.text:  # a scheduled job has run
            assert time.monotonic() < deadline
            time.sleep(0.5)
            page = httpx.get(f"{address}/metrics", trust_env=False, timeout=60)

    with start("serve", "--port", str(port)) as second:
        assert f"got {port}" in second.communicate(timeout=90)[1]
        assert second.returncode == 1

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    # A busy machine may log alerts and triggers, and requests that take longer than the server waits at its end.
    assert "Traceback" not in err or "timeout graceful shutdown exceeded" in err
    socket.create_server(("127.0.0.1", port)).close()


def test_watch_says_when_there_is_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert main(["watch", "--port", str(port)]) == 1
    assert "refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sevre"], "did you mean serve?"),
        (["serve", "--prot", "0"], "did you mean --port?"),
        (["serve", "--port", "99999"], "expected a port in 0..65535, got '99999'"),
        (["serve", "--arm", "befor"], "did you mean before?"),
        (["demo", "--clients", "0"], "expected an int >= 1, got '0'"),
        (["demo", "--seconds", "inf"], "expected a number above 0, got 'inf'"),
        (["serve", "--visitors", "-1"], "expected a number above 0, got '-1'"),
        (["soak", "--faults", "kill,dsk"], "expected faults of flags, kill"),
        (["compare", "--rates", "20,x"], "expected a number above 0, got 'x'"),
    ],
)
def test_wrong_use_is_refused_with_what_to_write(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert told in capsys.readouterr().err
