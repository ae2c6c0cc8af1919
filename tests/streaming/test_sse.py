"""Server-sent events of a hub: the same clients, rights, resumption and conflation, over plain HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any, NamedTuple

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from starlette.applications import Starlette

from fastcore.streaming import Caller, Grant, Hub, Limits
from fastcore.streaming.messages import Subscribe, framed
from fastcore.streaming.sse import EventLink
from tests.streaming.conftest import Serve
from tests.streaming.raw_client import TIMEOUT
from tests.streaming.running import Running

SERVERS = {"httptools": {"http": "httptools"}, "h11": {"http": "h11"}}


class Event(NamedTuple):
    """As the HTML standard dispatches it; comments are counted by the reader."""

    name: str
    data: Any
    id: str | None
    retry: str | None


class Reader:
    """Reads a stream as the HTML standard says."""

    def __init__(self, port: int, path: str = "/stream/events?topics=a", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self.connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.last_id = ""
        self.comments = 0

    def read(self) -> Event | None:
        """The next event; None at the end."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode():
            text = line.rstrip("\n")
            if not text:
                if "id" in fields:
                    self.last_id = fields["id"]
                if "data" in fields:
                    name = fields.get("event", "message")
                    return Event(name, json.loads(fields["data"]), fields.get("id"), fields.get("retry"))
                fields = {}
            elif text.startswith(":"):
                self.comments += 1
            else:
                field, _, value = text.partition(":")
                fields[field] = value.removeprefix(" ")
        return None

    def read_named(self, name: str) -> Event:
        while (found := self.read()) is not None:
            if found.name == name:
                return found
        raise EOFError(name)

    def data(self, count: int) -> list[Any]:
        return [self.read_named("message").data["data"] for _ in range(count)]

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@pytest.fixture(params=list(SERVERS))
def serve(request: pytest.FixtureRequest, kept: dict[str, Running]) -> Serve:
    def start(**options: Any) -> tuple[Hub, Running]:
        if request.param not in kept:
            kept[request.param] = Running(Starlette(), **SERVERS[request.param]).__enter__()
        server = kept[request.param]
        server.app.router.routes.clear()
        hub = Hub(**options)
        hub.route(server.app)
        hub.sse(server.app, "/stream/events")
        return hub, server

    return start


def test_events_carry_names_offsets_and_objects(serve: Serve) -> None:
    hub, server = serve()
    with Reader(server.port, "/stream/events?topics=prices.*,news") as reader:
        assert reader.response.getheader("content-type") == "text/event-stream; charset=utf-8"
        assert reader.response.getheader("cache-control") == "no-store"
        welcome = reader.read()
        assert welcome is not None
        assert (welcome.name, welcome.data["epoch"]) == ("welcome", hub.epoch)
        assert reader.read_named("subscribed").data == [["news", 0, 0]]
        hub.publish("prices.A", {"price": 1.5}, key="A")
        hub.publish("news", "line\nbreak\r\n\n:x")
        hub.publish("other", 1)
        hub.publish("prices.A", None)
        assert [reader.read_named("message").data for _ in range(3)] == [
            {"topic": "prices.A", "offset": 1, "data": {"price": 1.5}, "key": "A"},
            {"topic": "news", "offset": 1, "data": "line\nbreak\r\n\n:x"},
            {"topic": "prices.A", "offset": 2, "data": None},
        ]
    server.until(lambda: len(hub) == 0)
    server.until(lambda: hub.clients.seats.taken == 0)


def test_the_last_id_resumes(serve: Serve) -> None:
    hub, server = serve()
    with Reader(server.port, "/stream/events?topics=a,b.*") as reader:
        reader.read_named("subscribed")
        for n in range(3):
            hub.publish("a", n)
            hub.publish("b.x", -n)
        got: list[Any] = []
        while len(got) < 6:
            got.append(reader.read_named("message").data["data"])
        last = reader.last_id
    assert json.loads(last) == [hub.epoch, {"a": 3, "b.x": 3}]
    server.until(lambda: len(hub) == 0)
    hub.publish("a", 3)
    hub.publish("b.y", "new")
    hub.publish("b.x", -3)
    with Reader(server.port, "/stream/events?topics=a,b.*", Last_Event_ID=last) as reader:
        states = {name: state for name, _, state in reader.read_named("subscribed").data}
        assert states == {"a": 1, "b.x": 1, "b.y": 1}
        assert sorted(map(str, reader.data(3))) == ["-3", "3", "new"]


def test_an_id_before_the_first_event_resumes_as_well(serve: Serve) -> None:
    hub, server = serve()
    hub.publish("a", 1)
    with Reader(server.port) as reader:
        reader.read_named("subscribed")
        last = reader.last_id
    assert json.loads(last) == [hub.epoch, {"a": 1}]
    hub.publish("a", 2)
    with Reader(server.port, Last_Event_ID=last) as reader:
        assert reader.data(1) == [2]


@pytest.mark.parametrize("last", ["x", "[]", '["e"]', '["e",{"a":-1}]', "[" * 3000, "1e400", '["other",{"a":7}]', "é"])
def test_an_id_of_another_stream_is_no_error(serve: Serve, last: str) -> None:
    hub, server = serve()
    with Reader(server.port, Last_Event_ID=last) as reader:
        reader.read_named("subscribed")
        hub.publish("a", 1)
        assert reader.data(1) == [1]


def test_ids_stay_short_enough_for_a_header(serve: Serve) -> None:
    hub, server = serve(limits=Limits(subscriptions=1000))
    for n in range(500):
        hub.publish(f"t.{n}", n)
    with Reader(server.port, "/stream/events?topics=t.*") as reader:
        reader.read_named("subscribed")
        hub.publish("t.1", 1)
        assert reader.data(1) == [1]
        assert len(reader.last_id) <= 4096


def test_newest_begins_with_the_existing_messages(serve: Serve) -> None:
    hub, server = serve()
    hub.publish("a", 1, key="k")
    hub.publish("a", 2, key="k")
    with Reader(server.port, "/stream/events?topics=a&newest=1") as reader:
        assert reader.data(1) == [2]


def test_a_client_that_does_not_read_gets_the_newest_of_each_key(serve: Serve) -> None:
    hub, server = serve(policy="conflate")
    with Reader(server.port) as reader:
        reader.read_named("subscribed")
        filler = "x" * 50_000
        for n in range(1000):
            hub.publish("a", [n, filler], key="k")
            server.call(lambda: None)
        got: list[int] = []
        while not got or got[-1] != 999:
            got.append(reader.data(1)[0][0])
        assert got == sorted(set(got))
        assert len(got) < 1000


def test_pings_keep_it_alive_without_an_answer(serve: Serve) -> None:
    hub, server = serve(ping=0.2, pong=0.15, beat=0.02)
    with Reader(server.port) as reader:
        reader.read_named("subscribed")
        [session] = server.call(hub.clients.all)
        server.until(lambda: reader.connection.sock is not None and hub.stats().bytes_out >= 0)
        while reader.comments < 4:
            hub.publish("a", 1)
            reader.read_named("message")
        assert server.call(hub.clients.all) == [session]


# -- who is let in --------------------------------------------------------------------------------------------------


def test_rights_are_the_same_as_over_websockets(serve: Serve) -> None:
    grants = {"good": Grant(topics=("a",))}
    hub, server = serve(authenticate=lambda token: grants.get(token))
    for path, headers in [
        ("/stream/events?topics=a", {}),
        ("/stream/events?topics=a&token=bad", {}),
        ("/stream/events?topics=a", {"Authorization": "Bearer bad"}),
    ]:
        with Reader(server.port, path, **headers) as reader:
            assert reader.status == 401
    assert hub.stats().refused == {401: 3}
    with Reader(server.port, "/stream/events?topics=a&token=good") as reader:
        assert reader.read_named("subscribed").data[0][0] == "a"
    with Reader(server.port, "/stream/events?topics=b", Authorization="Bearer good") as reader:
        assert reader.read_named("problem").data["code"] == 103
    server.until(lambda: hub.clients.seats.taken == 0)


def test_a_session_cookie_authenticates(serve: Serve) -> None:
    def authenticate(token: str | None, caller: Caller) -> bool:
        return caller.cookies.get("session") == "good"

    _, server = serve(authenticate=authenticate)
    with Reader(server.port, Cookie="session=good") as reader:
        assert reader.status == 200
    with Reader(server.port, Cookie="session=bad") as reader:
        assert reader.status == 401


def test_an_expired_token_ends_the_stream(serve: Serve) -> None:
    hub, server = serve(authenticate=lambda token: True)
    with Reader(server.port, "/stream/events?topics=a&token=t") as reader:
        reader.read_named("subscribed")
        [session] = server.call(hub.clients.all)
        server.call(lambda: session.close(3005, "the token expired"))
        assert reader.read_named("closed").data == {"code": 3005, "reason": "the token expired", "again": True}
        assert reader.read() is None
    server.until(lambda: hub.clients.seats.taken == 0)


def test_pages_of_other_origins(serve: Serve) -> None:
    _, server = serve(origins=["https://desk.example.com"])
    with Reader(server.port, Origin="https://evil.example") as reader:
        assert reader.status == 403
    with Reader(server.port, Origin="https://desk.example.com") as reader:
        assert reader.response.getheader("access-control-allow-origin") == "https://desk.example.com"
        assert reader.response.getheader("vary") == "Origin", "a cache would give one page's answer to another"
        assert reader.response.getheader("access-control-allow-credentials") == "true"
    _, server = serve(origins="*")
    with Reader(server.port, Origin="https://evil.example") as reader:
        assert reader.status == 200
        assert reader.response.getheader("access-control-allow-credentials") is None


def test_a_token_that_cannot_be_checked_is_for_later(serve: Serve) -> None:
    def authenticate(token: str) -> bool:
        raise ConnectionError("no session store")

    hub, server = serve(authenticate=authenticate)
    with Reader(server.port, "/stream/events?topics=a&token=t") as reader:
        assert (reader.status, reader.response.getheader("retry-after")) == (503, "5")
    assert hub.stats().refused == {503: 1}


def test_limits_and_draining(serve: Serve) -> None:
    hub, server = serve(limits=Limits(connections=2, per_address=1))
    with Reader(server.port) as reader:
        reader.read_named("subscribed")
        with Reader(server.port) as second:
            assert (second.status, second.response.getheader("retry-after")) == (429, "5")
        server.call(lambda: hub.drain(grace=0.05, spread=0.0))
        drained = reader.read_named("drain")
        assert drained.retry == "0"
        assert reader.read_named("closed").data["code"] == 3001
        with Reader(server.port) as third:
            assert third.status == 503


@pytest.mark.parametrize(
    "path", ["/stream/events", "/stream/events?topics=", "/stream/events?topics=a&epoch=e&since=a"]
)
def test_a_stream_without_topics_or_with_a_bad_query_is_400(serve: Serve, path: str) -> None:
    hub, server = serve()
    with Reader(server.port, path) as reader:
        assert reader.status == 400
    assert hub.clients.seats.taken == 0


def test_methods_other_than_get_are_refused(serve: Serve) -> None:
    hub, server = serve()
    for method, status in [("POST", 405), ("HEAD", 200)]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        connection.request(method, "/stream/events?topics=a")
        response = connection.getresponse()
        assert (response.status, response.read() if method == "HEAD" else b"") == (status, b"")
        connection.close()
    server.until(lambda: hub.clients.seats.taken == 0)


def test_dependencies_prefix_and_responses_of_fastapi_hold() -> None:
    def deny() -> None:
        raise HTTPException(418)

    app = FastAPI()
    guarded = APIRouter(
        prefix="/v1", dependencies=[Depends(deny)], responses={418: {"description": "no"}}, tags=["live"]
    )
    plain = APIRouter(prefix="/v2")
    hub = Hub()
    hub.sse(guarded, "/events")
    hub.sse(plain, "/events")
    app.include_router(guarded)
    app.include_router(plain)
    with Running(app) as server:
        with Reader(server.port, "/v1/events?topics=a") as reader:
            assert reader.status == 418
        with Reader(server.port, "/v2/events?topics=a") as reader:
            assert reader.read_named("subscribed").data == [["a", 0, 0]]
    described = app.openapi()["paths"]["/v1/events"]["get"]
    assert described["tags"] == ["live"]
    assert set(described["responses"]) >= {"200", "418"}
    assert "text/event-stream" in described["responses"]["200"]["content"]


def test_the_last_event_of_a_write_has_the_id_of_all_of_it() -> None:
    """Cut off within it, a client goes on from the write before: nothing is lost."""
    sent: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["body"])

    async def scenario() -> None:
        link = EventLink(1.0, Subscribe(0, ["a"]))
        await link._deliver(send, framed(0, {"epoch": "e"}) + framed(3, 0, [["a", 7, 4, 0]]))
        await link._deliver(send, framed(1, 7, 5, "x") + framed(1, 7, 6, "y", "k"))
        await link._deliver(send, framed(1, 7, 6, "y", "k"))  # of a node that is behind
        await link._deliver(send, framed(2, 8, "b") + framed(1, 8, 1, None))
        await link._deliver(send, framed(6))
        await link._deliver(send, framed(9, "f") + framed(1, 7, 1, "z"))

    asyncio.run(scenario())
    assert [body.decode() for body in sent] == [
        'event: welcome\ndata: {"epoch":"e"}\n\nid: ["e",{"a":4}]\nevent: subscribed\ndata: [["a",4,0]]\n\n',
        'data: {"topic":"a","offset":5,"data":"x"}\n\n'
        'id: ["e",{"a":6}]\ndata: {"topic":"a","offset":6,"data":"y","key":"k"}\n\n',
        'id: ["e",{"a":6,"b":1}]\ndata: {"topic":"b","offset":1,"data":null}\n\n',
        ": ping\n\n",
        'id: ["f",{"a":1}]\ndata: {"topic":"a","offset":1,"data":"z"}\n\n',
    ]
