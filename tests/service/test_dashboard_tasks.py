"""Tasks on the dashboard, over HTTP: filters, one task's page, what it hides, and changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastcore.concurrency import Retry
from fastcore.service.dashboard import Dashboard, Prices, Sources
from fastcore.service.dashboard.attempts import EACH, TASKS, Attempts
from fastcore.service.dashboard.values import HIDDEN, arguments, masked, shown
from fastcore.tasks import TaskEvent, TaskQueue
from fastcore.tasks.codec import Codec
from fastcore.tasks.records import Encoded
from tests.service.board import AUTHORISED, TOKEN

pytestmark = pytest.mark.backend_independent


def desk(test: Callable[[TaskQueue, httpx.AsyncClient], Awaitable[None]], store: str = "memory") -> None:
    """Run a test on a queue with tasks that fail and its dashboard."""

    async def main() -> None:
        queue = TaskQueue(store)

        @queue.task(name="desk/report", retries=Retry(3, base=0.001))
        async def report(symbol: str, **more: Any) -> str:
            if symbol == "BAD":
                raise OSError("no feed at https://me:hunter2@feed/x")
            return symbol.lower()

        @queue.task(name="waits")
        async def waits() -> None:
            await asyncio.sleep(600)

        app = FastAPI()
        board = Dashboard(Sources(prices=Prices(), tasks=queue, writable=True), token=TOKEN)
        app.mount("/fastcore", board)
        board.recorder.start()
        try:
            async with queue, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
                await test(queue, client)
        finally:
            await board.recorder.stop()

    asyncio.run(main())


async def get(client: httpx.AsyncClient, path: str, *, token: bool = False, **query: Any) -> Any:
    answer = await client.get(f"/fastcore/api/{path}", params=query, headers=AUTHORISED if token else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_tasks_are_found_by_state_name_and_text(store: str, tmp_path: Any) -> None:
    async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
        fine = [await queue.asubmit("desk/report", f"S{n}") for n in range(7)]
        bad = await queue.asubmit("desk/report", "BAD")
        for id in (*fine, bad):
            await queue.wait(id, 20)
        later = await queue.asubmit(queue.tasks["waits"].configure(delay=600))

        async def ids(**query: Any) -> list[str]:
            return [row["id"] for row in (await get(client, "tasks", **query))["tasks"]]

        assert await ids(state="dead,failed") == [bad]
        assert await ids(name="waits") == [later]
        assert await ids(text="NO FEED") == [bad]
        assert await ids(text=bad[-9:]) == [bad]
        assert await ids(text="hunter3") == []
        assert await ids(state="succeeded", name="waits") == []
        pages, before = list[str](), ""
        while True:  # the pages hold every task once, the newest first
            found = await get(client, "tasks", name="desk/report", limit="3", before=before)
            pages += [row["id"] for row in found["tasks"]]
            before = found["next"]
            if before is None:
                break
        assert pages == sorted([*fine, bad], reverse=True)

    desk(test, store if store == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("state=ended", "state: expected some of queued"),
        ("limit=0", "limit: expected an int in 1..200, got '0'"),
        ("limit=٣٣٣٣", "limit: expected"),
        ("text=" + "x" * 201, "text: expected at most 200 characters"),
        ("sort=name", "query: expected state, name"),
        ("&".join(f"a{n}=1" for n in range(30)), "query: expected at most 20 fields"),
    ],
)
def test_a_wrong_query_says_what_was_expected(query: str, text: str) -> None:
    async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
        answer = await client.get(f"/fastcore/api/tasks?{query}")
        assert answer.status_code == 422
        assert text in answer.json()["detail"]

    desk(test)


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_task_s_arguments_and_traceback_need_the_token(store: str, tmp_path: Any) -> None:
    async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
        id = await queue.asubmit("desk/report", "BAD", api_key="abc123", depth={"password": "abc123", "n": 1})
        await queue.wait(id, 20)
        unread = (await client.get(f"/fastcore/api/tasks/{id}")).text
        assert "abc123" not in unread
        assert "desk/report" in unread
        closed = await get(client, f"tasks/{id}")
        assert (closed["whole"], closed["arguments"], closed["error"]["trace"]) == (False, None, "")
        found = await get(client, f"tasks/{id}", token=True)
        assert found["arguments"] == [
            {"name": "0", "value": "'BAD'"},
            {"name": "api_key", "value": HIDDEN},
            {"name": "depth", "value": f"{{'password': {HIDDEN}, 'n': 1}}"},
        ]
        assert "Traceback" in found["error"]["trace"]
        assert "hunter2" not in str(found)  # the address in the error has a password
        assert [one["attempt"] for one in found["earlier"]] == [1, 2, 3]
        assert all(one["started"] <= one["ended"] for one in found["earlier"])
        assert (await client.get("/fastcore/api/tasks/nothing")).status_code == 404

    desk(test, store if store == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}")


def test_several_tasks_are_cancelled_and_retried_at_once() -> None:
    async def test(queue: TaskQueue, client: httpx.AsyncClient) -> None:
        async def post(path: str, body: Any = None, headers: Any = AUTHORISED) -> httpx.Response:
            return await client.post(f"/fastcore/api/{path}", json=body or {}, headers=headers)

        bad = [await queue.asubmit("desk/report", "BAD") for _ in range(3)]
        for id in bad:
            await queue.wait(id, 20)
        delayed = [await queue.asubmit(queue.tasks["waits"].configure(delay=600)) for _ in range(3)]
        for path in ("tasks/cancel", f"tasks/{delayed[0]}/cancel", "task-names/waits/purge"):
            assert (await post(path, {"ids": delayed}, headers={})).status_code == 401
        assert queue.status(delayed[0]).state == "queued"
        found = (await post("tasks/cancel", {"ids": [*delayed[:2], bad[0], "nothing"]})).json()
        assert (found["changed"], found["note"]) == (delayed[:2], "2 of 4 cancelled")
        assert [str(queue.status(id).state) for id in delayed] == ["cancelled", "cancelled", "queued"]
        again = await post(f"tasks/{delayed[0]}/cancel")
        assert again.status_code == 422
        assert "has not ended" in again.json()["detail"]
        found = (await post("tasks/retry", {"ids": [*bad, delayed[0]]})).json()
        assert sorted(found["changed"]) == sorted(bad)
        for id in bad:
            await queue.wait(id, 20)
        assert (await post("task-names/desk%2Freport/retry-dead")).json()["changed"] == 3
        assert (await post("task-names/waits/pause")).json()["note"] == "paused"
        kinds = {kind["name"]: kind for kind in (await get(client, "snapshot/tasks"))["kinds"]}
        assert (kinds["waits"]["paused"], kinds["desk/report"]["paused"]) == (True, False)
        assert kinds["waits"]["registered"] is True
        assert (await post("task-names/waits/resume")).json()["note"] == "resumed"
        assert (await post("task-names/waits/purge")).json()["changed"] == 1
        for ids, text in (("x", "list of str"), ([], "expected 1 to 500"), (["x"] * 501, "got 501"), ([1], "list of")):
            refused = await post("tasks/retry", {"ids": ids})
            assert refused.status_code == 422
            assert text in refused.json()["detail"]
        assert (await post("task-names/unheard-of/pause")).status_code == 422
        del queue.tasks["desk/report"]  # as in a release without it
        kinds = {kind["name"]: kind for kind in (await get(client, "snapshot/tasks"))["kinds"]}
        assert kinds["desk/report"]["registered"] is False

    desk(test)


class Hostile:
    def __repr__(self) -> str:
        raise SystemExit("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Authorization": "x", "n": [1, 2]}, f"{{'Authorization': {HIDDEN}, 'n': [1, 2]}}"),
        ("redis://:pw@host/0", f"'redis://{HIDDEN}@host/0'"),
        (Hostile(), "<Hostile>"),
        (Encoded(Codec().encode({"a": 1})), "{'a': 1}"),
        (Encoded(b"\xc1 not a value"), "bytes ("),
        ("\ud800", "\\ud800"),
    ],
)
def test_values_are_shown_without_secrets_and_never_raise(value: Any, text: str) -> None:
    assert text in shown(value)


def test_values_are_bounded() -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    for value in (deep, "x" * 10**7, list(range(10**6)), dict.fromkeys(range(10**5), "y" * 1000), 10**5000):
        assert len(shown(value)) < 3000
    found = arguments((tuple(range(80)), {"token": "x"}))
    assert found is not None
    assert (len(found), found[-1]["value"]) == (51, "31 further arguments")
    assert masked("Bearer abc.def and more", 100) == f"Bearer {HIDDEN} and more"


def test_failed_attempts_are_kept_for_the_latest_tasks_only() -> None:
    attempts = Attempts()
    for n in range(TASKS + 5):
        attempts._heard(TaskEvent("retry", f"id{n}", "t", 1, 10.0, error=OSError("x"), delay=2.0, seconds=1.0))
    for n in range(EACH + 5):
        attempts._heard(TaskEvent("retry", "id9", "t", n, 10.0, error=None, seconds=1.0))
    assert attempts.of("id4") == []
    assert attempts.of("id5") == [{"attempt": 1, "started": 9.0, "ended": 10.0, "error": "OSError: x", "again": 12.0}]
    assert len(attempts.of("id9")) == EACH
