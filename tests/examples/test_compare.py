"""The comparison: its figures on made-up measurements, and a small run of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("feedparser")

from examples.market_desk.compare.load import is_stale
from examples.market_desk.compare.price_bytes import main as print_price_bytes
from examples.market_desk.compare.run import DEMO, Settings, render
from examples.market_desk.compare.targets import ARMS, TARGETS, rows

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]


def measured(factor: float, stream: bool) -> dict[str, Any]:
    """A round in which everything takes `factor` times as long."""
    times = {"n": 100, "p50": 10.0 * factor, "p95": 40.0 * factor, "p99": 50.0, "mean": 12.0, "failed": 0}
    gc = {"runs": 10, "seconds": 0.1, "longest": 0.02}
    before = {"cpu": 1.0, "machine": 0.2, "resident": 100 << 20, "gc": dict.fromkeys(gc, 0)}
    after = {
        "cpu": 1.0 + factor,
        "machine": 0.2,
        "resident": 150 << 20,
        "gc": {name: value * factor for name, value in gc.items()},
    }
    prices: dict[str, Any] = {"ages": times, "gap": 1.0, "readings": 100, "bytes": 10_000, "failed": 0.0}
    prices |= {"lost": 0} if stream else {"gap": 30.0, "gzipped": 20_000}
    cache = {"hits": 90, "misses": 10}
    steps = [
        {"rate": rate, **times, "cpu": factor, "sustained": rate * factor <= 400, "cache": cache}
        for rate in (20.0, 40.0, 400.0)
    ]
    return {
        "idle": 90 << 20,
        "frames": int(1000 * factor),
        "difference": 0.0,
        "clients": 1000,
        "recovery": factor,
        "stream": {"delivered": 1000, "cpu": factor, "seconds": 5.0} if stream else {},
        "without_subscribers": {"delivered": 0, "cpu": factor / 2, "seconds": 5.0} if stream else {},
        "steady": {
            **dict.fromkeys(("analysis", "batch", "report"), times),
            "seconds": 10.0,
            "before": before,
            "after": after,
            "prices": prices,
        },
        "steps": steps,
        "saturated": {**times, "cpu": factor, "seconds": 3.0},
        "tasks": {"reports": times, "seconds": 6.0 * factor, **({"short": {**times, "n": 1000}} if stream else {})},
    }


def test_every_target_is_computed_and_judged() -> None:
    results = {arm: [measured(10.0 if arm == "plain" else 1.0, arm != "plain")] for arm in ARMS}
    rate, table = rows(results)
    assert rate == 40.0
    by_name = {row.name: row for row in table}
    assert len(by_name) == len(TARGETS)
    assert by_name["Highest rate sustained, req/s"].values["fast"] == 400.0
    assert by_name["Highest rate sustained, req/s"].change == pytest.approx(9.0)
    assert by_name["API p95 at plain's highest rate, ms"].change == pytest.approx(-0.9)
    assert by_name["Age of the newest price, s"].values["plain"] == pytest.approx(15.012)
    assert by_name["Age of the newest price, s"].values["fast"] == pytest.approx(0.512)
    assert by_name["Requests of a client a session"].values["plain"] == 780
    assert by_name["GC runs a minute"].values["plain"] == pytest.approx(600)
    assert by_name["Reports a minute"].values["fast"] == pytest.approx(1000)
    assert by_name["Prices delivered per CPU second"].met is None
    assert by_name["Prices delivered per CPU second"].values["fast"] == 1000
    assert by_name["Prices delivered per CPU second of delivery"].values["fast"] == 2000
    assert by_name["Bytes per price read, against JSON"].met is False
    assert by_name["Memory, MiB"].met is False
    unmet = {row.name for row in table if row.met is False}
    assert unmet == {"Bytes per price read, against JSON", "Bytes per price read, against gzip", "Memory, MiB"} | {
        "Memory above an idle import, MiB"
    }
    assert "Against tuned: Highest rate sustained, req/s: 1.00x" in render(results, Settings())


def test_medians_are_taken_over_the_rounds_and_missing_arms_leave_dashes() -> None:
    results = {"plain": [measured(10.0, False)], "fast": [measured(factor, True) for factor in (1.0, 2.0, 4.0)]}
    _, table = rows(results)
    cpu = next(row for row in table if row.name.startswith("CPU of"))
    assert (cpu.values["fast"], cpu.spread["fast"]) == (0.1, (0.05, 0.2))
    printed = render(results, DEMO)
    assert "tuned" not in printed.splitlines()[1]
    assert " - " in printed


def test_an_answer_may_be_one_bar_behind_and_no_more() -> None:
    assert not is_stale(at=100.0, sent=100.9)
    assert not is_stale(at=99.0, sent=100.9)
    assert is_stale(at=98.0, sent=100.1)


SMALL = ("--clients", "5", "--step", "1", "--rates", "5")


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = (sys.executable, "-m", "examples.market_desk", *arguments)
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, **options)


def run_small(folder: Path, command: str, *options: str) -> tuple[dict[str, Any], str]:
    """Run `demo` or `compare` for seconds; return its results and what it printed."""
    files = ("--json", str(folder / "out.json"), "--html", str(folder / "out.html"))
    with start(command, *SMALL, *options, *files) as process:
        out, err = process.communicate(timeout=280)
    assert process.returncode == 0, out + err
    results: dict[str, Any] = json.loads((folder / "out.json").read_text())
    for (found,) in results.values():
        assert found["steady"]["analysis"]["n"] > 0
        assert found["recovery"] > 0
    assert "<svg" in (folder / "out.html").read_text()
    for target in TARGETS:
        assert target.name in out
    return results, out


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_demo_measures_both_arms(tmp_path: Path) -> None:
    results, _ = run_small(tmp_path, "demo", "--seconds", "3")
    assert tuple(results) == ("plain", "fast")


def children_of(process: subprocess.Popen[str], *commands: str) -> list[psutil.Process]:
    """Wait until `process` has a child for each of `commands`, and return them in that order."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr and process.stderr.read()
        found = {}
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                words = child.cmdline()
            except psutil.NoSuchProcess:
                continue
            found |= {command: child for command in commands if command in words}
        if len(found) == len(commands):
            return [found[command] for command in commands]
        time.sleep(0.05)
    raise AssertionError(f"expected children {commands} within 90 s")


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A demo with its server and its load, in a separate session."""
    with start("demo", "--seconds", "60", "--clients", "5", start_new_session=True) as demo:
        children: list[psutil.Process] = []
        try:
            children = children_of(demo, "arm", "load")
            yield demo, children
        finally:
            for process in (demo, *children):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def test_bytes_of_a_price_in_each_way_of_sending_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_price_bytes(30)
    sizes = [float(line.partition(" bytes")[0].rpartition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert len(sizes) == 4
    assert sizes == sorted(sizes, reverse=True)
    assert 10 < sizes[3] < sizes[0] < 35


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(
    running: tuple[subprocess.Popen[str], list[psutil.Process]], number: int
) -> None:
    demo, children = running
    os.killpg(demo.pid, number)  # as a terminal does
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 130, err
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert psutil.wait_procs(children, timeout=20)[1] == []


@posix
@pytest.mark.slow
def test_children_of_a_killed_demo_end(running: tuple[subprocess.Popen[str], list[psutil.Process]]) -> None:
    demo, children = running
    demo.kill()
    demo.wait(10)
    assert psutil.wait_procs(children, timeout=30)[1] == []


@posix
@pytest.mark.slow
def test_a_failing_load_ends_the_demo_with_its_name(
    running: tuple[subprocess.Popen[str], list[psutil.Process]],
) -> None:
    demo, children = running
    children[1].kill()
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "load (plain): ended" in err
    assert "exit code -9" in err
    assert psutil.wait_procs(children, timeout=20)[1] == []
