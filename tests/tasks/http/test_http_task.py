"""Status, result and cancellation of a task over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from tests.tasks.http.served import UNKNOWN, Desk, served, told


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
    def test_a_wait_that_is_no_number_is_refused(self, wait: str) -> None:
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

    def test_a_cancelled_task_has_no_result(self) -> None:
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
    def test_a_task_shows_its_state_and_progress(self) -> None:
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
