"""The header Idempotency-Key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.tasks.http.served import JSON, PROBLEM, Desk, served, told


class TestIdempotency:
    def test_a_repeated_request_gets_the_first_answer_and_runs_once(self) -> None:
        async def test(desk: Desk) -> None:
            first = await desk.post("add", 1, key="k1")
            await desk.ended(first.json()["task_id"])
            again = await desk.post("add", 1, key="k1")
            assert (again.status_code, again.content) == (202, first.content)
            other = await desk.post("add", 1, key="k2")
            assert other.json()["task_id"] != first.json()["task_id"]
            assert (await desk.get("")).json()["counts"]["succeeded"] + (await desk.get("")).json()["counts"][
                "queued"
            ] <= 2

        served(test)

    def test_the_same_request_may_be_written_in_another_way(self) -> None:
        async def test(desk: Desk) -> None:
            bodies = [b'{"task":"echo","kwargs":{"a":1,"b":2}}', b'{ "kwargs": {"b": 2, "a": 1}, "task": "echo" }']
            headers = {"content-type": JSON, "idempotency-key": "k"}
            answers = [await desk.client.post("/api/tasks", content=body, headers=headers) for body in bodies]
            assert answers[0].content == answers[1].content
            assert [answer.status_code for answer in answers] == [202, 202]

        served(test)

    def test_another_request_with_the_same_key_is_refused(self) -> None:
        async def test(desk: Desk) -> None:
            first = await desk.queued("add", 1, key="k")
            for body in ({"args": [2]}, {"args": [1], "priority": 1}, {"args": [1], "kwargs": {"b": 2}}):
                response = await desk.client.post(
                    "/api/tasks", json={"task": "add", **body}, headers={"idempotency-key": "k"}
                )
                assert told(response, 422, "other-request")["task_id"] == first

        served(test)

    def test_while_the_first_is_in_flight_the_second_is_refused(self) -> None:
        async def test(desk: Desk) -> None:
            arrived, go = asyncio.Event(), asyncio.Event()
            submit = desk.queue.asubmit

            async def slow(*args: Any, **kwargs: Any) -> str:
                arrived.set()
                await go.wait()
                return await submit(*args, **kwargs)

            desk.queue.asubmit = slow  # type: ignore[method-assign]
            first = asyncio.create_task(desk.post("add", 1, key="k"))
            await arrived.wait()
            response = await desk.post("add", 1, key="k")
            told(response, 409, "in-flight")
            assert "retry-after" in response.headers
            told(await desk.post("add", 2, key="k"), 422, "other-request")
            go.set()
            answer = await first
            assert answer.status_code == 202
            assert (await desk.post("add", 1, key="k")).content == answer.content

        served(test)

    def test_idempotency_keys_are_separate_per_client(self) -> None:
        async def test(desk: Desk) -> None:
            ids = set()
            for name in ("a", "b", "a"):
                response = await desk.client.post(
                    "/api/tasks", json={"task": "add", "args": [1]}, headers={"idempotency-key": "k", "x-client": name}
                )
                ids.add(response.json()["task_id"])
            assert len(ids) == 2

        served(test, router={"client": lambda request: request.headers["x-client"]})

    @pytest.mark.parametrize("key", ["", " ", "x" * 256, "caf\u00e9"])
    def test_invalid_idempotency_keys(self, key: str) -> None:
        async def test(desk: Desk) -> None:
            response = await desk.client.post(
                "/api/tasks", json={"task": "add", "args": [1]}, headers={b"idempotency-key": key.encode("latin-1")}
            )
            assert response.status_code in (400, 422)
            assert response.headers["content-type"] == PROBLEM

        served(test)

    def test_a_restart_changes_nothing(self, tmp_path: Any) -> None:
        answers = []
        for _ in range(2):

            async def test(desk: Desk) -> None:
                answers.append((await desk.post("add", 1, key="k")).json()["task_id"])

            served(test, store=f"sqlite:///{tmp_path}/tasks.db")
        assert answers[0] == answers[1]
