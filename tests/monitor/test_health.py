"""Liveness and readiness: the checks, and the two endpoints."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from typing import Any

import httpx
import pytest

from fastcore import metrics
from fastcore.dispatch import flags
from fastcore.monitor import CheckResult, Health, HealthApp


def ask(health: Health, path: str, method: str = "GET") -> httpx.Response:
    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(HealthApp(health)), base_url="http://x") as client:
            return await client.request(method, path)

    return asyncio.run(run())


def test_live_answers_200() -> None:
    answer = ask(Health(), "/livez")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.json()["status"] == "pass"


def test_ready_while_all_checks_pass() -> None:
    health = Health()
    health.check("plain", lambda: None)
    health.check("bool", lambda: True)
    health.check("word", lambda: "pass")

    async def later() -> CheckResult:
        await asyncio.sleep(0)
        return CheckResult("pass", "well", 3)

    health.check("async", later)
    answer = ask(health, "/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "pass"
    assert set(body["checks"]) == {"flags", "plain", "bool", "word", "async"}
    entry = body["checks"]["async"][0]
    assert (entry["status"], entry["output"], entry["observedValue"]) == ("pass", "well", 3)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (CheckResult("warn", "slow"), "warn", 200),
        ("warn", "warn", 200),
        (CheckResult("fail", "no"), "fail", 503),
        (False, "fail", 503),
        ("well", "fail", 503),
        (3, "fail", 503),
        (CheckResult("fine"), "fail", 503),  # type: ignore[arg-type]
    ],
)
def test_warnings_stay_in_service_and_failures_do_not(answer: Any, status: str, code: int) -> None:
    health = Health()
    health.check("subject", lambda: answer)
    found = ask(health, "/readyz")
    assert (found.status_code, found.json()["status"]) == (code, status)
    assert metrics.gauge("fastcore_health", check="subject").value == {"warn": 1, "fail": 2}[status]


def test_a_check_that_raises_fails() -> None:
    health = Health()
    health.check("raises", lambda: 1 / 0)
    found = ask(health, "/readyz")
    assert found.status_code == 503
    assert found.json()["checks"]["raises"][0]["output"] == "ZeroDivisionError: division by zero"


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, SystemExit, Speechless])
@pytest.mark.parametrize("later", [False, True])
def test_a_check_that_exits_fails_alone(error: type[BaseException], later: bool) -> None:
    def exits() -> None:
        raise error

    async def exits_later() -> None:
        raise error

    health = Health()
    health.check("exits", exits_later if later else exits)
    health.check("other", lambda: True)
    answer = ask(health, "/readyz")
    assert answer.status_code == 503
    found = {name: checks[0]["status"] for name, checks in answer.json()["checks"].items()}
    assert found == {"flags": "pass", "exits": "fail", "other": "pass"}
    assert error.__name__ in answer.json()["checks"]["exits"][0]["output"]


def test_a_request_that_is_cancelled_ends_its_checks() -> None:
    async def run() -> None:
        began = asyncio.Event()

        async def waits() -> None:
            began.set()
            await asyncio.sleep(60)

        health = Health(timeout=60)
        health.check("waits", waits)
        asking = asyncio.ensure_future(health.ready())
        await began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(run())


@pytest.mark.parametrize("value", [math.nan, {"a": -math.inf}, "\ud800", {(1, 2): [math.nan]}], ids=range(4))
def test_details_of_a_check_are_always_json(value: Any) -> None:
    def refused(constant: str) -> None:
        raise ValueError(constant)

    health = Health()
    health.check("odd", lambda: CheckResult("pass", "\udcff", value))
    answer = ask(health, "/readyz")
    assert json.loads(answer.text, parse_constant=refused)["checks"]["odd"][0]["status"] == "pass"
    answer.text.encode()


def test_a_check_that_hangs_fails_and_holds_one_thread() -> None:
    release, calls = threading.Event(), []

    def hangs() -> None:
        calls.append(1)
        release.wait(60)

    async def hangs_too() -> None:
        await asyncio.sleep(60)

    health = Health(timeout=0.05)
    health.check("hangs", hangs)
    health.check("async", hangs_too)

    async def run() -> None:
        first = await health.ready()
        assert "no answer within" in first.checks["async"].output
        assert first.checks["hangs"].status == "fail"
        for _ in range(20):
            again = await health.ready()
            assert again.checks["hangs"].output == "its last call has not returned yet"
        assert len(calls) == 1
        release.set()
        for _ in range(1000):
            if (await health.ready()).checks["hangs"].status == "pass":
                return
        raise AssertionError("it stays failed")

    asyncio.run(run())


def test_a_rolled_back_flag_is_a_warning(own_flags: list[str]) -> None:
    own_flags.append("test.health")
    flags.declare("test.health")
    flags.rollback("test.health", "for the test")
    found = ask(Health(), "/readyz")
    assert (found.status_code, found.json()["status"]) == (200, "warn")
    assert "test.health: for the test" in found.json()["checks"]["flags"][0]["output"]
    flags.resume("test.health")
    assert ask(Health(), "/readyz").json()["status"] == "pass"


def test_draining_fails_readiness_and_not_liveness() -> None:
    health = Health()
    assert not health.draining
    health.drain("SIGTERM")
    assert health.draining
    found = ask(health, "/readyz")
    assert found.status_code == 503
    assert found.json()["checks"]["draining"][0]["output"] == "SIGTERM"
    assert ask(health, "/livez").status_code == 200


def test_a_check_can_be_replaced_and_removed() -> None:
    health = Health()
    remove_first = health.check("x", lambda: False)
    remove = health.check("x", lambda: True)
    remove_first()
    assert ask(health, "/readyz").json()["checks"]["x"][0]["status"] == "pass"
    remove()
    assert "x" not in ask(health, "/readyz").json()["checks"]


def test_other_paths_and_methods() -> None:
    assert ask(Health(), "/other").status_code == 404
    assert ask(Health(), "/livez", "POST").status_code == 405
    assert ask(Health(), "/livez", "HEAD").content == b""


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="timeout"):
        Health(timeout=0)
    with pytest.raises(TypeError, match="check: expected a callable, got int"):
        Health().check("x", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name: expected a str"):
        Health().check("", lambda: None)
