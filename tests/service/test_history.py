"""The dashboard's history: two resolutions, bounded, and what the recorder puts there."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastcore import Guard, Switch, flags, metrics
from fastcore.cache import cached
from fastcore.monitor import AlertManager, Rule
from fastcore.service.dashboard import Dashboard, Prices, Sources
from fastcore.service.dashboard.details import PINNED, ROUTES, STEP, Details
from fastcore.service.dashboard.details import SERIES as DETAILS
from fastcore.service.dashboard.history import DAY, HOUR, MARKS, POINTS, SERIES, History, Mark
from fastcore.service.dashboard.paced import Paced
from fastcore.service.dashboard.recorder import Recorder
from fastcore.tasks import TaskQueue

pytestmark = pytest.mark.backend_independent

START = 1_700_000_000.0


def filled(seconds: int, name: str = "requests") -> History:
    history = History()
    for n in range(seconds):
        history.add(START + n, {name: float(n)})
    return history


def test_a_short_range_has_every_second() -> None:
    found = filled(100).read(START + 99, 60)
    assert found["at"] == [START + n for n in range(40, 100)]
    assert found["series"] == {"requests": [float(n) for n in range(40, 100)]}


def test_the_mean_is_compared_with_that_of_the_time_before() -> None:
    found = filled(100).read(START + 99, 50)
    assert found["mean"] == {"requests": pytest.approx(sum(range(50, 100)) / 50)}
    assert found["before"] == {"requests": pytest.approx(sum(range(50)) / 50)}


def test_an_answer_has_at_most_360_points_which_are_means() -> None:
    found = filled(HOUR).read(START + HOUR - 1, HOUR)
    assert len(found["at"]) == POINTS
    assert found["series"]["requests"][1] == pytest.approx(sum(range(9, 19)) / 10, abs=1)
    assert sum(found["series"]["requests"]) / POINTS == pytest.approx((HOUR - 1) / 2, rel=1e-3)


def test_the_day_is_kept_by_minutes() -> None:
    history = filled(3 * HOUR)
    assert history.read(START + 3 * HOUR, HOUR)["at"][0] >= START + 2 * HOUR - 1  # seconds of the last hour only
    found = history.read(START + 3 * HOUR, 3 * HOUR)
    assert 170 <= len(found["at"]) <= 180
    steps = [b - a for a, b in zip(found["at"], found["at"][1:])]
    assert set(steps) == {60.0}
    assert found["series"]["requests"][100] == pytest.approx(found["at"][100] - START - 30.5, abs=0.6)


def test_a_service_that_runs_for_less_than_an_hour_has_its_past_in_every_range() -> None:
    found = filled(30).read(START + 29, 60 * DAY)  # before the first minute has ended
    assert found["series"]["requests"] == [float(n) for n in range(30)]
    assert found["mean"] == {"requests": pytest.approx(14.5)}


def test_what_is_older_than_a_day_is_overwritten() -> None:
    history = History()
    for n in range(DAY + 100):
        history.add(START + 60 * n, {"a": 1.0})
    found = history.read(START + 60 * (DAY + 100), 60 * DAY)
    assert len(found["at"]) <= POINTS
    assert found["at"][0] > START + 60 * 90


def test_a_value_that_is_missing_leaves_a_gap() -> None:
    history = History()
    history.add(START, {"p95": 1.0})
    history.add(START + 1, {"p95": None})
    history.add(START + 2, {"p95": math.nan, "other": 3.0})
    assert history.read(START + 2, 10)["series"] == {"p95": [1.0, None, None], "other": [None, None, 3.0]}


def test_the_number_of_series_and_marks_is_bounded() -> None:
    history = History()
    history.add(START, {f"s{n}": 1.0 for n in range(SERIES + 10)})
    for n in range(MARKS + 10):
        history.mark(Mark(START, "flag", str(n)))
    found = history.read(START, 10)
    assert len(found["series"]) == SERIES
    marks = history.marks(START, 10)
    assert [mark.text for mark in marks].count("9") == 0
    assert len(marks) == MARKS


def test_what_is_forgotten_leaves_room_at_both_resolutions() -> None:
    history = History(step=60, series=2)
    for minute in range(61):
        history.add(START + 60 * minute, {"a/x": 1.0, "ab/x": 2.0})
    history.forget("a/")  # in the middle of a minute
    for minute in range(61, 130):
        history.add(START + 60 * minute, {"ab/x": 2.0, "b/x": 3.0})
    for span in (HOUR, 2 * HOUR):
        found = {of: set(history.read(START + 60 * 130, span, f"{of}/")["series"]) for of in ("a", "ab", "b")}
        assert found == {"a": set(), "ab": {"x"}, "b": {"x"}}


@pytest.mark.parametrize("span", [0, -1, 86401, math.nan, math.inf])
def test_a_range_that_is_not_kept_is_refused(span: float) -> None:
    with pytest.raises(ValueError, match="range: expected seconds above 0 and at most 86400"):
        History().read(START, span)


class Clocks:
    """Clocks of a recorder that are advanced by hand."""

    def __init__(self) -> None:
        self.now = self.cpu = 0.0

    def recorder(self, **sources: Any) -> Recorder:
        return Recorder(
            Sources(Prices(), started=START, **sources),
            clock=lambda: START + self.now,
            timer=lambda: self.now,
            cpu=lambda: self.cpu,
        )

    def sample(self, recorder: Recorder, hub: dict[str, int] | None = None, seconds: float = 1.0) -> None:
        self.now += seconds
        recorder.sample(hub)

    def latest(self, recorder: Recorder) -> dict[str, Any]:
        return {name: values[-1] for name, values in recorder.read(3600)["series"].items()}


def test_requests_errors_and_latency_are_those_of_the_last_second() -> None:
    clocks = Clocks()
    recorder = clocks.recorder()
    clocks.sample(recorder)
    labels = {"method": "GET", "route": "/history-test", "arm": ""}
    metrics.counter("fastcore_http_requests_total", status="200", **labels).add(8)
    metrics.counter("fastcore_http_requests_total", status="503", **labels).add(2)
    latency = metrics.latency("fastcore_http_request_duration_seconds", **labels)
    for _ in range(100):
        latency.observe(0.25)
    clocks.sample(recorder, seconds=2.0)
    found = clocks.latest(recorder)
    assert (found["requests"], found["errors"]) == (5.0, 1.0)
    assert found["p95"] == pytest.approx(0.25, rel=0.011)
    for _ in range(100):
        latency.observe(0.5)
    clocks.sample(recorder)
    assert clocks.latest(recorder)["p50"] == pytest.approx(0.5, rel=0.011)
    clocks.sample(recorder)
    assert clocks.latest(recorder)["p50"] is None


def test_cpu_is_a_share_of_a_core_and_totals_of_the_hub_become_rates() -> None:
    clocks = Clocks()
    recorder = clocks.recorder()
    hub = {"clients": 3, "published": 10, "delivered": 100, "bytes_out": 1000}
    clocks.sample(recorder, hub)
    clocks.cpu += 0.5
    clocks.sample(recorder, {**hub, "delivered": 400, "clients": 4}, seconds=2.0)
    found = clocks.latest(recorder)
    assert (found["cpu"], found["delivered"], found["published"], found["clients"]) == (0.25, 150.0, 0.0, 4.0)
    clocks.sample(recorder, {**hub, "delivered": 5})  # another hub counts from 0
    assert clocks.latest(recorder)["delivered"] is None


def test_tasks_and_hits_are_recorded() -> None:
    @cached(name="history-test")
    def double(n: int) -> int:
        return 2 * n

    clocks = Clocks()
    queue = TaskQueue(inline=True)
    work = queue.task(lambda: None, name="history-test", retries=0)
    recorder = clocks.recorder(tasks=queue)
    clocks.sample(recorder)
    for n in (1, 1, 1, 2):
        double(n)
    queue.submit(work)
    clocks.sample(recorder)
    found = clocks.latest(recorder)
    assert found["tasks"] == 1.0
    assert found["hit_ratio"] == pytest.approx(0.5)
    assert found["tasks_waiting"] == 0.0


def test_the_time_that_candidates_save_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [0, 30]

    def report() -> Any:
        return SimpleNamespace(control=SimpleNamespace(p50=0.004), candidate=SimpleNamespace(p50=0.001))

    switch = SimpleNamespace(name="history-test", report=report, _calls=lambda: ((0, 0), (counts.pop(0), 0)))
    monkeypatch.setattr("fastcore.service.dashboard.recorder.live", lambda: {"history-test": switch})
    clocks = Clocks()
    recorder = clocks.recorder()
    for _ in range(11):
        clocks.sample(recorder)
    assert clocks.latest(recorder)["saved"] == pytest.approx(30 * 0.003 / 10 * 60)


def test_changes_of_flags_and_alerts_are_marks() -> None:
    gauge = metrics.gauge("history_test_alerts")
    gauge.set(9.0)
    manager = AlertManager(
        [Rule(name="many", metric="history_test_alerts", above=5.0, severity="critical", summary="{value:g} wait")]
    )
    recorder = Recorder(Sources(Prices(), alerts=manager), clock=lambda: datetime.now(UTC).timestamp())  # the journal's
    switch = Switch("history-test-flag", control=abs, candidate=abs)
    flags.set("history-test-flag", "candidate", reason="a test")
    manager.evaluate()
    recorder.sample()
    gauge.set(0.0)
    manager.evaluate()
    recorder.sample()
    marks = [(mark["kind"], mark["text"]) for mark in recorder.read(60)["marks"]]
    flags.clear("history-test-flag")
    assert ("start", "the service started") in marks
    assert ("alert", "many: 9 wait") in marks
    assert ("resolved", "many: 9 wait") in marks
    assert any(kind == "flag" and "history-test-flag: control → candidate" in text for kind, text in marks)
    assert switch.name == "history-test-flag"


def test_the_history_is_answered_over_http() -> None:
    async def check() -> None:
        app = FastAPI()
        dashboard = Dashboard(Sources(Prices()))
        app.mount("/fastcore", dashboard)
        dashboard.recorder.sample()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            found = (await client.get("/fastcore/api/history/900")).json()
            assert found["series"]["rss"][-1] > 1e6
            assert found["range"] == 900
            for wrong, message in (("x", "range: expected seconds, got 'x'"), ("0", "range: expected seconds above 0")):
                answer = await client.get(f"/fastcore/api/history/{wrong}")
                assert answer.status_code == 422
                assert answer.json()["detail"].startswith(message)

    asyncio.run(check())


def test_the_recorder_samples_while_the_service_runs_and_stops_with_it() -> None:
    async def check() -> None:
        recorder = Recorder(Sources(Prices()))
        recorder.start()
        for _ in range(400):
            await asyncio.sleep(0.01)
            if recorder.read(60)["at"]:
                break
        assert recorder.read(60)["at"]
        await recorder.stop()
        await recorder.stop()

    asyncio.run(check())


def test_both_arms_of_a_switch_have_a_history_of_their_own() -> None:
    def control(n: int) -> int:
        return n

    def candidate(n: int) -> int:
        return n + (n == 3)  # one answer of ten differs

    switch = Switch(
        "history-arms", control=control, candidate=candidate, flag="history-arms", guard=Guard(dry_run=True)
    )
    flags.set("history-arms", "shadow:100")
    details = Details()
    try:
        details.sample(START, 0.0)
        for n in range(10):
            switch(n)
        details.sample(START + STEP, float(STEP))
        details.sample(START + 2 * STEP, 2.0 * STEP)
        found = details.read(START + 2 * STEP, 60, "switch/history-arms")
    finally:
        flags.clear("history-arms")
    assert found["series"]["agreement"] == [None, None, None] or found["series"]["agreement"][1] == pytest.approx(0.9)
    assert set(found["series"]) == {
        "control p50",
        "control p95",
        "candidate p50",
        "candidate p95",
        "agreement",
        "share",
    }
    assert details.read(START + 20, 60, "switch/history")["series"] == {}  # a name is not a prefix of another


def test_routes_and_caches_have_a_history_and_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    @cached(maxsize=8, name="history-cache")
    def square(n: int) -> int:
        return n * n

    counted = {"/history": 10.0**9, **{f"/{n}": 10.0**8 for n in range(99)}}  # the first is the most asked for
    monkeypatch.setattr(
        "fastcore.service.dashboard.details.counts",
        lambda name: (((("method", "GET"), ("route", route), ("status", "500")), n) for route, n in counted.items()),
    )
    details = Details()
    square(1)
    details.sample(START, 0.0)
    counted["/history"] += 20
    for n in (1, 1, 1, 2):
        square(n)
    details.sample(START + STEP, float(STEP))
    route = details.read(START + STEP, 60, "route/GET /history")["series"]
    assert (route["requests"], route["errors"]) == ([None, 2.0], [None, 2.0])
    [name] = [name for name in details._chosen["cache"].names if "history-cache" in name]
    assert details.read(START + STEP, 60, f"cache/{name}")["series"] == {"hit_ratio": [None, 0.75]}
    assert len(details._chosen["route"].names) == ROUTES
    assert len(details._seen) <= DETAILS


class Routes:
    """Details of routes whose requests a test counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.details = Details()
        self.counted: dict[str, float] = {}
        self.samples = 0
        monkeypatch.setattr("fastcore.service.dashboard.details.counts", self._counts)

    def _counts(self, name: str) -> Any:
        labels = (("method", "GET"), ("status", "200"))
        return [((*labels, ("route", route)), count) for route, count in self.counted.items()]

    def sample(self, samples: int = 1, **added: float) -> None:
        for _ in range(samples):
            for route, count in added.items():
                self.counted[f"/{route}"] = self.counted.get(f"/{route}", 0.0) + count
            self.details.sample(START + STEP * self.samples, float(STEP * self.samples))
            self.samples += 1

    def read(self, route: str) -> Any:
        series = self.details.read(START + STEP * self.samples, 3600, f"route/GET /{route}")["series"]
        return series.get("requests")


def test_a_route_that_becomes_busy_takes_the_place_of_the_quietest(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(monkeypatch)
    first = {f"old{n}": 100.0 + n for n in range(ROUTES)}
    routes.sample(3, late=1.0, **first)
    assert "GET /late" not in routes.details._chosen["route"].names
    routes.sample(6, late=300.0, **first)
    assert len(routes.details._chosen["route"].names) == ROUTES
    assert "GET /old0" not in routes.details._chosen["route"].names  # the quietest
    assert "route/GET /old0/requests" not in routes.details._history.read(START, 60)["series"]
    routes.sample(2, late=300.0, **first)
    found = [value for value in routes.read("late") if value is not None]
    assert set(found) == {30.0}  # no rate counts the requests before
    before = routes.details._chosen["route"].names
    routes.sample(50, almost=105.0, **first, late=300.0)
    assert routes.details._chosen["route"].names == before  # a little more is no reason to lose a history


def test_a_route_keeps_its_history_where_one_whose_path_its_own_begins_with_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes = Routes(monkeypatch)
    first = {f"old{n}": 100.0 for n in range(ROUTES - 2)}
    routes.sample(3, prices=10.0, **{"prices/{symbol}": 100.0}, **first)
    found = routes.details.read(START + STEP * 3, 60, "route/GET /prices")["series"]
    assert set(found) == {"requests", "errors"}  # none of another route's
    routes.details._chosen["route"]._read.clear()
    routes.sample(9, late=1000.0, **{"prices/{symbol}": 100.0}, **first)
    assert {"GET /late", "GET /prices/{symbol}"} < routes.details._chosen["route"].names
    assert routes.read("prices") is None
    assert [value for value in routes.read("prices/{symbol}") if value] == [10.0] * 11


def test_a_route_that_is_looked_at_has_a_history_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes(monkeypatch)
    busy = {f"busy{n}": 100.0 for n in range(2 * ROUTES)}
    routes.sample(2, quiet=1.0, **busy)
    assert routes.read("quiet") is None
    routes.sample(3, quiet=10.0, **busy)
    assert routes.read("quiet")[-2:] == [1.0, 1.0]
    for n in range(ROUTES):
        routes.read(f"busy{n + ROUTES}")
    routes.sample(1, quiet=10.0, **busy)
    names = routes.details._chosen["route"].names
    assert len(names) == ROUTES
    assert sum(f"GET /busy{n + ROUTES}" in names for n in range(ROUTES)) >= PINNED  # the last that were read
    routes.sample(70, **busy)
    assert routes.details._chosen["route"].names.isdisjoint({"GET /quiet"})  # nobody looks at it any more


def test_what_costs_much_is_done_less_often() -> None:
    now = used = 0.0
    calls = 0

    def work() -> int:
        nonlocal used, calls
        used += 0.006
        calls += 1
        return calls

    paced = Paced(work, 0.003, clock=lambda: now, cpu=lambda: used)
    given = []
    for second in range(10):  # 6 ms are 0.3 % of two seconds
        now = float(second)
        given.append(paced())
    assert given == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert paced.every == pytest.approx(2.0)
