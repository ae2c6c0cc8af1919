"""The dashboard over HTTP: its figures and its access control."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastcore import flags, metrics
from fastcore.monitor import AlertManager, MetricsMiddleware, Rule
from fastcore.service.dashboard import Dashboard, Prices, Sources, observed
from fastcore.service.dashboard.feed import Feed
from fastcore.service.dashboard.schedule_words import when
from fastcore.service.dashboard.sections import SECTIONS
from fastcore.streaming import Hub, topic_word
from fastcore.tasks import TaskQueue
from tests.service.board import AUTHORISED, run, served

pytestmark = pytest.mark.backend_independent


def test_pages_are_served_with_a_content_policy_that_allows_only_their_scripts() -> None:
    async def check(client: httpx.AsyncClient) -> None:
        page = await client.get("/fastcore")
        assert page.url.path == "/fastcore/"
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for name in (
            "dashboard.js",
            "patch.js",
            "pages/switches.js",
            "client.js",
            "msgpack.js",
            "dashboard.css",
            "plotly.min.js",
        ):
            found = await client.get(f"/fastcore/{name}")
            assert found.status_code == 200, name
            again = await client.get(f"/fastcore/{name}", headers={"If-None-Match": found.headers["etag"]})
            assert again.status_code == 304
            assert not again.content

    run(check)


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "pages", "nothing.js"])
def test_nothing_else_is_served(name: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        found = await client.get(f"/fastcore/{name}")
        assert found.status_code == 404
        assert b"import" not in found.content

    run(check)


def test_snapshot_has_every_section_in_json() -> None:
    prices = Prices(bar=1.0)
    for n in range(40):
        prices.update("AAPL", 100 + n % 7, at=1000.0 + n)

    async def check(client: httpx.AsyncClient) -> None:
        body = (await client.get("/fastcore/api/snapshot")).json()
        assert set(body) == set(SECTIONS)
        assert {p["name"] for p in body["overview"]["paths"]} == {"indicators", "cache", "heap", "framing"}
        assert body["memory"]["rss"] > 1 << 20
        assert body["tasks"] == {"at": body["tasks"]["at"], "installed": False}
        assert body["streaming"]["installed"] is True
        [row] = body["prices"]["symbols"]
        assert row["symbol"] == "AAPL"
        assert row["price"] == 100 + 39 % 7
        window = [100 + n % 7 for n in range(20, 40)]
        assert row["values"]["sma"] == pytest.approx(sum(window) / 20)
        line = (await client.get("/fastcore/api/lines/AAPL")).json()
        assert len(line["price"]) == len(line["rsi"]) == 40
        assert line["sma"][18] is None

    run(check, prices=prices, hub=Hub())


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("flags/{flag}/set", {"mode": "fastest"}, 422, "expected"),
        ("flags/{flag}/set", {"mode": "candidate", "reason": "x" * 501}, 422, "at most 500 characters, got 501"),
        ("flags/{flag}/set", {}, 422, "mode"),
        ("flags/{flag}/rollback", {"reason": " "}, 422, "reason"),
        ("flags/no-such-flag/rollback", {"reason": "x"}, 422, "declared"),
        ("flags/{flag}/explode", {}, 404, "action"),
        ("tasks/abc/retry", {}, 422, "queue"),
    ],
)
def test_bad_requests_say_what_was_expected(flag: str, path: str, body: Any, status: int, text: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        found = await client.post(f"/fastcore/api/{path.format(flag=flag)}", json=body, headers=AUTHORISED)
        assert found.status_code == status
        assert text in found.json()["detail"]
        assert flags.get(flag).source == "default"

    run(check)


def test_bodies_are_bounded_and_json() -> None:
    async def check(client: httpx.AsyncClient) -> None:
        large = await client.post("/fastcore/api/whoami", content=b"x" * 70_000, headers=AUTHORISED)
        assert large.status_code == 413
        bad = await client.post("/fastcore/api/whoami", content=b"[1]", headers=AUTHORISED)
        assert bad.status_code == 400

    run(check)


def test_tasks_are_counted_and_a_dead_one_runs_again() -> None:
    attempts = []

    @asynccontextmanager
    async def queued() -> AsyncIterator[TaskQueue]:
        queue = TaskQueue("memory")

        @queue.task(name="fails-once", retries=0)
        async def fails_once() -> str:
            attempts.append(1)
            if len(attempts) == 1:
                raise OSError("no feed")
            return "done"

        async with queue:
            yield queue

    async def main() -> None:
        async with queued() as queue:
            task = await queue.asubmit("fails-once")
            await queue.wait(task, 20)
            async with served(tasks=queue) as client:
                body = (await client.get("/fastcore/api/snapshot/tasks")).json()
                [row] = body["tasks"]
                assert row["id"] == task
                assert "no feed" in row["error"]
                assert row["retryable"]
                path = f"/fastcore/api/tasks/{task}/retry"
                assert (await client.post(path, json={}, headers=AUTHORISED)).status_code == 200
                await queue.wait(task, 20)
                body = (await client.get("/fastcore/api/snapshot/tasks")).json()
                assert body["counts"] == {"succeeded": 1}

    asyncio.run(main())


def test_prices_keep_the_last_of_each_bar_and_only_numbers() -> None:
    prices = Prices(bar=10.0, length=30, symbols=2)
    prices.heard("prices.A", {"price": 1.0})
    prices.heard("prices.A", {"price": float("nan")})
    prices.heard("prices.A", "text")
    prices.heard("prices.B", 7)
    prices.heard("prices.C", 8)
    assert prices.symbols() == ["A", "B"]
    prices = Prices(bar=10.0, length=30)
    for n in range(1000):
        prices.update("A", float(n), at=float(n))
    line = prices.line("A")
    assert line["price"][-3:] == [979.0, 989.0, 999.0]
    assert len(line["price"]) == 30
    assert prices.line("unknown") == {}


def test_symbols_are_decoded_from_topics() -> None:
    prices, symbols = Prices(), ["0700.HK", "BRK.B", "50%", "EUR/USD", "*", "ünï"]
    for symbol in symbols:
        prices.heard(f"prices.{topic_word(symbol)}", 1.0)
    assert prices.symbols() == sorted(symbols)


def test_the_bars_of_a_symbol_with_a_dot_are_sent_to_its_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        prices = Prices()
        prices.update("BRK.B", 450.0)
        feed = Feed(Sources(prices=prices), 1.0)
        heard: list[str] = []
        monkeypatch.setattr(feed.hub, "subscribers", lambda topic: topic == "dashboard.lines.BRK%2EB")
        feed.hub.listen("dashboard.lines.*", lambda topic, message: heard.append(topic))
        await feed.publish()
        assert heard == ["dashboard.lines.BRK%2EB"]

    asyncio.run(main())


def test_a_page_gets_figures_however_long_no_page_was_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server learns of a page at its handshake, which on a busy machine ends many readings after its request."""

    async def main() -> None:
        pages = 0
        published = asyncio.Event()
        feed = Feed(Sources(prices=Prices()), 0.001)
        monkeypatch.setattr(Hub, "__len__", lambda hub: pages)
        monkeypatch.setattr(feed.hub, "asgi", lambda *told: asyncio.sleep(0))
        monkeypatch.setattr(feed, "publish", lambda: asyncio.sleep(0, published.set()))
        await feed.serve({}, receive=None, send=None)  # type: ignore[arg-type]
        for _ in range(8):
            await asyncio.sleep(0.06)
        assert not published.is_set()  # nothing is read while no page is open
        pages = 1
        await asyncio.wait_for(published.wait(), 60)
        await feed.close()

    asyncio.run(main())


def test_an_error_of_one_symbol_does_not_affect_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        prices = Prices()
        for symbol in ("A", "B"):
            prices.update(symbol, 1.0)
        monkeypatch.setattr(prices, "line", lambda symbol: {"at": [1.0 / (symbol != "A")]})
        feed = Feed(Sources(prices=prices), 1.0)
        heard: list[str] = []
        monkeypatch.setattr(feed.hub, "subscribers", lambda topic: topic.startswith("dashboard.lines."))
        feed.hub.listen("dashboard.lines.*", lambda topic, message: heard.append(topic))
        await feed.publish()
        assert heard == ["dashboard.lines.B"]
        assert "the dashboard's figures of prices of A could not be read" in caplog.text

    asyncio.run(main())


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="token: expected at least 16 characters"):
        Dashboard(Sources(prices=Prices()), token="short")


def test_the_report_of_the_watch_is_shown() -> None:
    from fastcore.memory import MemoryWatch

    watch = MemoryWatch(0.001, 0.0005, seconds=0.0, act=False)
    watch.poll()

    async def check(client: httpx.AsyncClient) -> None:
        body = (await client.get("/fastcore/api/snapshot")).json()
        assert (body["memory"]["high"], body["memory"]["low"], body["memory"]["watch"]) == (0.001, 0.0005, "firing")
        assert any(w["page"] == "memory" and w["severity"] == "critical" for w in body["overview"]["wrong"])

    run(check, watch=watch)

    async def without(client: httpx.AsyncClient) -> None:
        body = (await client.get("/fastcore/api/snapshot/memory")).json()
        assert (body["high"], body["low"], body["watch"]) == (None, None, "off")

    run(without)


def test_dead_letters_are_shown_however_many_tasks_came_after() -> None:
    async def main() -> None:
        queue = TaskQueue()

        @queue.task(name="broken", retries=1)
        async def broken() -> None:
            raise OSError("no feed")

        @queue.task(name="fine")
        async def fine() -> None: ...

        async with queue:
            dead = await queue.asubmit("broken")
            await queue.wait(dead, 20)
            await queue.asubmit_many([("fine", ())] * 80)
            await queue.join(20)
            async with served(tasks=queue) as client:
                body = (await client.get("/fastcore/api/snapshot/tasks")).json()
                assert dead not in [row["id"] for row in body["tasks"]]
                assert [row["id"] for row in body["dead"]] == [dead]
                assert "no feed" in body["dead"][0]["error"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({"every": 3600}, "every hour"),
        ({"every": 90}, "every 1 minute 30 seconds"),
        ({"every": 86400}, "every day"),
        ({"every": 0.5}, "every 0.5 seconds"),
        ({"every": 2 * 86400 + 7200}, "every 2 days 2 hours"),
        ({"cron": "30 9 * * *", "tz": "Asia/Tokyo"}, "every day at 09:30, Asia/Tokyo time"),
        ({"cron": "*/15 * * * *"}, "every 15 minutes, UTC time"),
        ({"cron": "@hourly"}, "every hour at minute 0, UTC time"),
        ({"cron": "0 9-17 * * mon-fri"}, "every hour from 09:00 to 17:00, Monday to Friday, UTC time"),
    ],
)
def test_schedules_are_shown_in_words(schedule: dict[str, Any], words: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        async with queue:  # which makes the schedule known to the store
            queue.schedule(queue.task(abs, name="report"), 1, name="nightly", **schedule)
            while not (shown := (await client.get("/fastcore/api/snapshot/tasks")).json()["schedules"]):
                await asyncio.sleep(0.01)
        assert [(s["name"], s["when"]) for s in shown] == [("nightly", words)]

    queue = TaskQueue()
    run(check, tasks=queue)


def test_problems_name_the_target_of_their_link(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        flags.rollback(flag, reason="p99 doubled")
        found = (await client.get("/fastcore/api/snapshot/overview")).json()["wrong"]
        assert [(w["page"], w["what"]) for w in found if flag in w["text"]] == [("switches", flag)]

    run(check)


def test_a_setting_hidden_by_a_rollback_is_reported(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        flags.rollback(flag, reason="wrong prices")
        answer = await client.post(f"/fastcore/api/flags/{flag}/set", headers=AUTHORISED, json={"mode": "candidate"})
        assert answer.json()["mode"] == "control"
        assert answer.json()["note"] == "does not act while the flag is rolled back (wrong prices); resume it first"

    run(check)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("30 7 * * 1-5", "Monday to Friday at 07:30"),
        ("0 9 * * mon,wed,fri", "Monday, Wednesday and Friday at 09:00"),
        ("0 9 * * 7", "Sunday at 09:00"),
        ("0 6,18 * * *", "every day at 06:00 and 18:00"),
        ("*/15 9-17 * * mon-fri", "every 15 minutes from 09:00 to 17:59, Monday to Friday"),
        ("*/1 * * * *", "every minute"),
        ("0 */2 * * *", "every 2 hours at minute 0"),
        ("0 0 1,15 * *", "on day 1 and 15 of the month at 00:00"),
        ("0 9 * jan,7 *", "every day at 09:00 in January and July"),
        ("0 8 1 * mon", "cron 0 8 1 * mon"),  # either of the two: no simple words
        ("30 9-17/2 * * *", "cron 30 9-17/2 * * *"),
    ],
)
def test_simple_cron_lines_are_shown_in_words(line: str, words: str) -> None:
    assert when(f"cron {line} Asia/Tokyo report 01") == f"{words}, Asia/Tokyo time"


def test_requests_are_shown_by_route_with_errors_and_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "ROUTES", 10_000)  # other tests of this process have routes too

    async def check(client: httpx.AsyncClient) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["route"] = SimpleNamespace(path=scope["path"])
            await send({"type": "http.response.start", "status": int(scope["path"][-3:]), "headers": []})
            await send({"type": "http.response.body", "body": b""})

        transport = httpx.ASGITransport(MetricsMiddleware(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as others:
            for status in (200, 200, 404, 503, 503, 503):
                await others.get(f"/dashboard-requests/{status}")
        found = (await client.get("/fastcore/api/snapshot/requests")).json()
        rows = {row["route"]: row for row in found["routes"]}
        told = [rows[f"/dashboard-requests/{status}"] for status in (200, 404, 503)]
        assert [(r["requests"], r["client_errors"], r["errors"]) for r in told] == [(2, 0, 0), (1, 1, 0), (3, 0, 3)]
        assert all(0 < r["p50"] <= r["p95"] <= r["p99"] for r in told)
        assert found["requests"] == sum(row["requests"] for row in found["routes"])
        assert found["count"] == len({(row["method"], row["route"]) for row in found["routes"]})

    run(check)


def test_requests_below_mounts_are_labelled_behind_middleware_that_keeps_its_application_to_itself() -> None:
    class Private:
        def __init__(self, app: Any) -> None:
            self._inner = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self._inner(scope, receive, send)

    async def main() -> None:
        app = FastAPI()
        app.mount("/behind-private", Dashboard(Sources(Prices())))
        app.add_middleware(Private)
        app.add_middleware(MetricsMiddleware)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
            await client.get("/behind-private/api.js")

    asyncio.run(main())
    routes = [dict(one.labels)["route"] for one in metrics.snapshot() if one.name == "fastcore_http_requests_total"]
    assert "/behind-private/*" in routes


def test_firing_alerts_are_shown_with_their_rules() -> None:
    async def check(client: httpx.AsyncClient) -> None:
        quiet = (await client.get("/fastcore/api/snapshot/alerts")).json()
        assert [(rule["name"], rule["firing"]) for rule in quiet["rules"]] == [("many", False)]
        assert quiet["firing"] == []
        gauge.set(9.0)
        manager.evaluate()
        loud = (await client.get("/fastcore/api/snapshot/alerts")).json()
        assert [(alert["rule"], alert["severity"]) for alert in loud["firing"]] == [("many", "critical")]
        assert loud["rules"][0]["firing"]
        wrong = (await client.get("/fastcore/api/snapshot/overview")).json()["wrong"]
        assert ("critical", "alerts", "many") in [(w["severity"], w["page"], w["what"]) for w in wrong]

    gauge = metrics.gauge("dashboard_test_alerts")
    gauge.set(1.0)
    rule = Rule(name="many", metric="dashboard_test_alerts", above=5.0, severity="critical", summary="{value:g} wait")
    manager = AlertManager([rule])
    run(check, alerts=manager)


def test_without_alerts_the_page_says_so() -> None:
    async def check(client: httpx.AsyncClient) -> None:
        assert (await client.get("/fastcore/api/snapshot/alerts")).json()["installed"] is False

    run(check)
