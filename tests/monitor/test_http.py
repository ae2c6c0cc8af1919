"""The middleware on real routers: what it counts under which labels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from fastcore import metrics
from fastcore.dispatch import flags, process
from fastcore.dispatch.assignment import belongs
from fastcore.dispatch.middleware import AssignmentMiddleware
from fastcore.monitor import MetricsMiddleware

IN_FLIGHT = "fastcore_http_requests_in_flight"


def application() -> FastAPI:
    app, sub = FastAPI(), FastAPI()

    @app.get("/mw/{symbol}")
    async def price(symbol: str) -> dict[str, str]:
        return {"symbol": symbol}

    @app.get("/mw/fails/{symbol}")
    async def fails(symbol: str) -> None:
        raise ZeroDivisionError(symbol)

    @app.get("/mw-stream")
    async def stream() -> StreamingResponse:
        async def parts() -> Any:
            yield b"a"
            await asyncio.sleep(0.05)
            yield b"b"

        return StreamingResponse(parts())

    @sub.get("/deep/{order}")
    async def deep(order: str) -> None:
        return None

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @app.websocket("/mw-ws/{topic}")
    async def socket(websocket: WebSocket, topic: str) -> None:
        if topic == "refuse":
            await websocket.close()
            return
        await websocket.accept()
        if topic == "fail":
            raise ZeroDivisionError
        await websocket.close()

    app.mount("/mw-mount/{desk}", sub)
    app.mount("/mw-plain", plain)
    return app


def get(
    app: Any, *paths: str, method: str = "GET", headers: dict[str, str] | None = None, root: str = ""
) -> list[int]:  # fmt: skip
    async def run() -> list[int]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.request(method, path, headers=headers)).status_code for path in paths]

    return asyncio.run(run())


def requests(route: str, status: str = "200", method: str = "GET", arm: str = "") -> int:
    value = metrics.snapshot().get(
        "fastcore_http_requests_total", method=method, route=route, status=status, arm=arm
    )  # fmt: skip
    return 0 if value is None else int(value)  # type: ignore[arg-type]


@pytest.fixture
def counted() -> Callable[..., int]:
    """``counted(route, ...)`` is how many requests were counted since the test began."""
    before = {s.labels: s.value for s in metrics.snapshot() if s.name == "fastcore_http_requests_total"}

    def since(route: str, status: str = "200", method: str = "GET", arm: str = "") -> int:
        labels = tuple(sorted({"route": route, "status": status, "method": method, "arm": arm}.items()))
        return requests(route, status, method, arm) - int(before.get(labels, 0))  # type: ignore[arg-type]

    return since


def test_requests_are_counted_by_the_template_of_their_route(counted: Callable[..., int]) -> None:
    app = MetricsMiddleware(application())
    assert get(app, "/mw/A", "/mw/B", "/mw-mount/d1/deep/7", "/mw-plain/x/y") == [200, 200, 200, 204]
    assert counted("/mw/{symbol}") == 2
    assert counted("/mw-mount/{desk}/deep/{order}") == 1
    assert counted("/mw-plain/*", "204") == 1
    latency = metrics.latency(
        "fastcore_http_request_duration_seconds", method="GET", route="/mw/{symbol}", arm=""
    )  # fmt: skip
    assert latency.count >= 2


def test_paths_of_no_route_share_a_series(counted: Callable[..., int]) -> None:
    app = MetricsMiddleware(application())
    series = len(metrics.snapshot())
    assert set(get(app, *(f"/none/{n}" for n in range(50)))) == {404}
    assert counted("unmatched", "404") == 50
    assert len(metrics.snapshot()) <= series + 2


def test_methods_that_a_route_does_not_take_share_a_series(counted: Callable[..., int]) -> None:
    app = MetricsMiddleware(application())
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert get(app, "/mw/A", method=method) == [405]
    assert counted("/mw/{symbol}", "405", "OTHER") == 5


def test_statuses_that_are_not_registered_share_a_series(counted: Callable[..., int]) -> None:
    app = FastAPI()

    @app.get("/mw-status/{code}")
    async def status(code: int) -> Response:
        return Response(status_code=code)

    get(MetricsMiddleware(app), *(f"/mw-status/{code}" for code in (200, 404, 418, 499, 531, 532, 599)))
    expected = {"200": 1, "404": 1, "418": 1, "499": 1, "5xx": 3}
    assert {code: counted("/mw-status/{code}", code) for code in expected} == expected


def test_methods_that_do_not_exist_share_a_series(counted: Callable[..., int]) -> None:
    app = MetricsMiddleware(application())
    for method in ("BREW", "WHEN"):
        get(app, "/none", method=method)
    assert counted("unmatched", "404", "OTHER") == 2
    assert not app._requests  # what a client chooses is not kept


def test_an_application_that_raises_counts_as_500(counted: Callable[..., int]) -> None:
    app = MetricsMiddleware(application())
    assert get(app, "/mw/fails/x") == [500]
    assert counted("/mw/fails/{symbol}", "500") == 1
    assert metrics.gauge(IN_FLIGHT).value == 0


def test_a_request_that_is_cancelled_is_no_error_of_the_service(counted: Callable[..., int]) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        return None

    async def run(path: str) -> None:
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        task = asyncio.create_task(MetricsMiddleware(waits)(scope, send, send))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run("/waiting"))
    asyncio.run(run("/begun"))
    assert (counted("unmatched", "499"), counted("unmatched", "200"), counted("unmatched", "500")) == (1, 1, 0)
    assert metrics.gauge(IN_FLIGHT).value == 0


@pytest.mark.parametrize(
    ("mounted", "path", "route"),
    [
        ("/mw-a/{n:int}", "/mw-a/007/leaf", "/mw-a/{n}/leaf"),
        ("/mw-b/{f:float}", "/mw-b/1.50/leaf", "/mw-b/{f}/leaf"),
        ("/mw-c/{a}/{b}", "/mw-c/x/y/leaf", "/mw-c/{a}/{b}/leaf"),
    ],
)
def test_parameters_of_a_mount_never_stand_in_a_label(
    counted: Callable[..., int], mounted: str, path: str, route: str
) -> None:
    app, sub = FastAPI(), FastAPI()

    @sub.get("/leaf")
    async def leaf() -> None:
        return None

    app.mount(mounted, sub)
    assert get(MetricsMiddleware(app), path) == [200]
    assert counted(route) == 1


def test_errors_are_propagated() -> None:
    async def raises(scope: Any, receive: Any, send: Any) -> None:
        assert metrics.gauge(IN_FLIGHT).value == 1
        raise KeyError("own")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(KeyError, match="own"):
        asyncio.run(MetricsMiddleware(raises)(scope, None, None))  # type: ignore[arg-type]
    assert metrics.gauge(IN_FLIGHT).value == 0


def test_the_time_is_that_to_the_last_byte() -> None:
    sketch = metrics.latency(
        "fastcore_http_request_duration_seconds", method="GET", route="/mw-stream", arm=""
    )  # fmt: skip
    before = sketch.total
    get(MetricsMiddleware(application()), "/mw-stream")
    assert sketch.total - before > 0.04


Event = tuple[str, Any]
START: Event = ("send", {"type": "http.response.start", "status": 200, "headers": []})
PART: Event = ("send", {"type": "http.response.body", "body": b"a", "more_body": True})
END: Event = ("send", {"type": "http.response.body", "body": b"b"})
WHOLE_FILE: Event = ("send", {"type": "http.response.pathsend", "path": "/f"})
RAISE: Event = ("raise", ZeroDivisionError)
GONE: Event = ("gone", {"type": "http.response.body", "body": b"b"})


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([START, PART, END], "200"),
        ([START, WHOLE_FILE], "200"),
        ([START, END, RAISE], "200"),  # a background task, after the answer
        ([START, PART, RAISE], "500"),  # an answer that never ends
        ([START, RAISE], "500"),
        ([START, PART, GONE], "200"),  # the client has left: no fault of the service
        ([RAISE], "500"),
    ],
)
def test_a_response_is_counted_by_its_outcome(counted: Callable[..., int], events: list[Event], status: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for what, value in events:
            if what == "raise":
                raise value
            await send(value)

    async def send(message: Any) -> None:
        if message is GONE[1]:
            raise OSError("gone")

    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": []}
    run = MetricsMiddleware(app)(scope, None, send)  # type: ignore[arg-type]
    if events[-1] in (RAISE, GONE):
        with pytest.raises((ZeroDivisionError, OSError)):
            asyncio.run(run)  # type: ignore[arg-type]
    else:
        asyncio.run(run)  # type: ignore[arg-type]
    assert {code: counted("unmatched", code) for code in ("200", "500")} == {"200": 0, "500": 0, status: 1}
    assert metrics.gauge(IN_FLIGHT).value == 0


def test_a_request_is_over_before_its_background_tasks(counted: Callable[..., int]) -> None:
    seen = []
    app = FastAPI()

    @app.get("/mw-later")
    async def later(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: seen.append((counted("/mw-later"), metrics.gauge(IN_FLIGHT).value)))

    get(MetricsMiddleware(app), "/mw-later")
    assert seen == [(1, 0)]
    assert counted("/mw-later") == 1


class Hexadecimal(Convertor[int]):
    """A converter whose values do not have the text that they were made of."""

    regex = "0x[0-9a-f]+"

    def convert(self, value: str) -> int:
        return int(value, 16)

    def to_string(self, value: int) -> str:
        return hex(value)


def test_a_parameter_of_a_mount_that_has_another_text_is_in_no_label(counted: Callable[..., int]) -> None:
    register_url_convertor("hexadecimal", Hexadecimal())
    app, sub = FastAPI(), FastAPI()

    @sub.get("/leaf/{order}")
    async def leaf(order: str) -> None:
        return None

    app.mount("/mw-hex/{n:hexadecimal}", sub)
    paths = "/mw-hex/0xa1/leaf/1", "/mw-hex/0xa2/leaf/2", "/mw-hex/0xa3/no"
    assert get(MetricsMiddleware(app), *paths) == [200, 200, 404]
    assert counted("/mw-hex/{n}/leaf/{order}") == 2
    assert counted("/mw-hex/{n}/*", "404") == 1


def test_a_parameter_of_a_mount_that_is_hidden_by_one_of_the_same_name_is_in_no_label(
    counted: Callable[..., int],
) -> None:
    app, sub = FastAPI(), FastAPI()

    @sub.get("/leaf/{name}")
    async def leaf(name: str) -> None:
        return None

    app.mount("/mw-same/{name}", sub)
    paths = "/mw-same/x/leaf/1", "/mw-same/mw-same/leaf/2", "/mw-same/leaf/leaf/leaf", "/mw-same/{name}/leaf/{name}"
    assert get(MetricsMiddleware(app), *paths) == [200] * 4
    assert counted("/mw-same/{name}/leaf/{name}") == 4


def test_nested_mounts_routers_and_hosts_are_labelled_by_their_templates(counted: Callable[..., int]) -> None:
    async def leaf(request: Request) -> Response:
        return Response()

    inner = Starlette(routes=[Mount("/{b}", routes=[Route("/leaf", leaf)], middleware=[Middleware(GZipMiddleware)])])
    router = APIRouter()
    router.mount("/mw-router/{c}", inner)
    app = FastAPI()
    app.include_router(router, prefix="/mw-prefix")
    app.host("desk.example", Starlette(routes=[Mount("/mw-host/{d}", inner)]))
    app.mount("/mw-outer/{a}", inner)
    app.add_middleware(MetricsMiddleware)
    assert get(app, "/mw-outer/x/y/leaf", "/mw-prefix/mw-router/x/y/leaf") == [200, 200]
    assert get(app, "/mw-host/x/y/leaf", headers={"host": "desk.example"}) == [200]
    assert counted("/mw-outer/{a}/{b}/leaf") == 1
    assert counted("/mw-prefix/mw-router/{c}/{b}/leaf") == 1
    assert counted("/mw-host/{d}/{b}/leaf") == 1


def test_a_root_path_set_by_something_unknown_is_in_no_label(counted: Callable[..., int]) -> None:
    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        first = scope["path"].split("/")[1]
        scope["root_path"] = f"/{first}"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    assert get(MetricsMiddleware(dispatch), "/mw-x/leaf", "/mw-y/leaf") == [204, 204]
    assert counted("*/*", "204") == 2


def test_monitoring_itself_is_not_counted(counted: Callable[..., int]) -> None:
    get(MetricsMiddleware(application()), "/metrics", "/metrics/", "/livez", "/readyz")
    get(MetricsMiddleware(application()), "/desk/metrics", "/desk/livez", root="/desk")
    assert counted("unmatched", "404") == 0
    get(MetricsMiddleware(application(), skip=("/none",)), "/livez", "/none")
    assert counted("unmatched", "404") == 1


def test_both_arms_are_labelled(counted: Callable[..., int], own_flags: list[str]) -> None:
    flag = "test.http.arm"
    own_flags.append(flag)
    app = AssignmentMiddleware(MetricsMiddleware(application(), flag=flag))
    get(app, "/mw/A")
    flags.set(flag, "candidate")
    get(app, "/mw/A", "/mw/A")
    assert counted("/mw/{symbol}", arm="control") == 1
    assert counted("/mw/{symbol}", arm="candidate") == 2
    flags.set(flag, "ramp:50")
    threshold = flags.mode_of(flag).threshold
    ours = next(key for key in map(str, range(99)) if belongs(flag, threshold, key))
    theirs = next(key for key in map(str, range(99)) if not belongs(flag, threshold, key))
    get(app, "/mw/A", headers={"x-assignment-key": ours})
    get(app, *["/mw/A"] * 4, headers={"x-assignment-key": theirs})
    get(app, "/mw/A")
    assert counted("/mw/{symbol}", arm="candidate") == 3
    assert counted("/mw/{symbol}", arm="control") == 5
    assert counted("/mw/{symbol}", arm="unassigned") == 1


@pytest.mark.parametrize(("topic", "outcome"), [("open", "closed"), ("refuse", "refused"), ("fail", "failed")])
def test_websockets(topic: str, outcome: str) -> None:
    counter = metrics.counter("fastcore_websocket_connections_total", route="/mw-ws/{topic}", outcome=outcome)
    before = counter.value
    sent: list[str] = []
    inside: list[float] = []

    async def receive() -> dict[str, Any]:
        inside.append(metrics.gauge("fastcore_websocket_connections").value)
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        inside.append(metrics.gauge("fastcore_websocket_connections").value)
        sent.append(message["type"])

    scope = {"type": "websocket", "path": f"/mw-ws/{topic}", "headers": [], "query_string": b"", "subprotocols": []}
    run = MetricsMiddleware(application())({**scope, "scheme": "ws", "client": None, "server": None}, receive, send)
    if outcome == "failed":
        with pytest.raises(ZeroDivisionError):
            asyncio.run(run)  # type: ignore[arg-type]
    else:
        asyncio.run(run)  # type: ignore[arg-type]
    assert counter.value == before + 1
    assert inside[0] == 1
    assert metrics.gauge("fastcore_websocket_connections").value == 0


def test_the_lifespan_passes() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(MetricsMiddleware(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_the_prefixes_of_included_routers_are_in_the_route() -> None:
    app, version = FastAPI(), APIRouter(prefix="/mw-v1")
    users, orders = APIRouter(), APIRouter()

    @users.get("/{id}")
    async def user(id: str) -> str:
        return id

    @orders.get("/{id}")
    async def order(id: str) -> str:
        return id

    @orders.websocket("/feed/{topic}")
    async def feed(websocket: WebSocket, topic: str) -> None:
        await websocket.accept()
        await websocket.close()

    version.include_router(users, prefix="/users")
    for router, prefix in ((users, "/mw-users"), (orders, "/mw-orders"), (version, "")):
        app.include_router(router, prefix=prefix)
    app.add_middleware(MetricsMiddleware)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            for path in ("/mw-users/1", "/mw-orders/2", "/mw-v1/users/3"):
                assert (await client.get(path)).status_code == 200

    asyncio.run(run())
    asyncio.run(connect(app, "/mw-orders/feed/a"))
    for route in ("/mw-users/{id}", "/mw-orders/{id}", "/mw-v1/users/{id}"):
        labels = {"method": "GET", "route": route, "status": "200", "arm": ""}
        assert metrics.counter("fastcore_http_requests_total", **labels).value == 1
    labels = {"route": "/mw-orders/feed/{topic}", "outcome": "closed"}
    assert metrics.counter("fastcore_websocket_connections_total", **labels).value == 1


async def connect(app: FastAPI, path: str) -> None:
    received = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        return None

    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
    await app({**scope, "root_path": "", "subprotocols": [], "scheme": "ws", "server": ("x", 80)}, receive, send)


def test_the_arm_goes_by_a_key_that_is_given_within() -> None:
    flags.declare("test.arm_within")
    app = FastAPI()

    @app.get("/mw-arm")
    async def answer() -> None:
        return None

    app.add_middleware(AssignmentMiddleware)
    app.add_middleware(MetricsMiddleware, flag="test.arm_within")
    flags.set("test.arm_within", "ramp:50")
    try:

        async def run() -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                for key in ("a", "b", "c", "d"):
                    await client.get("/mw-arm", headers={"x-assignment-key": key})

        asyncio.run(run())
        threshold = process.store.mode("test.arm_within").threshold
        expected = sum(belongs("test.arm_within", threshold, key) for key in "abcd")
        labels = {"method": "GET", "route": "/mw-arm", "status": "200"}
        assert metrics.counter("fastcore_http_requests_total", arm="candidate", **labels).value == expected
    finally:
        flags.clear("test.arm_within")
