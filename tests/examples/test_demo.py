"""The demo itself, small and short: real processes, real sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from examples.market_desk.table import Measured, compare, render

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "examples.market_desk")

posix = pytest.mark.skipif(os.name != "posix", reason="signals to one process need POSIX")


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (*COMMAND, *arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What a demo of four seconds prints, and what it writes."""
    path = tmp_path_factory.mktemp("demo") / "measured.json"
    with start("demo", "--seconds", "4", "--clients", "30", "--report-rate", "1", "--json", str(path)) as demo:
        out, err = demo.communicate(timeout=110)
    assert demo.returncode == 0, err
    return out, json.loads(path.read_text())


@pytest.mark.slow
def test_table_is_complete_and_sane(finished: tuple[str, dict[str, Any]]) -> None:
    out, measured = finished
    for label in (
        "Indicators of a tick, p50",
        "Fan-out of a tick, p95",
        "Analysis request, p95",
        "Cache hit ratio",
        "Report, finished, p50",
        "Ticks delivered to clients",
        "Delivery latency, p99",
        "Server CPU",
        "Server memory, peak",
        "Not optimised yet",
    ):
        assert label in out
    for arm in ("before", "after"):
        result = measured[arm]["result"]
        assert measured[arm]["clients"] == 30
        assert result["errors"] == []
        assert result["lost_connections"] == 0
        assert 0 < result["delivered"] <= result["offered"]
        assert result["requests"]["n"] == 30  # two seconds at 15 a second
        assert result["report_ready"]["n"] == 2
        assert 0 < result["delivery"]["p50"] <= result["delivery"]["p99"]
        assert 1 <= result["status"]["indicator_ms"]["n"] <= 60
        assert measured[arm]["resident"] > 20 << 20
        assert 0 < measured[arm]["cores"] < os.cpu_count() + 1  # type: ignore[operator]
        assert len(result["analyses"]) == 25
    assert measured["before"]["result"]["cache"] == {"hits": 0, "misses": 0}
    cache = measured["after"]["result"]["cache"]
    assert cache["hits"] + cache["misses"] >= 30
    assert 1 <= cache["misses"] <= 25
    flags = {arm: measured[arm]["result"]["status"]["flags"] for arm in ("before", "after")}
    assert flags["before"]["realtime_streaming"] == "control"
    assert flags["before"]["indicators"] == "python"
    assert flags["after"]["realtime_streaming"] == "candidate"


@pytest.mark.slow
def test_progress_is_shown(finished: tuple[str, dict[str, Any]]) -> None:
    out, _ = finished
    assert out.count("messages delivered") == 4
    assert "[before]  1.0 of 2 s" in out
    assert "[after]  2.0 of 2 s" in out


def test_arms_that_disagree_are_reported() -> None:
    result: dict[str, Any] = {"indicators": {"prices.FB 2012-06-01": {"rsi": 50.0, "macd": None}}, "analyses": {}}
    other = json.loads(json.dumps(result))
    before, after = (Measured(arm, 1.0, 1, 0.5, 0.0, 1, r) for arm, r in (("before", result), ("after", other)))  # type: ignore[arg-type]
    assert compare(before, after).good
    assert compare(before, after).values == 2
    other["indicators"]["prices.FB 2012-06-01"]["rsi"] = 50.1
    assert not compare(before, after).good
    other["indicators"] = {"prices.FB 2012-06-01": {"rsi": 50.0, "macd": 1.0}}
    assert not compare(before, after).good
    other["indicators"] = {}
    assert not compare(before, after).good


@pytest.mark.slow
def test_a_disagreement_is_printed(finished: tuple[str, dict[str, Any]]) -> None:
    before, after = (Measured(**finished[1][arm]) for arm in ("before", "after"))
    assert "DIFFER" not in render(before, after)
    key = next(iter(before.result["analyses"]))
    before.result["analyses"][key]["sma"] += 1
    assert "DIFFER" in render(before, after)


@pytest.mark.slow
def test_conditions_that_distort_the_figures_are_reported(finished: tuple[str, dict[str, Any]]) -> None:
    before, after = (Measured(**finished[1][arm]) for arm in ("before", "after"))
    calm = replace(before, others=0.0, result={**before.result, "delivered": before.result["offered"]})
    calm_after = replace(after, others=0.0, result={**after.result, "delivered": after.result["offered"]})
    out = render(calm, calm_after)
    assert "\nbefore:" not in out
    assert "see below" not in out
    bent = {**before.result, "delivered": before.result["offered"] // 2, "errors": ["TimeoutError: "], "load_cpu": 0.99}
    out = render(replace(before, others=1.5, result={**bent, "lost_connections": 3}), after)
    for words in (
        "\nbefore: could not keep up: 50%",
        "1.5 cores",
        "1 requests failed",
        "3 connections",
        "near its limit",
    ):
        assert words in out


def words_of(process: psutil.Process) -> list[str]:
    """The command line of a process; empty if it has ended meanwhile."""
    try:
        words: list[str] = process.cmdline()
    except psutil.NoSuchProcess:  # or a zombie
        return []
    return words


def children_of(process: subprocess.Popen[str], *commands: str) -> list[psutil.Process]:
    """Wait until `process` has a child for each of `commands`, and return them in that order."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr and process.stderr.read()
        running: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
        found = {command: child for child in running for command in commands if command in words_of(child)}
        if len(found) == len(commands):  # a child that has not yet become its own program counts for nothing
            return [found[command] for command in commands]
        time.sleep(0.05)
    raise AssertionError(f"expected children {commands} within 60 s")


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A demo with its server and its load, in a separate session."""
    with start("demo", "--seconds", "60", "--clients", "10", start_new_session=True) as demo:
        children: list[psutil.Process] = []
        try:
            children = children_of(demo, "serve", "load")
            yield demo, children
        finally:
            for process in (demo, *children):
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    pass


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(
    running: tuple[subprocess.Popen[str], list[psutil.Process]], number: int
) -> None:
    demo, children = running
    os.killpg(demo.pid, number)  # as a terminal does
    _, err = demo.communicate(timeout=30)
    assert demo.returncode == 130, err
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert psutil.wait_procs(children, timeout=10)[1] == []


@posix
@pytest.mark.slow
def test_children_of_a_killed_demo_end(running: tuple[subprocess.Popen[str], list[psutil.Process]]) -> None:
    demo, children = running
    demo.kill()
    demo.wait(10)
    assert psutil.wait_procs(children, timeout=20)[1] == []


@posix
@pytest.mark.slow
@pytest.mark.parametrize(("victim", "name"), [(0, "server (before)"), (1, "load (before)")])
def test_a_failing_child_ends_the_demo_with_its_name(
    running: tuple[subprocess.Popen[str], list[psutil.Process]], victim: int, name: str
) -> None:
    demo, children = running
    children[victim].kill()
    _, err = demo.communicate(timeout=40)
    assert demo.returncode == 1
    assert f"{name}: ended" in err
    assert "exit code -9" in err
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_wrong_options_are_refused() -> None:
    for options in (("--seconds", "0"), ("--clients", "-1"), ("--seconds", "nan")):
        with start("demo", *options) as demo:
            _, err = demo.communicate(timeout=30)
        assert demo.returncode == 2
        assert "expected" in err
