"""What `install` refuses: wrong options, missing extras, routes that would be hidden."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette

from fastcore.service import install
from fastcore.tasks import TaskQueue
from tests.service.in_process import served, status_of, with_livez

pytestmark = pytest.mark.backend_independent


def started() -> FastAPI:
    app = FastAPI()
    app.middleware_stack = app.build_middleware_stack()
    return app


def installed_once() -> FastAPI:
    app = FastAPI()
    install(app, public=True)
    return app


@pytest.mark.parametrize(
    ("make", "options", "error", "text"),
    [
        (Starlette, {}, TypeError, "app: expected a FastAPI application, got Starlette"),
        (object, {}, TypeError, "app: expected a FastAPI application, got object"),
        (installed_once, {}, RuntimeError, "got one that has it already"),
        (started, {}, RuntimeError, "not started yet"),
        (with_livez, {}, ValueError, "no route at /livez"),
        (FastAPI, {"token": "short"}, ValueError, "token: expected at least 16 characters"),
        (FastAPI, {"path": "fastcore"}, ValueError, "path: expected one that begins with /"),
        (FastAPI, {"path": "/fastcore/"}, ValueError, "path: expected one that begins with /"),
        (FastAPI, {"tasks": "sqlite:///x.db"}, TypeError, r"got str; write TaskQueue\('sqlite:///x.db'\)"),
        (FastAPI, {"tasks": TaskQueue}, TypeError, "tasks: expected a TaskQueue, got the class TaskQueue"),
        (FastAPI, {"hub": TaskQueue()}, TypeError, "hub: expected a Hub, got TaskQueue"),
        (FastAPI, {"drain_delay": -1}, ValueError, "drain_delay: expected seconds >= 0, got -1"),
        (FastAPI, {"drain_timeout": "5"}, ValueError, "drain_timeout: expected seconds >= 0, got '5'"),
    ],
)
def test_refusals(make: Any, options: Any, error: type[Exception], text: str) -> None:
    app = make()
    before = list(app.router.routes) if isinstance(app, FastAPI) else None
    with pytest.raises(error, match=text):
        install(app, **options)
    if before is not None:
        assert list(app.router.routes) == before  # nothing is half installed


MISSING = """
import sys
sys.modules[sys.argv[1]] = None
from fastapi import FastAPI
from fastcore.service import install
app = FastAPI()
try:
    install(app, metrics=True if sys.argv[2] == "insist" else None)
except ImportError as error:
    print(error)
else:
    print([route.path for route in app.routes])
"""


@pytest.mark.parametrize(
    ("module", "how", "text"),
    [
        ("prometheus_client", "insist", 'pip install "fastcore-native[prometheus]"'),
        ("plotly", "optional", "/fastcore"),
    ],
)
def test_missing_extras(module: str, how: str, text: str) -> None:
    command = [sys.executable, "-c", MISSING, module, how]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert text in found.stdout


def test_without_fastapi_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['fastapi'] = None\nfrom fastcore.service import install\ninstall(object())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert 'pip install "fastcore-native[service]"' in found.stderr


@pytest.mark.parametrize(
    ("path", "answers"),
    [("/api/tasks/task/mine", "/api/tasks"), ("/fastcore/own", "/fastcore"), ("/livez", "/livez")],
)
def test_a_route_that_would_be_hidden_is_refused(path: str, answers: str) -> None:
    app, router = FastAPI(), APIRouter(prefix=path.rpartition("/")[0])

    async def own() -> None:
        return None

    router.add_api_route("/" + path.rpartition("/")[2], own, methods=["GET"])
    app.include_router(router)
    with pytest.raises(ValueError, match=f"got GET {path}, which {answers}|no route at {path}"):
        install(app, tasks=TaskQueue(), watch=False)


def test_routes_that_are_not_hidden_are_accepted() -> None:
    app = FastAPI()

    @app.get("/{path:path}")
    async def rest(path: str) -> str:
        return path

    install(app, tasks=TaskQueue(), watch=False)

    async def run() -> None:
        async with served(app) as client:
            assert (await client.get("/anything/else")).json() == "anything/else"
            assert await status_of(client, "/livez") == 200

    asyncio.run(run())


def test_a_later_route_that_is_shadowed_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    install(app, watch=False, alerts=False, triggers=False)

    @app.get("/fastcore/own")
    async def own() -> None:
        return None

    async def run() -> None:
        async with served(app):
            pass

    asyncio.run(run())
    assert "got GET /fastcore/own, which /fastcore would answer: it is never reached" in caplog.text
