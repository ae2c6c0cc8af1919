"""An application that is started again, as by a test client for each test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from fastcore.service import install
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue
from tests.service.in_process import served

TOKEN = "sixteen characters or more"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("store", ["memory", "sqlite:///{}/tasks.db"])
def test_every_part_works_again(store: str, tmp_path: Path) -> None:
    app = FastAPI()
    queue = TaskQueue(store.format(tmp_path))
    hub = Hub()
    heard: list[Any] = []
    hub.listen("prices.*", lambda topic, found: heard.append(found))
    queue.task(lambda n: n + 1, name="add")
    install(app, tasks=queue, hub=hub, token=TOKEN)

    async def use(round: int) -> None:
        async with served(app) as client:
            assert (await client.get("/readyz")).status_code == 200
            answer = await client.post("/api/tasks", json={"task": "add", "args": [round]}, headers=HEADERS)
            result = await client.get(answer.json()["result_url"], params={"wait": 30}, headers=HEADERS)
            assert (result.status_code, result.json()["result"]) == (200, round + 1)
            hub.publish("prices.A", round)
            assert (await client.get("/fastcore/api/history/60", headers=HEADERS)).status_code == 200
            assert (await client.get("/metrics")).status_code == 200

    for round in range(3):
        asyncio.run(use(round))
    assert heard == [0, 1, 2]
