"""Submissions over HTTP: codes, headers, bodies and refusals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.tasks.http.served import JSON, Desk, served, told


class TestSubmit:
    def test_a_task_is_accepted_before_it_has_run_with_a_link_to_its_result(self) -> None:
        async def test(desk: Desk) -> None:
            response = await desk.post("add", 1, kwargs={"b": 5})
            assert response.status_code == 202
            body = response.json()
            assert {"task_id", "status", "estimated_time", "result_url"} <= set(body)
            assert body["status"] == "processing"
            assert body["estimated_time"] == "unknown"
            assert response.headers["location"] == f"/api/tasks/task/{body['task_id']}" == body["status_url"]
            assert int(response.headers["retry-after"]) >= 1
            result = await desk.client.get(body["result_url"], params={"wait": 30})
            assert result.json() == {"task_id": body["task_id"], "status": "succeeded", "result": 6}

        served(test)

    def test_after_a_run_the_time_is_estimated(self) -> None:
        async def test(desk: Desk) -> None:
            await desk.ended(await desk.queued("add", 1))
            body = (await desk.post("add", 1)).json()
            assert body["estimated_time"] == "1 second"
            assert 0 <= body["estimated_seconds"] < 30
            delayed = (await desk.post("add", 1, delay=310)).json()
            assert delayed["estimated_time"] == "6 minutes"
            assert 310 <= delayed["estimated_seconds"] < 340

        served(test)

    def test_queued_tasks_are_part_of_the_estimate(self) -> None:
        async def test(desk: Desk) -> None:
            first = await desk.queued("hold")
            await asyncio.sleep(0.3)  # a run so long that no rounding of an estimate hides what is compared
            desk.gate.set()
            await desk.ended(first)
            desk.gate.clear()
            alone = (await desk.post("hold")).json()["estimated_seconds"]
            for _ in range(40):
                await desk.queued("hold")
            await asyncio.sleep(0.6)  # counts are read twice a second
            behind = (await desk.post("hold")).json()["estimated_seconds"]
            assert behind > 5 * alone

        served(test)

    @pytest.mark.parametrize(
        ("body", "loc", "message"),
        [
            ({"args": [1]}, ["body", "task"], "Field required"),
            ({"task": "add", "args": [1], "on": "process"}, ["body", "on"], "Extra inputs"),
            ({"task": "add", "args": {"a": 1}}, ["body", "args"], "valid list"),
            ({"task": "add", "args": [1], "priority": 10}, ["body", "priority"], "less than or equal to 9"),
            ({"task": "add", "args": [1], "priority": True}, ["body", "priority"], "valid integer"),
            ({"task": "add", "args": [1], "delay": -1}, ["body", "delay"], "greater than or equal to 0"),
            ({"task": "add", "args": ["x"]}, ["body", "args", 0], "valid integer"),
            ({"task": "add", "args": [1], "kwargs": {"b": "x"}}, ["body", "kwargs", "b"], "valid integer"),
            ({"task": "add", "args": []}, ["body", "args"], "missing a required argument: 'a'"),
            ({"task": "add", "args": [1, 2, 3]}, ["body", "args"], "too many positional arguments"),
            ([], ["body"], "valid dictionary"),
        ],
    )
    def test_invalid_requests_name_every_error(self, body: Any, loc: list[Any], message: str) -> None:
        async def test(desk: Desk) -> None:
            response = await desk.client.post("/api/tasks", json=body)
            errors = told(response, 422, "invalid")["errors"]
            assert errors[0]["loc"] == loc
            assert message in errors[0]["message"]

        served(test)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b'{"task": NaN}', b"\xff", b"[" * 100_000, b'{"task":"\\ud800"}', b"null"]
    )
    def test_invalid_json_is_refused(self, content: bytes) -> None:
        async def test(desk: Desk) -> None:
            response = await desk.client.post("/api/tasks", content=content, headers={"content-type": JSON})
            told(response, 422, "invalid")

        served(test)

    def test_another_kind_of_body_is_refused(self) -> None:
        async def test(desk: Desk) -> None:
            told(await desk.client.post("/api/tasks", data={"task": "add"}), 415, "not-json")
            told(await desk.client.post("/api/tasks", content=b'{"task":"add"}'), 415, "not-json")

        served(test)

    def test_a_body_beyond_the_limit_is_refused_with_or_without_content_length(self) -> None:
        async def test(desk: Desk) -> None:
            read = 0

            async def chunks() -> Any:
                nonlocal read
                for _ in range(1000):
                    read += 1
                    yield b" " * 100

            headers = {"content-type": JSON}
            told(await desk.client.post("/api/tasks", content=b" " * 2001, headers=headers), 413, "too-large")
            told(await desk.client.post("/api/tasks", content=chunks(), headers=headers), 413, "too-large")
            assert (await desk.post("echo", "x" * 1900)).status_code == 202

        served(test, router={"max_body": 2000})

    def test_only_registered_tasks_can_be_named_and_the_answer_lists_none(self) -> None:
        async def test(desk: Desk) -> None:
            for name in ("os.system", "add ", "ADD", "../add", "__class__"):
                response = await desk.post(name)
                told(response, 404, "no-such-name")
                assert not any(known in response.text for known in ("add", "hold", "echo", "os.system"))

        served(test)

    def test_unexposed_tasks_are_not_found(self) -> None:
        async def test(desk: Desk) -> None:
            told(await desk.post("add", 1), 404, "no-such-name")
            hidden = await desk.queue.asubmit(desk.queue.tasks["add"], 1)
            await desk.queue.wait(hidden)
            for path in ("", "/result", "/events"):
                told(await desk.get(f"/task/{hidden}{path}"), 404, "no-such-task")
            told(await desk.client.delete(f"/api/tasks/task/{hidden}"), 404, "no-such-task")
            shown = await desk.queued("echo")
            await desk.ended(shown)
            for name in ("add", "echo"):
                await desk.queue.apause(name)
            page = (await desk.get("")).json()
            assert page["paused"] == ["echo"]
            assert [view["task_id"] for view in page["tasks"]] == [shown]
            assert page["counts"]["succeeded"] == 1
            assert (await desk.get("", task="add")).json()["tasks"] == []

        served(test, router={"expose": ["echo", "hold"]})

    def test_tasks_run_in_order_of_priority(self) -> None:
        order: list[str] = []

        async def test(desk: Desk) -> None:
            @desk.queue.task(name="note", on="async")
            async def note(name: str) -> None:
                order.append(name)

            for _ in range(4):
                await desk.queued("hold")
            ids = [await desk.queued("note", name, priority=p) for name, p in (("idle", 9), ("urgent", 0), ("mid", 5))]
            desk.gate.set()
            for id in ids:
                await desk.ended(id)
            assert order == ["urgent", "mid", "idle"]

        served(test)

    def test_a_full_queue_sends_retry_after(self) -> None:
        async def test(desk: Desk) -> None:
            for running in range(1, 5):
                await desk.queued("hold")
                while (await desk.get("")).json()["counts"]["running"] < running:
                    await asyncio.sleep(0.01)
            for _ in range(3):
                await desk.queued("hold")
            response = await desk.post("add", 1, key="again")
            told(response, 503, "full")
            assert int(response.headers["retry-after"]) >= 1
            desk.gate.set()
            while (await desk.get("")).json()["counts"]["succeeded"] < 7:
                await asyncio.sleep(0.01)
            assert (await desk.post("add", 1, key="again")).status_code == 202  # a refusal does not use up the key

        served(test, max_queued=3)
