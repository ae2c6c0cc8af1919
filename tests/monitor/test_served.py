"""Uvicorn with several workers: one page, one health, and a worker that is killed loses nothing that was counted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(sys.platform == "win32", reason="kills a worker by a signal"),
]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "metrics").mkdir()
    log = tmp_path / "log"
    with open(log, "wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "tests.monitor.served:app", "--workers", "2", "--port", "0"],
            stdout=out,
            stderr=out,
            env={**os.environ, "FASTCORE_METRICS_DIR": str(tmp_path / "metrics")},
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 90
        while log.read_text().count("Application startup complete") < 2:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        assert found is not None
        yield found[0]
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(60)


def eventually(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            if look():
                return
        except httpx.TransportError:
            pass  # the connection was the killed worker's
        time.sleep(0.05)
    raise AssertionError("it did not come")


def page(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics/", timeout=60).text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("route", "/work/{number}") == "/work/{number}" and "le" not in sample.labels:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_counts_of_all_workers_are_on_one_page_after_one_is_killed(url: str) -> None:
    answered: dict[int, int] = {}
    while len(answered) < 2 or sum(answered.values()) < 30:
        pid = httpx.get(f"{url}/work/1", timeout=60).json()  # a connection each: the system picks the worker
        answered[pid] = answered.get(pid, 0) + 1
        assert sum(answered.values()) < 2000
    total = sum(answered.values())

    def shows(count: int, workers: int) -> bool:
        seen = page(url)
        assert seen["fastcore_http_requests_total"] <= count
        return seen["fastcore_http_requests_total"] == count and seen["fastcore_workers"] >= workers

    eventually(lambda: shows(total, 2))
    assert page(url)["fastcore_http_request_duration_seconds_count"] == total
    os.kill(min(answered), signal.SIGKILL)
    eventually(lambda: shows(total, 1))
    answer = httpx.get(f"{url}/readyz", timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/health+json")
    httpx.get(f"{url}/work/2", timeout=60)
    eventually(lambda: shows(total + 1, 1))
