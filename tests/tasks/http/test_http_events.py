"""The events of a task over a real connection: they come as they happen, and end with the task."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from fastcore.tasks import TaskQueue, progress
from fastcore.tasks.http.events import last_seen

TIMEOUT = 60.0


class Event(NamedTuple):
    name: str
    number: int
    data: Any


class Desk(NamedTuple):
    url: str
    client: httpx.Client
    steps: threading.Semaphore
    server: uvicorn.Server

    def queued(self, task: str = "work") -> str:
        response = self.client.post("/api/tasks", json={"task": task})
        assert response.status_code == 202, response.text
        return str(response.json()["task_id"])

    def events(self, id: str, seen: int | None = None) -> Any:
        headers = {} if seen is None else {"Last-Event-ID": str(seen)}
        return self.client.stream("GET", f"/api/tasks/task/{id}/events", headers=headers)


@contextmanager
def served(**router: Any) -> Iterator[Desk]:
    """A separate server; the task "work" makes a step for each release of `steps`."""
    queue = TaskQueue(store="memory", workers={"async": 1, "thread": 4})
    steps = threading.Semaphore(0)

    @queue.task(name="work", on="thread")
    def work() -> str:
        for step in (1, 2, 3):
            assert steps.acquire(timeout=TIMEOUT)
            progress(step / 3, f"step {step}")
        assert steps.acquire(timeout=TIMEOUT)
        return "done"

    app = FastAPI()
    app.include_router(queue.router(**router))
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    queue.start()
    thread.start()
    try:
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=TIMEOUT) as client:
            yield Desk(url, client, steps, server)
    finally:
        steps.release(1000)
        server.should_exit = True
        thread.join(TIMEOUT)
        queue.stop()
        socket.close()


def read(response: httpx.Response) -> Iterator[Event | str]:
    """Give events and comments as they come."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if not line:
            if "data" in fields:
                yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}
        elif line.startswith(":"):
            yield line
        else:
            name, _, value = line.partition(": ")
            fields[name] = value


def test_a_task_is_followed_to_its_end() -> None:
    with served() as desk:
        id = desk.queued()
        with desk.events(id) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            found = []
            for event in read(response):
                assert isinstance(event, Event)
                found.append(event)
                if event.data["status"] == "running" and len(found) < 20:
                    desk.steps.release()
        assert [event.name for event in found][-1] == "end"
        assert found[-1].data["status"] == "succeeded"
        assert [event.name for event in found].count("end") == 1
        assert [event.number for event in found] == sorted({event.number for event in found})
        assert found[0].name == "state"
        notes = [event.data["progress"]["note"] for event in found]
        assert [note for note in ("step 1", "step 2", "step 3") if note in notes] == ["step 1", "step 2", "step 3"]
        assert all(event.data["task_id"] == id for event in found)


def test_a_reconnecting_client_gets_only_new_events() -> None:
    with served() as desk:
        id = desk.queued()
        desk.steps.release(2)
        with desk.events(id) as response:
            for event in read(response):
                assert isinstance(event, Event)
                if event.data["progress"]["note"] == "step 2":
                    break
        desk.steps.release(2)
        with desk.events(id, event.number) as response:
            later = list(read(response))
        assert later
        assert all(isinstance(each, Event) and each.number > event.number for each in later)
        last = later[-1]
        assert isinstance(last, Event)
        assert last.name == "end"
        with desk.events(id, last.number) as response:
            assert response.status_code == 204  # a browser that comes back after the end is told to stay away
        with desk.events(id) as response:
            assert [each.name for each in read(response) if isinstance(each, Event)] == ["end"]


def test_a_quiet_stream_is_kept_open_by_comments() -> None:
    with served(ping=0.05) as desk:
        id = desk.queued()
        with desk.events(id) as response:
            pings = 0
            for event in read(response):
                pings += event == ": ping"
                if pings == 3:
                    break
        desk.steps.release(4)


def test_a_closed_stream_makes_room_for_another() -> None:
    with served(max_waiting=1, ping=0.05) as desk:
        id = desk.queued()
        for _ in range(3):
            for _ in range(200):
                with desk.events(id) as response:
                    if response.status_code == 200:
                        assert next(read(response))
                        break
                threading.Event().wait(0.05)
            else:
                pytest.fail("the place of one who has hung up was never free again")
        desk.steps.release(4)


@pytest.mark.parametrize(
    ("header", "number"),
    [(None, -1), ("", -1), ("7", 7), ("-7", -1), ("x", -1), ("9" * 30, -1), ("\u0663", -1), ("1.5", -1)],
)
def test_the_last_event_id_of_a_client(header: str | None, number: int) -> None:
    assert last_seen(header) == number


def test_a_stream_over_the_limit_is_503_and_a_place_is_free_again_when_a_client_has_left() -> None:
    with served(max_waiting=1) as desk:
        id = desk.queued()
        with desk.events(id) as first:
            assert first.status_code == 200
            refused = desk.client.get(f"/api/tasks/task/{id}/events")
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["type"] == "urn:fastcore:tasks:too-many-waiting"
            assert int(refused.headers["retry-after"]) > 0
        desk.steps.release(4)
        deadline = time.monotonic() + TIMEOUT
        while True:
            with desk.events(id, 0) as later:
                if later.status_code != 503 or time.monotonic() > deadline:
                    break
        assert later.status_code in (200, 204)
