"""Alerts, streaming clients and caches on the dashboard, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from fastcore.cache import cached
from fastcore.monitor import AlertManager, Rule
from fastcore.service import install
from fastcore.service.dashboard import Dashboard, Prices, Sources
from fastcore.streaming import Grant, Hub
from tests.service.board import AUTHORISED, TOKEN, run
from tests.streaming.running import Running

pytestmark = pytest.mark.backend_independent


def test_an_alert_is_silenced_and_its_history_shown() -> None:
    level = {(("tank", "a"),): 11.0}
    manager = AlertManager(
        [Rule(name="tank", value=lambda _: level, above=10, hold="0s", summary="{tank} is full")], []
    )
    manager.evaluate()

    async def check(client: httpx.AsyncClient) -> None:
        async def section(name: str) -> Any:
            return (await client.get(f"/fastcore/api/snapshot/{name}")).json()

        def post(path: str, body: Any, headers: Any = AUTHORISED) -> Any:
            return client.post(f"/fastcore/api/alerts/{path}", json=body, headers=headers)

        assert any("a is full" in one["text"] for one in (await section("overview"))["wrong"])
        wanted = {"rule": "tank", "duration": "1h", "labels": {"tank": "a"}, "reason": "cleaning"}
        assert (await post("silence", wanted, headers={})).status_code == 401
        assert (await post("silence", wanted)).status_code == 200
        found = await section("alerts")
        [silence] = found["silences"]
        assert (silence["labels"], silence["reason"], silence["who"]) == ({"tank": "a"}, "cleaning", "dashboard")
        assert found["firing"][0]["silenced"] == silence["until"]
        assert found["rules"] == [
            {"name": "tank", "severity": "warning", "firing": True, "condition": "its value above 10"}
        ]
        assert not any("a is full" in one["text"] for one in (await section("overview"))["wrong"])
        level[(("tank", "a"),)] = 1.0
        manager.evaluate()
        found = await section("alerts")
        assert [(e["state"], e["summary"], e["silenced"]) for e in found["history"]] == [
            ("resolved", "a is full", False),
            ("firing", "a is full", False),
        ]
        assert (await post(f"silences/{silence['id']}/end", {})).status_code == 200
        assert (await section("alerts"))["silences"] == []
        for body, text in (
            ({"rule": "tnak", "duration": "1h"}, "did you mean tank"),
            ({"rule": "tank", "duration": "soon"}, "duration: expected seconds or text"),
            ({"rule": "tank", "duration": "1h", "labels": []}, "labels: expected an object"),
            ({"rule": "tank"}, "duration"),
        ):
            refused = await post("silence", body)
            assert refused.status_code == 422
            assert text in refused.json()["detail"]
        assert (await post(f"silences/{silence['id']}/end", {})).status_code == 422

    run(check, alerts=manager)


def test_clients_are_found_and_disconnected_and_users_need_the_token() -> None:
    app, hub = FastAPI(), Hub(authenticate=lambda token: Grant(user=token))
    install(app, hub=hub, token=TOKEN, public=["dashboard"], alerts=False, triggers=False)
    with Running(app, lifespan="on", timeout_graceful_shutdown=1) as running:
        url = f"http://127.0.0.1:{running.port}/fastcore/api"

        def get(path: str, headers: Any = None, **query: str) -> Any:
            return httpx.get(f"{url}/{path}", params=query, headers=headers, trust_env=False).json()

        stream = f"ws://127.0.0.1:{running.port}/stream?topics=prices.A,news&token="
        with connect(f"{stream}alice") as alice, connect(f"{stream}bob") as bob:
            for one in (alice, bob):
                one.recv(timeout=60)
            running.call(lambda: hub.publish("prices.A", 1))
            found = get("clients")
            assert (found["count"], found["clients"][0]["user"]) == (2, None)
            assert sorted(found["clients"][0]["topics"]) == ["news", "prices.A"]
            assert get("clients", text="alice")["count"] == 0  # a name cannot be guessed without the token
            [known] = get("clients", AUTHORISED, text="ALICE")["clients"]
            assert known["user"] == "alice"
            assert get("clients", topic="prices.A")["count"] == 2
            assert get("clients", topic="prices.B")["count"] == 0
            assert get("clients", slow="1")["count"] == 0
            assert get("topics", text="PRICES")["topics"] == [{"name": "prices.A", "messages": 1, "clients": 2}]
            path = f"{url}/clients/{known['id']}/disconnect"
            origin = {"Origin": "http://elsewhere.example"}
            assert httpx.post(path, json={}, trust_env=False).status_code == 401
            assert httpx.post(path, json={}, headers={**AUTHORISED, **origin}, trust_env=False).status_code == 403
            assert httpx.post(path, json={}, headers=AUTHORISED, trust_env=False).status_code == 200
            with pytest.raises(ConnectionClosedError, match="3503"):
                next(frame for frame in alice if frame is None)
            running.until(lambda: len(hub) == 1)
            gone = httpx.post(path, json={}, headers=AUTHORISED, trust_env=False)
            assert gone.status_code == 422
            assert "expected the session of a connected client" in gone.json()["detail"]
            bad = httpx.get(f"{url}/clients?name=x", trust_env=False)
            assert (bad.status_code, "query: expected text, topic or slow, got" in bad.text) == (422, True)


def test_a_cache_is_cleared() -> None:
    @cached(maxsize=8, name="dashboard-clear")
    def square(n: int) -> int:
        return n * n

    square(3)

    async def check(client: httpx.AsyncClient) -> None:
        async def size() -> dict[str, int]:
            rows = (await client.get("/fastcore/api/snapshot/caches")).json()["caches"]
            return {row["name"]: row["size"] for row in rows if "dashboard-clear" in row["name"]}

        [(name, held)] = (await size()).items()
        assert held == 1
        assert (await client.post("/fastcore/api/caches/clear", json={"name": name})).status_code == 401
        assert (
            await client.post("/fastcore/api/caches/clear", json={"name": "no"}, headers=AUTHORISED)
        ).status_code == 422
        done = await client.post("/fastcore/api/caches/clear", json={"name": name}, headers=AUTHORISED)
        assert done.status_code == 200
        assert await size() == {name: 0}

    run(check)


def test_a_change_that_is_cut_off_is_refused_and_not_logged() -> None:
    dashboard = Dashboard(Sources(Prices(), writable=True), token=TOKEN)
    messages = [{"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in AUTHORISED.items()]
    scope = {"type": "http", "method": "POST", "path": "/api/marks", "headers": headers}
    asyncio.run(dashboard({**scope, "query_string": b"", "root_path": ""}, receive, send))  # raises nothing
    assert sent[0]["status"] == 400
