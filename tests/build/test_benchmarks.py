"""The harness and the renderer: units, ratios, and losing rows that stay."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "benchmarks" / "peers"
SUITES = ROOT / "benchmarks" / "asv" / "benchmarks"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(PEERS))
    import harness as module

    monkeypatch.setattr(module, "RESULTS", tmp_path / "benchmarks" / "results")
    (tmp_path / "benchmarks").mkdir()
    return module


@pytest.fixture
def render(harness: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    import render as module

    monkeypatch.setattr(module, "RESULTS", harness.RESULTS)
    monkeypatch.setattr(module, "TARGET", tmp_path / "docs" / "performance.md")
    monkeypatch.setattr(module, "HERE", tmp_path / "benchmarks" / "peers")
    (tmp_path / "docs").mkdir()
    return module


def test_every_contender_runs_equally_often_in_changing_order(harness: ModuleType) -> None:
    order: list[str] = []
    fns = {name: (lambda name=name: order.append(name)) for name in ("a", "b", "c")}
    timings = harness.interleave(fns, rounds=6, target=0.0005)
    assert {t.rounds for t in timings.values()} == {6}
    runs = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    rounds = {tuple(runs[i : i + 3]) for i in range(len(runs) - 18, len(runs), 3)}
    assert len(rounds) > 1


def test_times_are_for_a_unit_of_work(harness: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def work() -> None:
        nonlocal now
        now += 1e-3

    monkeypatch.setattr(harness, "time", SimpleNamespace(perf_counter=lambda: now))
    assert harness.interleave({"w": work}, rounds=5)["w"].median == pytest.approx(1e-3)
    timing = harness.interleave({"w": work}, rounds=5, per_call=1000)["w"]
    assert (timing.median, timing.low, timing.high) == pytest.approx((1e-6, 1e-6, 1e-6))


def test_contenders_that_time_themselves_are_sorted_by_phase(harness: ModuleType) -> None:
    order: list[str] = []

    def run(name: str, phases: dict[str, float]) -> dict[str, float]:
        order.append(name)
        return phases

    table = harness.interleave_phases(
        {"a": lambda: run("a", {"fill": 1.0, "drain": 2.0}), "b": lambda: run("b", {"fill": 3.0})}, rounds=8
    )
    assert {phase: {name: t.median for name, t in of.items()} for phase, of in table.items()} == {
        "fill": {"a": 1.0, "b": 3.0},
        "drain": {"a": 2.0},
    }
    assert order.count("a") == order.count("b") == 8
    assert order != ["a", "b"] * 8


@pytest.mark.parametrize(
    ("value", "goal", "at_least", "met"),
    [(2.0, 2.0, True, True), (1.99, 2.0, True, False), (25.0, 25.0, False, True), (25.1, 25.0, False, False)],
)
def test_a_ratio_is_better_in_the_direction_its_row_states(
    harness: ModuleType, render: ModuleType, value: float, goal: float, at_least: bool, met: bool
) -> None:
    assert harness.Ratio(value, goal, at_least).met is met
    assert render.met({"value": value, "goal": goal, "at_least": at_least}) is met


def test_losing_rows_are_rendered(harness: ModuleType, render: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    timing = harness.Timing(1.5e-7, 1.4e-7, 1.6e-7, 15)
    report = harness.Report("sample", "Sample | title", {"peer": "1.2.3"}, notes=["a note"])
    report.add("wins", {"fastcore": timing, "peer": timing}, {"peer / fastcore": harness.Ratio(3.0, 2.0)})
    report.add("loses", {"fastcore": timing, "peer": timing}, {"peer / fastcore": harness.Ratio(0.5, 2.0)})
    report.add("other contenders", {"fastcore": timing})
    report.conclude("geometric mean", harness.Ratio(1.2, 2.0))
    path = report.write()
    assert json.loads(path.read_text())["rows"][1]["ratios"]["peer / fastcore"]["value"] == 0.5
    assert "goals missed: 2" in capsys.readouterr().out
    assert render.main() == 0
    overview = render.TARGET.read_text(encoding="utf-8")
    assert "1 of 3 goals are met. [Every row](performance/sample.md)." in overview
    assert "| loses | peer / fastcore | 0.5 | at least 2 |" in overview
    page = tables_of("sample", render)
    assert "| wins | 150 ns [140, 160] | 150 ns [140, 160] |" in page
    assert "| loses | peer / fastcore | 0.5 | at least 2 | **missed** |" in page
    assert "| whole run | geometric mean | 1.2 | at least 2 | **missed** |" in page
    assert "| case | fastcore |\n" in page, "rows of other contenders get a table of their own"
    assert "`python benchmarks/peers/sample.py`" in page
    assert "peer 1.2.3" in page
    assert "* a note" in page


def test_parts_that_are_run_one_at_a_time_make_one_page(harness: ModuleType, render: ModuleType) -> None:
    timing = harness.Timing(1e-7, 1e-7, 1e-7, 15)

    def run(value: float, *names: str, peer: str = "1.2.3") -> list[str]:
        def hits(report: Any) -> None:
            report.add("hit", {"fastcore": timing}, {"peer / fastcore": harness.Ratio(value, 2.0)})

        def memory(report: Any) -> None:
            report.notes.append(f"memory {value}")
            report.conclude("memory", harness.Ratio(value, 2.0))

        report = harness.Report("sample", "Sample", {"peer": peer}, notes=["a note"])
        report.run((hits, memory), names)
        assert render.main() == 0
        page = re.sub(r"Missed goals:\n\n(\|.*\n)+", "", tables_of("sample", render))
        return [line for line in page.splitlines() if line.startswith(("* ", "| hit | peer", "| memory |"))]

    assert run(3.0) == ["* a note", "* memory 3.0", "| memory | 3 | at least 2 | met |", *hit_row("3", "met")]
    assert run(1.0, "hits")[1:] == ["* memory 3.0", "| memory | 3 | at least 2 | met |", *hit_row("1", "**missed**")]
    assert run(4.0, "memory")[1:] == ["* memory 4.0", "| memory | 4 | at least 2 | met |", *hit_row("1", "**missed**")]
    assert run(5.0, "hits", peer="2.0") == ["* a note", *hit_row("5", "met")]  # results of another version are dropped
    with pytest.raises(SystemExit, match="expected parts out of hits, memory, got 'tiks'"):
        run(1.0, "tiks")


def hit_row(measured: str, verdict: str) -> list[str]:
    return [f"| hit | peer / fastcore | {measured} | at least 2 | {verdict} |"]


def tables_of(name: str, render: ModuleType) -> str:
    return (render.TARGET.parent / "performance" / f"{name}.md").read_text(encoding="utf-8")


def test_a_chart_has_a_dot_for_each_peer_and_shows_what_loses(render: ModuleType) -> None:
    import charts

    def row(case: str, **seconds: float) -> dict[str, Any]:
        return {"case": case, "timings": {name: {"median": value} for name, value in seconds.items()}, "ratios": {}}

    rows = [row("hit, int", fastcore=1e-8, dict=5e-9, peer=4e-8), row("hit, str", fastcore=1e-8, peer=8e-9)]
    chart = charts.on_lines("sample", "Sample", [*rows, row("alone", fastcore=1e-8)], charts.before_comma)
    assert chart.says == "fastest peer / fastcore. hit: 0.80x"
    for theme in charts.THEMES.values():
        drawn = chart.draw(theme)
        assert drawn.count("<circle") == 2 + 3  # of the legend, and of the rows
        assert drawn.count(f'fill="{theme["lost"]}"') == 1
        assert drawn.count('fill="none"') == 2  # the floor


def test_bars_below_the_line_are_functions_that_are_slower(render: ModuleType) -> None:
    import charts

    chart = charts.sorted_bars("sample", "Sample", [("30 bars", [3.0, 0.9, 20.0])])
    assert chart.says == "30 bars: 2 of 3 faster than TA-Lib"
    theme = charts.THEMES["light"]
    assert chart.draw(theme).count(f'fill="{theme["lost"]}"') == 1


def test_the_page_and_its_charts_are_those_of_the_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(PEERS))
    import render as module

    assert module.main(["--check"]) == 0, capsys.readouterr().out


def test_nothing_to_render_is_an_error(render: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert render.main() == 1
    assert "found none" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["indicators", "cache", "heap", "framing", "dispatch"])
def test_every_part_has_a_peer_benchmark_and_a_suite(path: str) -> None:
    assert (PEERS / f"{path}.py").is_file()
    assert (SUITES / f"bench_{path}.py").is_file()


@pytest.fixture(autouse=True)
def _forget_modules() -> object:
    yield
    for name in ("harness", "render", "charts"):
        sys.modules.pop(name, None)
