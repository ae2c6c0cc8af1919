"""The routes against their own OpenAPI document: every operation, with generated requests good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings

from fastcore.tasks import TaskQueue

pytestmark = pytest.mark.backend_independent

EXAMPLES = 40
# What a valid request may meet besides success: a task that is not there, arguments that it does not take, its failure.
MAY_MEET = ["2XX", "404", "409", "422", "424"]
NAMES = ("echo", "fail", "take")


async def echo(*args: Any, **kwargs: Any) -> Any:
    return args


async def fail(*args: Any, **kwargs: Any) -> Any:
    raise ValueError("no")


async def take(a: int, b: str = "") -> int:
    return a


def made() -> tuple[TaskQueue, Any]:
    """A queue whose workers do not run yet, and its application's schema."""
    queue = TaskQueue(store="memory", workers={"async": 4})
    for name, fn in zip(NAMES, (echo, fail, take)):
        queue.task(name=name, on="async", retries=0)(fn)
    app = FastAPI()
    app.include_router(queue.router(max_wait=0.05))
    config = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": MAY_MEET}}})
    schema = schemathesis.openapi.from_dict(app.openapi(), config=config)
    schema.app = app
    return queue, schema


queue, schema = made()
ids: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _working() -> Iterator[None]:
    queue.start()
    try:
        ids.extend(queue.submit(name, 1) for name in NAMES)
        ids.append(queue.submit(queue.tasks["take"].configure(delay=3600), 1))
        yield
    finally:
        queue.stop()


@schema.hook
def map_body(context: Any, body: Any) -> Any:
    """Name a task that there is, in every second body that names any."""
    if isinstance(body, dict) and isinstance(body.get("task"), str) and len(body["task"]) % 2:
        return {**body, "task": NAMES[len(body["task"]) // 2 % len(NAMES)]}
    return body


@schema.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Ask for a task that there is, as often as not."""
    size = len(str(path_parameters.get("task_id"))) if path_parameters else 0
    return {**path_parameters, "task_id": ids[size % len(ids)]} if size % 2 else path_parameters


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_to_its_schema(case: Any) -> None:
    case.call_and_validate()


def test_every_code_has_a_schema() -> None:
    document = schema.raw_schema
    operations = {
        (method, path): operation for path, item in document["paths"].items() for method, operation in item.items()
    }
    base = "/api/tasks/task/{task_id}"
    expected = {
        ("post", "/api/tasks"): {"202", "400", "404", "409", "413", "415", "422", "503"},
        ("get", "/api/tasks"): {"200", "422", "503"},
        ("get", base): {"200", "404", "422", "503"},
        ("delete", base): {"200", "202", "404", "409", "422", "503"},
        ("get", f"{base}/result"): {"200", "202", "404", "406", "409", "410", "422", "424", "503"},
        ("get", f"{base}/events"): {"200", "204", "404", "422", "503"},
    }
    assert {key: set(operation["responses"]) for key, operation in operations.items()} == expected
    for operation in operations.values():
        for code, response in operation["responses"].items():
            assert code == "204" or all(content["schema"] for content in response["content"].values())
            if code[0] in "45":
                assert list(response["content"]) == ["application/problem+json"]
    assert document["paths"]["/api/tasks"]["post"]["requestBody"]["required"]
