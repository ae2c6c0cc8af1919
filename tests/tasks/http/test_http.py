"""A queue over HTTP, asked as clients ask it: every code, every header, every body."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request

from fastcore.tasks import TaskQueue, progress

JSON = "application/json"
PROBLEM = "application/problem+json"
UNKNOWN = "0" * 32


class Desk:
    """An application over a queue in memory, and a client."""

    def __init__(self, client: httpx.AsyncClient, queue: TaskQueue, gate: asyncio.Event) -> None:
        self.client = client
        self.queue = queue
        self.gate = gate

    async def post(self, task: str, *args: Any, key: str | None = None, **body: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post("/api/tasks", json={"task": task, "args": args, **body}, headers=headers)

    async def queued(self, task: str, *args: Any, **body: Any) -> str:
        response = await self.post(task, *args, **body)
        assert response.status_code == 202, response.text
        return str(response.json()["task_id"])

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(f"/api/tasks{path}", params=params)

    async def ended(self, id: str) -> httpx.Response:
        return await self.get(f"/task/{id}/result", wait=30)


def register(queue: TaskQueue, gate: asyncio.Event) -> None:
    @queue.task(name="add", on="async")
    async def add(a: int, b: int = 2) -> int:
        return a + b

    @queue.task(name="hold", on="async")
    async def hold() -> str:
        progress(0.5, "half")
        await gate.wait()
        return "held"

    @queue.task(name="fail", on="async", retries=0)
    async def fail() -> None:
        raise ValueError("no such symbol: XYZ")

    @queue.task(name="odd", on="async")
    async def odd() -> object:
        return object()

    @queue.task(name="echo", on="async")
    async def echo(*args: Any, **kwargs: Any) -> Any:
        return [args, kwargs]

    @queue.task(name="brief", on="async", result_ttl=0)
    async def brief() -> int:
        return 1


def served(test: Callable[[Desk], Awaitable[None]], router: dict[str, Any] | None = None, **options: Any) -> None:
    """Run a test against an application, together with the queue's workers."""

    async def main() -> None:
        queue = TaskQueue(store=options.pop("store", "memory"), workers={"async": 4}, **options)
        gate = asyncio.Event()
        register(queue, gate)
        app = FastAPI()
        app.include_router(queue.router(**(router or {})))
        transport = httpx.ASGITransport(app)
        async with queue, httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            try:
                await test(Desk(client, queue, gate))
            finally:
                gate.set()

    asyncio.run(main())


def told(response: httpx.Response, status: int, kind: str) -> Any:
    """Check that a response is the problem it should be, and return its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["type"] == f"urn:fastcore:tasks:{kind}"
    assert body["status"] == status
    assert body["title"]
    return body


class TestSubmit:
    def test_a_task_is_accepted_before_it_has_run_and_its_result_is_where_the_answer_says(self) -> None:
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
            delayed = (await desk.post("add", 1, delay=300)).json()
            assert delayed["estimated_time"] == "6 minutes"
            assert 300 <= delayed["estimated_seconds"] < 330

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


class TestResult:
    def test_while_it_runs_the_answer_is_202(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("hold")
            response = await desk.get(f"/task/{id}/result")
            assert response.status_code == 202
            assert response.json()["status"] in ("queued", "running")
            assert response.headers["location"] == f"/api/tasks/task/{id}"
            assert int(response.headers["retry-after"]) >= 1

        served(test)

    def test_waiting_ends_with_the_task(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("hold")
            waiting = asyncio.create_task(desk.get(f"/task/{id}/result", wait=60))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            desk.gate.set()
            response = await waiting
            assert (response.status_code, response.json()["result"]) == (200, "held")

        served(test, router={"max_wait": 60.0})

    def test_waiting_is_capped(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("hold")
            response = await asyncio.wait_for(desk.get(f"/task/{id}/result", wait=1e9), 60)
            assert response.status_code == 202

        served(test, router={"max_wait": 0.05})

    @pytest.mark.parametrize("wait", ["-1", "x", "nan", "inf"])
    def test_waiting_for_what_is_no_time(self, wait: str) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("add", 1)
            body = told(await desk.get(f"/task/{id}/result", wait=wait), 422, "invalid")
            assert body["errors"][0]["loc"] == ["query", "wait"]

        served(test)

    def test_no_more_may_wait_than_is_allowed(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("hold")
            waiting = asyncio.create_task(desk.get(f"/task/{id}/result", wait=30))
            await asyncio.sleep(0.05)
            response = await desk.get(f"/task/{id}/result", wait=30)
            told(response, 503, "too-many-waiting")
            assert "retry-after" in response.headers
            desk.gate.set()
            assert (await waiting).status_code == 200
            assert (await desk.get(f"/task/{id}/result", wait=30)).status_code == 200

        served(test, router={"max_waiting": 1})

    def test_a_failure_is_a_problem_that_names_the_error_and_shows_no_trace(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("fail")
            response = await desk.ended(id)
            body = told(response, 424, "failed")
            assert body["task_id"] == id
            assert body["error"] == {"type": "ValueError", "message": "no such symbol: XYZ"}
            assert "Traceback" not in response.text
            assert "Traceback" not in (await desk.get(f"/task/{id}")).text

        served(test)

    def test_a_cancelled_task_has_none(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("add", 1, delay=1000)
            await desk.client.delete(f"/api/tasks/task/{id}")
            told(await desk.get(f"/task/{id}/result"), 409, "cancelled")

        served(test)

    def test_after_its_lifetime_a_result_is_410(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("brief")
            told(await desk.ended(id), 410, "gone")
            assert (await desk.get(f"/task/{id}")).status_code == 200

        served(test)

    def test_a_value_without_a_form_in_json(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("odd")
            assert "object" in told(await desk.ended(id), 406, "not-json")["detail"]

        served(test)

    @pytest.mark.parametrize("id", [UNKNOWN, "x", "%00", "\u00e9", "a" * 1000])
    def test_unknown_tasks_are_not_pending(self, id: str) -> None:
        async def test(desk: Desk) -> None:
            for path in ("", "/result", "/events"):
                response = await desk.get(f"/task/{id}{path}")
                assert response.status_code == 404
            assert (await desk.client.delete(f"/api/tasks/task/{id}")).status_code == 404

        served(test)


class TestTask:
    def test_where_it_is_and_how_far(self) -> None:
        async def test(desk: Desk) -> None:
            id = await desk.queued("hold", priority=2)
            while (body := (await desk.get(f"/task/{id}")).json())["progress"]["fraction"] is None:
                await asyncio.sleep(0.01)
            assert body["task"] == "hold"
            assert body["status"] == "running"
            assert body["progress"] == {"fraction": 0.5, "note": "half"}
            assert (body["priority"], body["attempt"]) == (2, 1)
            assert body["submitted"] <= body["started"]
            assert body["finished"] is None
            desk.gate.set()
            await desk.ended(id)
            body = (await desk.get(f"/task/{id}")).json()
            assert body["status"] == "succeeded"
            assert body["finished"] >= body["started"]

        served(test)

    def test_cancelling(self) -> None:
        async def test(desk: Desk) -> None:
            waits = await desk.queued("add", 1, delay=1000)
            response = await desk.client.delete(f"/api/tasks/task/{waits}")
            assert (response.status_code, response.json()["status"]) == (200, "cancelled")
            assert told(await desk.client.delete(f"/api/tasks/task/{waits}"), 409, "ended")["task_id"] == waits

            runs = await desk.queued("hold")
            while (await desk.get(f"/task/{runs}")).json()["status"] != "running":
                await asyncio.sleep(0.01)
            response = await desk.client.delete(f"/api/tasks/task/{runs}")
            assert response.status_code in (200, 202)
            assert response.json()["cancel_requested"] or response.json()["status"] == "cancelled"
            told(await desk.ended(runs), 409, "cancelled")

            done = await desk.queued("add", 1)
            await desk.ended(done)
            told(await desk.client.delete(f"/api/tasks/task/{done}"), 409, "ended")

        served(test)

    def test_the_list_is_filtered_counted_and_paged(self) -> None:
        async def test(desk: Desk) -> None:
            done = [await desk.queued("add", i) for i in range(5)]
            for id in done:
                await desk.ended(id)
            failed = await desk.queued("fail")
            await desk.ended(failed)
            body = (await desk.get("")).json()
            assert len(body["tasks"]) == 6
            assert (body["counts"]["succeeded"], body["counts"]["queued"], body["next"]) == (5, 0, None)
            assert sum(body["counts"].values()) == 6
            ids = [view["task_id"] for view in (await desk.get("", task="fail")).json()["tasks"]]
            assert ids == [failed]
            states = {view["status"] for view in (await desk.get("", status=["succeeded"])).json()["tasks"]}
            assert states == {"succeeded"}
            seen: list[str] = []
            before = None
            while True:
                page = (await desk.get("", limit=2, task="add", **({"before": before} if before else {}))).json()
                seen += [view["task_id"] for view in page["tasks"]]
                before = page["next"]
                if before is None:
                    break
            assert sorted(seen) == sorted(done)
            assert seen == sorted(done, reverse=True)
            for params in ({"limit": 0}, {"limit": 1001}, {"status": "lost"}, {"before": "x"}):
                told(await desk.get("", **params), 422, "invalid")

        served(test)


class TestMounting:
    def test_links_follow_the_place_of_the_router(self) -> None:
        async def main() -> None:
            queue = TaskQueue(store="memory", workers={"async": 1})
            register(queue, asyncio.Event())
            inner, outer = FastAPI(), FastAPI()
            inner.include_router(queue.router(prefix="/jobs"), prefix="/v2")
            outer.mount("/desk/task", inner)
            transport = httpx.ASGITransport(outer)
            async with queue, httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                response = await client.post("/desk/task/v2/jobs", json={"task": "add", "args": [1]})
                body = response.json()
                assert response.headers["location"] == f"/desk/task/v2/jobs/task/{body['task_id']}"
                result = await client.get(body["result_url"], params={"wait": 30})
                assert result.json()["result"] == 3
                status = await client.get(body["status_url"])
                assert status.json()["result_url"] == body["result_url"]

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("PUT", "", "GET, POST"),
            ("DELETE", "", "GET, POST"),
            ("OPTIONS", f"/task/{UNKNOWN}", "DELETE, GET"),
            ("POST", f"/task/{UNKNOWN}/result", "GET"),
            ("PATCH", f"/task/{UNKNOWN}/events", "GET"),
        ],
    )
    def test_other_methods_are_refused_with_those_that_are_not(self, method: str, path: str, allow: str) -> None:
        async def test(desk: Desk) -> None:
            response = await desk.client.request(method, f"/api/tasks{path}")
            told(response, 405, "method")
            assert response.headers["allow"] == allow

        served(test)

    def test_dependencies_guard_every_route(self) -> None:
        def guard(request: Request) -> None:
            if request.headers.get("x-token") != "secret":
                raise HTTPException(401, "who are you?")

        async def test(desk: Desk) -> None:
            for method, path in (
                ("POST", ""),
                ("GET", ""),
                ("GET", f"/task/{UNKNOWN}"),
                ("DELETE", f"/task/{UNKNOWN}"),
                ("GET", f"/task/{UNKNOWN}/result"),
                ("GET", f"/task/{UNKNOWN}/events"),
            ):
                response = await desk.client.request(method, f"/api/tasks{path}")
                assert (response.status_code, response.json()) == (401, {"detail": "who are you?"})
            desk.client.headers["x-token"] = "secret"
            assert (await desk.post("add", 1)).status_code == 202

        served(test, router={"dependencies": [Depends(guard)]})

    def test_a_closed_queue_is_503(self) -> None:
        async def main() -> None:
            queue = TaskQueue(store="memory", workers={"async": 1})
            register(queue, asyncio.Event())
            app = FastAPI()
            app.include_router(queue.router())
            async with queue:
                pass
            queue.close()
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
                response = await client.post("/api/tasks", json={"task": "add", "args": [1]})
                told(response, 503, "closed")
                assert "retry-after" in response.headers

        asyncio.run(main())


def test_without_fastapi_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from fastcore.tasks import TaskQueue\n"
        "queue = TaskQueue(store='memory')\n"
        "try: queue.router()\n"
        "except ImportError as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install fastcore-native[service]" in found.stdout


def test_a_queue_is_made_without_loading_fastapi() -> None:
    code = (
        "import sys; from fastcore.tasks import TaskQueue; TaskQueue(store='memory'); "
        "print([m for m in ('fastapi', 'pydantic', 'starlette') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
