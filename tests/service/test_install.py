"""`install`: the parts it adds to an application, and their lifecycle."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from fastcore import Switch, flags, metrics
from fastcore.dispatch.assignment import assignment_key
from fastcore.memory import MemoryWatch
from fastcore.monitor import AlertManager, Health, MetricsApp
from fastcore.service import install
from fastcore.service.dashboard import Prices
from fastcore.streaming import Hub, broadcast_analysis_results
from fastcore.tasks import TaskQueue, submit_background_task
from tests.service.in_process import served, status_of, with_livez

pytestmark = pytest.mark.backend_independent

TOKEN = "correct horse battery"
WAIT = 60.0


def test_every_part_is_installed() -> None:
    app = FastAPI()
    queue, hub = TaskQueue(), Hub()

    @queue.task
    async def double(n: int) -> int:
        return 2 * n

    @app.get("/hello/{name}")
    async def hello(name: str) -> str:
        return name

    installed = install(app, tasks=queue, hub=hub, token=TOKEN, public=("tasks", "stream", "dashboard"))
    assert app.state.fastcore is installed

    async def main() -> None:
        async with served(app) as client:
            assert (await client.get("/hello/you")).json() == "you"
            assert await status_of(client, "/livez") == 200
            ready = await client.get("/readyz")
            assert ready.status_code == 200
            assert {"tasks", "stream", "memory", "flags", "draining", "lifespan"} <= set(ready.json()["checks"])
            page = (await client.get("/metrics")).text
            assert 'fastcore_http_requests_total{arm="",method="GET",route="/hello/{name}",status="200"}' in page
            assert await status_of(client, "/fastcore") == 200
            assert await status_of(client, "/fastcore/api/snapshot") == 200
            assert await status_of(client, "/fastcore/admin/flags") == 401
            assert await status_of(client, "/fastcore/admin/flags", Authorization=f"Bearer {TOKEN}") == 200
            accepted = await client.post("/api/tasks", json={"task": "double", "args": [21]})
            assert accepted.status_code == 202
            found = await client.get(accepted.json()["result_url"], params={"wait": 20})
            assert found.json()["result"] == 42
            assert await queue.aresult(await submit_background_task("double", 4), WAIT) == 8
            assert await broadcast_analysis_results({"AAPL": {"rsi": 50.0}}) == 1

    asyncio.run(main())
    assert not queue.running


def test_omitted_parts_are_not_installed() -> None:
    app = FastAPI()
    installed = install(app, dashboard=False, probes=False, metrics=False, assignment=False, watch=False)
    assert (installed.tasks, installed.hub, installed.watch, installed.dashboard) == (None, None, None, None)

    async def main() -> None:
        async with served(app) as client:
            for path in ("/livez", "/readyz", "/metrics", "/fastcore", "/fastcore/admin/flags", "/api/tasks"):
                assert await status_of(client, path) == 404, path

    asyncio.run(main())


def test_parts_come_before_a_route_that_takes_everything() -> None:
    app = FastAPI()

    @app.get("/{rest:path}")
    async def everything(rest: str) -> str:
        return "mine"

    queue = TaskQueue()
    install(app, tasks=queue, public=True)

    async def main() -> None:
        async with served(app) as client:
            assert (await client.get("/other")).json() == "mine"
            assert (await client.get("/livez")).json()["status"] == "pass"
            assert "counts" in (await client.get("/api/tasks")).json()
            assert "<title>" in (await client.get("/fastcore/")).text

    asyncio.run(main())


def test_the_applications_own_lifespan_is_kept_around_the_parts() -> None:
    said: list[str] = []
    queue = TaskQueue()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        assert not queue.running
        said.append("open")
        yield {"database": "open"}
        said.append("closed")

    @queue.task
    async def write() -> None:
        await asyncio.sleep(0.05)
        said.append("written")

    app = FastAPI(lifespan=lifespan)
    install(app, tasks=queue, public=True)

    async def main() -> None:
        async with app.router.lifespan_context(app) as state:
            assert state == {"database": "open"}
            assert queue.running
            await queue.asubmit(write)

    asyncio.run(main())
    assert said == ["open", "written", "closed"]  # what was accepted is done while its database is open


def test_routers_may_be_added_afterwards_and_their_lifespans_run() -> None:
    said: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        said.append("router")
        yield

    app = FastAPI()
    queue = TaskQueue()
    install(app, tasks=queue, public=True)
    router = APIRouter(lifespan=lifespan)

    @router.get("/late")
    async def late() -> str:
        return "late"

    app.include_router(router)

    async def main() -> None:
        async with served(app) as client:
            assert (await client.get("/late")).json() == "late"
            assert said == ["router"]
            assert queue.running

    asyncio.run(main())


def test_draining_is_shown_by_readyz_and_by_every_response() -> None:
    app = FastAPI()

    @app.get("/")
    async def index() -> str:
        return "here"

    installed = install(app, hub=Hub(), public=True, drain_delay=0.0)

    async def main() -> None:
        async with served(app) as client:
            answer = await client.get("/")
            assert "connection" not in answer.headers
            await installed.drain("a deploy")
            assert installed.draining
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"]["draining"][0]["output"] == "a deploy"
            assert await status_of(client, "/livez") == 200
            answer = await client.get("/")
            assert answer.json() == "here"
            assert answer.headers["connection"] == "close"
            await installed.drain()  # again does nothing more

    asyncio.run(main())


def test_an_application_without_a_queue_may_be_started_again() -> None:
    app = FastAPI()
    install(app, hub=Hub(), public=True)

    async def main() -> None:
        for _ in range(2):
            async with served(app) as client:
                assert await status_of(client, "/readyz") == 200

    asyncio.run(main())


def test_without_a_lifespan_the_application_is_not_ready_and_says_why() -> None:
    app = FastAPI()
    install(app, tasks=TaskQueue(), public=True)

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert "lifespan" in ready.json()["checks"]["lifespan"][0]["output"]
            assert "workers" in ready.json()["checks"]["tasks"][0]["output"]

    asyncio.run(main())


def test_a_store_that_fails_takes_the_server_out_of_service(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastcore.tasks.errors import StoreError

    queue = TaskQueue()
    app = FastAPI()
    install(app, tasks=queue, public=True)

    def broken(id: str) -> Any:
        raise StoreError("disk full")

    async def main() -> None:
        async with served(app) as client:
            assert await status_of(client, "/readyz") == 200
            monkeypatch.setattr(queue.store, "get", broken)
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert "disk full" in ready.json()["checks"]["tasks"][0]["output"]
            monkeypatch.undo()

    asyncio.run(main())


def test_own_checks_and_watches_and_alerts_are_used() -> None:
    app = FastAPI()
    health = Health()
    health.check("database", lambda: False)
    watch, alerts = MemoryWatch(interval=3600.0), AlertManager(rules=(), channels=())
    installed = install(app, health=health, watch=watch, alerts=alerts)
    assert (installed.health, installed.watch, installed.alerts) == (health, watch, alerts)

    async def main() -> None:
        async with served(app) as client:
            assert watch._thread is not None
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"]["memory"][0]["observedValue"] > 0
        assert watch._thread is None

    asyncio.run(main())


def test_requests_have_their_assignment_key_and_arm() -> None:
    app = FastAPI()
    flags.declare("install-test")

    @app.get("/key")
    async def key() -> Any:
        return assignment_key.get()

    install(app, assignment={"header": "x-user"}, arm="install-test")

    async def main() -> None:
        async with served(app) as client:
            assert (await client.get("/key", headers={"x-user": "ada"})).json() == "ada"
            assert (await client.get("/key")).json() is None
            page = (await client.get("/metrics")).text
            assert 'fastcore_http_requests_total{arm="control",method="GET",route="/key",status="200"}' in page

    asyncio.run(main())


def test_prices_follow_what_the_hub_publishes() -> None:
    app = FastAPI()
    hub = Hub()
    install(app, hub=hub, public=True, prices=Prices("ticks.*", bar=0.001))

    async def main() -> None:
        async with served(app) as client:
            hub.publish("ticks.AAPL", {"price": 187.5})
            hub.publish("prices.MSFT", {"price": 30.0})
            [row] = (await client.get("/fastcore/api/snapshot/prices")).json()["symbols"]
            assert (row["symbol"], row["price"]) == ("AAPL", 187.5)

    asyncio.run(main())


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCORE_ADMIN_TOKEN", TOKEN)
    app = FastAPI()
    install(app, public=True)

    async def main() -> None:
        async with served(app) as client:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert (await client.post("/fastcore/api/whoami", json={}, headers=headers)).status_code == 200
            assert (await client.post("/fastcore/api/whoami", json={})).status_code == 401

    asyncio.run(main())


def test_metrics_of_several_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("FASTCORE_METRICS_DIR", str(tmp_path / "metrics"))
    app = FastAPI()
    installed = install(app, public=True)
    assert installed.workers is not None

    async def main() -> None:
        async with served(app) as client:
            assert await status_of(client, "/livez") == 200
            assert "fastcore_" in (await client.get("/metrics")).text

    asyncio.run(main())


def test_a_part_of_the_application_can_be_kept() -> None:
    app = with_livez()
    installed = install(app, probes=False)
    assert installed.dashboard is not None

    async def main() -> None:
        async with served(app) as client:
            assert (await client.get("/livez")).json() == "mine"
            assert await status_of(client, "/readyz") == 404
            assert await status_of(client, "/fastcore") == 200

    asyncio.run(main())


def test_the_applications_metrics_page_is_kept() -> None:
    app = FastAPI()
    install(app, metrics=MetricsApp(token="scrape me, please"))

    async def main() -> None:
        async with served(app) as client:
            assert await status_of(client, "/metrics") == 401
            assert await status_of(client, "/metrics", Authorization="Bearer scrape me, please") == 200

    asyncio.run(main())


def test_due_tasks_in_memory_are_run_at_shutdown_and_the_others_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    queue = TaskQueue()
    done: list[int] = []

    @queue.task(name="count")
    async def count(n: int) -> None:
        await asyncio.sleep(0.01)
        done.append(n)

    install(app, tasks=queue, public=True, drain_timeout=WAIT)

    async def main() -> None:
        async with served(app):
            await queue.asubmit_many([(count, (n,)) for n in range(300)])
            await queue.asubmit(count.configure(delay=0.5), 300)
            await queue.asubmit(count.configure(delay=3600.0), 301)

    asyncio.run(main())
    assert sorted(done) == list(range(301))
    assert "1 count" in caplog.text


def test_the_end_does_not_wait_for_paused_tasks_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    queue = TaskQueue()
    queue.task(lambda: None, name="held")
    install(app, tasks=queue, public=True, drain_timeout=10 * WAIT)

    async def main() -> None:
        async with served(app):
            await queue.apause("held")
            await queue.asubmit("held")

    asyncio.run(asyncio.wait_for(main(), WAIT))
    assert "1 held" in caplog.text


def test_collector_pauses_are_counted_while_it_runs() -> None:
    app = FastAPI()
    install(app, public=True)

    async def main() -> None:
        async with served(app) as client:
            gc.collect()
            body = (await client.get("/fastcore/api/snapshot/memory")).json()
            assert body["gc"]["generations"][2]["pause_max"] > 0

    before = list(gc.callbacks)
    asyncio.run(main())
    assert gc.callbacks == before


def test_an_authenticated_user_is_the_assignment_key() -> None:
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
    from starlette.middleware.authentication import AuthenticationMiddleware

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            return AuthCredentials(), SimpleUser(conn.headers["x-user"])

    app = FastAPI()
    app.add_middleware(AuthenticationMiddleware, backend=Backend())

    @app.get("/key")
    async def key() -> Any:
        return assignment_key.get()

    install(app, dashboard=False, watch=False)

    async def run() -> None:
        async with served(app) as client:
            assert (await client.get("/key", headers={"x-user": "ann"})).json() == "ann"

    asyncio.run(run())


def test_a_slower_candidate_is_alerted_on_with_no_further_code() -> None:
    """Both arms take over 50 us, so that each call is timed once the first look has seen it."""
    from fastcore.monitor import Alert, CallableChannel

    def spin(seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    switch = Switch("test_slower", control=lambda: spin(2e-4), candidate=lambda: spin(8e-4))
    told: list[Alert] = []
    app = FastAPI()
    installed = install(app, alerts=AlertManager(channels=[CallableChannel(told.append)]), dashboard=False, watch=False)
    assert installed.services is not None
    flags.set("test_slower", "ramp:50")
    try:
        installed.services.look()
        for _ in range(3):
            for _ in range(300):
                switch()
            installed.services.look()
        assert installed.alerts is not None
        given = [alert for alert in installed.alerts.evaluate() if dict(alert.labels).get("service") == "test_slower"]
        assert [alert.rule for alert in given] == ["slower than before"]
    finally:
        flags.clear("test_slower")
        metrics.gauge("fastcore_degraded", service="test_slower", against="control").set(0.0)


def test_parts_that_install_starts_and_can_omit() -> None:
    names: list[set[str]] = []
    for options in ({}, {"alerts": False, "triggers": False}):
        app = FastAPI()
        installed = install(app, watch=False, dashboard=False, **options)  # type: ignore[arg-type]

        async def run(app: FastAPI = app) -> None:
            async with served(app):
                names.append({t.name for t in threading.enumerate()})

        asyncio.run(run())
        assert (installed.alerts is None) == bool(options)
        assert (installed.services is None) == bool(options)
    assert "fastcore-rules" in names[0]
    assert "fastcore-rules" not in names[1]


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_probes_and_the_kill_switch_answer_while_the_default_executor_is_full(store: str, tmp_path: Any) -> None:
    app, free = FastAPI(), threading.Event()
    queue = TaskQueue("memory" if store == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}", workers={"async": 1})
    install(app, tasks=queue, hub=Hub(), token=TOKEN)
    bearer = {"authorization": f"Bearer {TOKEN}"}

    async def go() -> None:
        async with served(app) as client:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(ThreadPoolExecutor(1))
            blocked = loop.run_in_executor(None, free.wait, WAIT)
            try:
                async with asyncio.timeout(WAIT / 2):
                    for path in ("/livez", "/readyz", "/metrics", "/fastcore/api/snapshot", "/fastcore/admin/flags"):
                        assert await status_of(client, path, **bearer) == 200, path
                    for action in ("rollback", "resume"):
                        path = f"/fastcore/admin/flags/cache/{action}"
                        assert (await client.post(path, headers=bearer)).status_code == 200
            finally:
                free.set()
                await blocked

    asyncio.run(go())
