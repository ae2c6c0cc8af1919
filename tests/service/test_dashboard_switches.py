"""Switches on the dashboard, over HTTP: flags, their changes, evidence and journal."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from fastcore import Guard, Switch, flags
from fastcore.dispatch.modes import parse
from tests.service.board import AUTHORISED, TOKEN, run

pytestmark = pytest.mark.backend_independent


def test_without_the_token_nothing_changes(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        path = f"/fastcore/api/flags/{flag}/rollback"
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            refused = await client.post(path, json={"reason": "now"}, headers=headers)
            assert refused.status_code == 401
            assert "token" in refused.json()["detail"]
        assert flags.get(flag).source == "default"

    run(check)


def test_installed_without_a_token_it_is_read_only(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        refused = await client.post(f"/fastcore/api/flags/{flag}/rollback", json={"reason": "now"}, headers=AUTHORISED)
        assert refused.status_code == 403
        assert flags.get(flag).source == "default"

    run(check, token=None)


def test_the_kill_switch_the_ramp_and_the_journal(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        def change(path: str, **body: str) -> Any:
            return client.post(f"/fastcore/api/flags/{flag}/{path}", json=body, headers=AUTHORISED)

        assert (await change("set", mode="ramp:25", reason="try")).json()["mode"] == "ramp:25"
        assert flags.get(flag).mode == "ramp:25"
        assert (await change("rollback", reason="too slow")).status_code == 200
        assert flags.get(flag).mode == "control"
        body = (await client.get("/fastcore/api/snapshot/switches")).json()
        newest = next(entry for entry in body["journal"] if entry["flag"] == flag)
        assert newest["what"] == "rollback"
        assert newest["new"] == "control"
        assert "too slow" in newest["why"]
        wrong = (await client.get("/fastcore/api/snapshot/overview")).json()["wrong"]
        assert any(flag in w["text"] and w["severity"] == "critical" for w in wrong)
        assert newest["who"] == "dashboard"
        assert (await change("resume")).json()["mode"] == "ramp:25"
        assert (await change("clear")).json()["source"] == "default"

    run(check)


@pytest.mark.parametrize("name", ["desk/prices", "desk/set", "100%25", "ünïcode"])
def test_flags_of_any_name_are_switched_off_and_on(name: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        flags.declare(name)
        for action, body, state in (("rollback", {"reason": "wrong"}, "rolled_back"), ("resume", {}, "default")):
            path = f"/fastcore/api/flags/{quote(name, safe='')}/{action}"
            assert (await client.post(path, json=body, headers=AUTHORISED)).status_code == 200
            assert flags.get(name).state == state

    run(check)


def test_a_flag_that_may_not_be_set_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastcore import BackendUnavailable

    def refuse(*args: Any, **options: Any) -> Any:
        raise BackendUnavailable("fastcore._ext.heap: not built")

    monkeypatch.setattr(flags, "set", refuse)

    async def check(client: httpx.AsyncClient) -> None:
        found = await client.post("/fastcore/api/flags/heap/set", json={"mode": "compiled"}, headers=AUTHORISED)
        assert found.status_code == 409
        assert "not built" in found.json()["detail"]

    run(check)


def test_flags_are_shown_with_their_state_and_every_legal_mode(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        flags.set(flag, "ramp:25")
        told = {f["name"]: f for f in (await client.get("/fastcore/api/snapshot/switches")).json()["flags"]}
        assert (told[flag]["mode"], told[flag]["state"]) == ("ramp:25", "trial")
        for name, shown in told.items():
            modes = [*shown["words"], "ramp:5", *(["shadow:5", "canary"] if shown["trials"] else [])]
            assert [parse(mode, tuple(shown["words"]), trials=shown["trials"]).word for mode in modes], name
        assert [name for name in ("heap", "cache", "framing", "indicators") if told[name]["trials"]] == ["indicators"]

    run(check)


def test_a_canary_is_shown_with_its_step_and_what_it_waits_for() -> None:
    switch = Switch("dashboard-canary", control=abs, candidate=abs, guard=Guard(sample=100, min_samples=50))

    async def check(client: httpx.AsyncClient) -> None:
        flags.set("dashboard-canary", "canary")
        for n in range(20):
            switch(n)
        told = {f["name"]: f for f in (await client.get("/fastcore/api/snapshot/switches")).json()["flags"]}
        canary = told["dashboard-canary"]["canary"]
        assert (canary["percent"], canary["steps"], canary["paused"]) == (
            0.0,
            [0.0, 1.0, 5.0, 25.0, 50.0, 100.0],
            False,
        )
        assert canary["waits"][0] == {"what": "compared calls", "have": 20, "need": 50}
        assert told["heap"]["canary"] is None
        flags.clear("dashboard-canary")

    run(check)


def test_the_journal_is_filtered(flag: str) -> None:
    async def check(client: httpx.AsyncClient) -> None:
        flags.set(flag, "ramp:5", reason="a first look")
        flags.rollback(flag, reason="p99 DOUBLED")
        flags.resume(flag)

        async def journal(**query: str) -> Any:
            return (await client.get("/fastcore/api/journal", params=query)).json()

        assert [e["what"] for e in (await journal(flag=flag))["journal"]][:3] == ["resume", "rollback", "set"]
        assert [e["flag"] for e in (await journal(text="p99 doubled"))["journal"]][:1] == [flag]
        found = await journal(flag=flag, what="set", who="operator")
        assert (found["journal"][0]["old"], found["journal"][0]["new"]) == ("control", "ramp:5")
        assert {e["what"] for e in found["journal"]} == {"set"}
        assert {"resume", "rollback", "set"} <= set(found["what"])
        assert (await journal(who="nobody at all"))["journal"] == []
        for query in ({"text": "x" * 201}, {"order": "new"}):
            assert (await client.get("/fastcore/api/journal", params=query)).status_code == 422

    run(check)


def test_the_evidence_says_how_near_each_decision_is() -> None:
    import time

    def slow(n: int) -> int:
        time.sleep(0.0005)
        return n

    switch = Switch("dashboard-evidence", control=abs, candidate=slow, guard=Guard(sample=100, dry_run=True))

    async def check(client: httpx.AsyncClient) -> None:
        flags.set("dashboard-evidence", "canary")
        before = 0.0
        for _ in range(3):
            for n in range(10):
                switch(n)
            told = {f["name"]: f for f in (await client.get("/fastcore/api/snapshot/switches")).json()["flags"]}
            found = told["dashboard-evidence"]["evidence"]
            assert found["is_slower"] > before or found["is_slower"] == 1
            before = found["is_slower"]
        assert (found["is_not_slower"], found["mismatches"], found["pairs"]) == (0, 0, 30)
        flags.clear("dashboard-evidence")

    run(check)
