"""Presence, hooks for clients, and disconnecting them."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest

from fastcore.streaming import Client, Grant, Hub, Limits, Member, PresenceStats, Subscribed, UnixBus, Unsubscribed
from tests.streaming.conftest import Serve
from tests.streaming.raw_client import RawClient


def in_a_loop(test: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


def grant_of(token: str) -> Grant:
    return Grant(user=token)


def people(hub: Hub, server: Any, topic: str | None = None) -> list[str]:
    return sorted(member.user for member in server.call(lambda: hub.presence(topic)))


@pytest.fixture
def visit() -> Iterator[Callable[..., RawClient]]:
    clients: list[RawClient] = []

    def come(server: Any, user: str, topics: str = "t", **more: Any) -> RawClient:
        clients.append(RawClient(server.port, f"/stream?token={user}&topics={topics}", **more))
        return clients[-1]

    yield come
    for client in clients:
        client.close()


Visit = Callable[..., RawClient]


def test_presence_returns_the_clients_that_a_message_would_reach(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=grant_of, authorize=lambda grant, topic: (grant.user, topic) != ("bob", "room.1"))
    for user, topics in (("ann", "room.1"), ("ann", "room.*"), ("bob", "room.*"), ("cy", "other")):
        visit(server, user, topics).hear_kind(3)
    assert people(hub, server) == ["ann", "ann", "bob", "cy"]
    for _ in range(2):
        assert people(hub, server, "room.1") == ["ann", "ann"]
        assert people(hub, server, "room.2") == ["ann", "bob"]
        assert people(hub, server, "room.*") == ["ann", "bob"]
        assert people(hub, server, "never.heard.of") == []
        hub.publish("room.2", 1)
    assert server.call(lambda: hub.presence_stats("room.1")) == PresenceStats(clients=2, users=1)
    assert server.call(hub.presence_stats) == PresenceStats(clients=4, users=3)


def test_a_member_has_the_session_of_its_welcome(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=grant_of)
    before = time.time()
    client = visit(server, "ann")
    session = client.hear()[1]["session"]
    [member] = server.call(hub.presence)
    assert (member.session, member.user, member.address) == (session, "ann", "127.0.0.1")
    assert before - 1 <= member.since <= time.time() + 1


def test_users_that_cannot_be_hashed_are_counted(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=lambda token: Grant(user=[token]))
    for user in ("ann", "ann", "bob"):
        visit(server, user).hear_kind(3)
    assert server.call(hub.presence_stats) == (3, 2)
    assert server.call(lambda: hub.disconnect(["ann"])) == 2


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_hooks_of_a_client_are_called_in_order(serve: Serve, visit: Visit, kind: str) -> None:
    hub, server = serve(authenticate=grant_of)
    heard: list[tuple[Any, ...]] = []

    def hook(name: str) -> Callable[..., Any]:
        def plain(member: Member, *more: Any) -> None:
            heard.append((name, member.user, *more))

        async def later(member: Member, *more: Any) -> None:
            await asyncio.sleep(0)
            plain(member, *more)

        return plain if kind == "plain" else later

    for name in ("connect", "subscribe", "unsubscribe", "disconnect"):
        fn = hook(name)
        assert getattr(hub, f"on_{name}")(fn) is fn
    client = visit(server, "ann", "a,b.*")
    client.say(3, 1, ["a", "c"])
    client.say(4, 2, ["a", "never"])
    client.hear_kind(4)
    server.call(lambda: hub.disconnect("ann", code=4001, reason="enough"))
    assert client.closed() == 4001
    server.until(lambda: len(heard) == 6 + 1)
    joined = [name for what, _, *more in heard if what == "subscribe" for name in more[0]]
    assert heard[0] == ("connect", "ann")
    assert joined == ["a", "b.*", "c"]
    assert heard[-3:] == [
        ("unsubscribe", "ann", ["a"]),
        ("unsubscribe", "ann", ["b.*", "c"]),
        ("disconnect", "ann", 4001, "enough"),
    ]


def test_on_connect_may_refuse(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=grant_of)
    ended: list[str] = []
    hub.on_connect(lambda member: member.user != "mallory")
    hub.on_disconnect(lambda member, code, reason: ended.append(member.user))
    assert visit(server, "mallory").closed() == 3500
    with RawClient(server.port) as late:  # whose token comes in a message
        late.say(0, {"token": "mallory", "topics": ["t"]})
        assert late.closed() == 3500
    visit(server, "ann").hear_kind(3)
    assert people(hub, server) == ["ann"]
    assert ended == [], "who was not let in does not leave"


@pytest.mark.parametrize("when", ["at once", "with connect"])
def test_requests_wait_for_on_connect(serve: Serve, when: str) -> None:
    hub, server = serve(authenticate=None if when == "with connect" else grant_of)
    asked, answer = threading.Event(), threading.Event()

    def slow(member: Member) -> None:
        asked.set()
        answer.wait(60)

    hub.on_connect(slow)
    with RawClient(server.port, "/stream" if when == "with connect" else "/stream?token=ann&topics=t") as client:
        if when == "with connect":
            client.say(0, {"topics": ["t"]})
        client.say(3, 7, ["u"])
        assert asked.wait(60)
        hub.publish("t", "too early")
        assert server.call(lambda: len(hub)) == 0
        answer.set()
        assert client.hear()[0] == 0
        assert client.hear()[:2] == [3, 0]
        assert client.hear()[:2] == [3, 7]


@pytest.mark.parametrize("how", ["raises", "exits", "hangs", "hangs a thread", "will not be cancelled"])
@pytest.mark.parametrize("where", ["connect", "subscribe"])
def test_an_error_of_a_hook_affects_only_its_client(serve: Serve, visit: Visit, how: str, where: str) -> None:
    hub, server = serve(authenticate=grant_of, limits=Limits(hook=0.05 if "hangs" in how or "will" in how else 10))
    end = threading.Event()

    async def for_ever() -> None:
        while not end.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                if how == "hangs":
                    raise

    def bad(member: Member, *more: Any) -> Any:
        if member.user != "ann":
            return None
        if how == "raises":
            raise ValueError("of the application")
        if how == "exits":
            raise SystemExit(3)
        return end.wait(60) if how == "hangs a thread" else for_ever()

    getattr(hub, f"on_{where}")(bad)
    try:
        ann = visit(server, "ann")
        if where == "connect":
            assert ann.closed() == 1013
        else:
            ann.say(4, 1, ["t"])
            ann.hear_kind(4)  # she is there, and her requests go on
        bob = visit(server, "bob")
        bob.hear_kind(3)
        hub.publish("t", "goes on")
        assert bob.hear_kind(1)[3] == "goes on"
    finally:
        end.set()


def test_a_hook_that_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="on_connect: expected a function, got int"):
        Hub().on_connect(3)  # type: ignore[type-var]


def test_a_user_is_disconnected_from_any_thread(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=grant_of)
    ann = [visit(server, "ann"), visit(server, "ann")]
    bob = visit(server, "bob")
    for client in (*ann, bob):
        client.hear_kind(3)
    assert hub.disconnect("ann", reason="signed out") == 2
    assert [client.closed() for client in ann] == [3503, 3503]
    hub.publish("t", 1)
    assert bob.hear_kind(1)[3] == 1
    assert hub.disconnect("unknown") == 0
    [member] = server.call(hub.presence)
    assert hub.disconnect(member, code=3001) == 1
    assert bob.closed() == 3001


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"code": 999}, ValueError, "code: expected 1000 or one of 3000 to 4999, got 999"),
        ({"code": 1006}, ValueError, "code: expected"),
        ({"code": True}, ValueError, "code: expected"),
        ({"reason": b"x"}, TypeError, "reason: expected a str, got bytes"),
        ({"user": None}, TypeError, "user: expected the user of a Grant"),
    ],
)
def test_invalid_arguments_of_disconnect_are_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Hub().disconnect(options.pop("user", "ann"), **options)


def test_a_reason_of_any_text_closes(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=grant_of)
    client = visit(server, "ann")
    client.hear_kind(3)
    hub.disconnect("ann", reason="\ud800" + "é" * 200)
    assert client.closed() == 3503


def test_subscriptions_are_removed_and_the_client_is_notified(serve: Serve, visit: Visit) -> None:
    hub, server = serve(authenticate=grant_of)
    client = visit(server, "ann", "t.1,t.*,>,u")
    client.hear_subscribed()
    assert hub.unsubscribe("ann", "t.>") == 1
    kind, ref, names = client.hear()
    assert (kind, ref, sorted(names)) == (4, 0, ["t.*", "t.1"])
    hub.unsubscribe("ann", [">"])
    assert sorted(client.hear()[2]) == [">", "u"]
    hub.publish("u", 1)
    client.say(3, 1, ["v"])
    assert client.hear()[:2] == [3, 1]


@in_a_loop
async def test_the_client_does_not_resubscribe_to_removed_topics(serve: Serve) -> None:
    hub, server = serve(authenticate=grant_of)
    notices: asyncio.Queue[Any] = asyncio.Queue()
    url = f"ws://127.0.0.1:{server.port}/stream"

    async def until(kind: type) -> Any:
        while not isinstance(found := await asyncio.wait_for(notices.get(), 60), kind):
            pass
        return found

    async with Client(url, ["a", "b"], token="ann", on_notice=notices.put_nowait, backoff=(0.01, 0.05)) as client:
        await until(Subscribed)
        await until(Subscribed)
        hub.unsubscribe("ann", "a")
        assert await until(Unsubscribed) == (("a",),)
        assert client.topics == ["b"]
        hub.disconnect("ann", code=3001)
        assert (await until(Subscribed)).topic == "b"
        assert [member.user for member in server.call(lambda: hub.presence("a"))] == []


@in_a_loop
async def test_users_are_disconnected_on_every_worker(short_path: Any) -> None:
    hubs = [Hub(backplane=UnixBus(short_path / "bus")) for _ in range(2)]
    for hub in hubs:
        await hub.start()
    heard: list[Any] = []
    hubs[1].listen(">", lambda topic, obj: heard.append(topic))
    try:
        acted: asyncio.Queue[Any] = asyncio.Queue()
        for n, hub in enumerate(hubs):
            hub._act = lambda what, found, options, n=n: acted.put_nowait((n, what, options))  # type: ignore[method-assign]
        hubs[0].disconnect("ann", code=3001, reason="enough")
        assert await asyncio.wait_for(acted.get(), 60) == (1, "disconnect", [3001, "enough"])
        hubs[1].unsubscribe("ann", "t.*")
        assert await asyncio.wait_for(acted.get(), 60) == (0, "unsubscribe", ["t.*"])
        assert acted.empty(), "a hub does not hear itself"
        stale = msgpack.packb(["another", time.time() - 3600, "disconnect", False, "ann", [3001, ""]])
        hubs[0]._publish("$hub.control", stale, None)
        hubs[0].publish("after", 1)
        async with asyncio.timeout(60):
            while heard != ["after"]:
                await asyncio.sleep(0.01)
        assert acted.empty()
        with pytest.raises(TypeError, match="user: expected a str, int or bytes"):
            hubs[0].disconnect(("a", "b"))
        with pytest.raises(ValueError, match="hubs' own"):
            hubs[0].publish("$hub.control", 1)
    finally:
        for hub in hubs:
            await hub.aclose()


def test_forked_workers_have_different_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub()
    names = []
    for pid in (1, 2):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        names.append(hub._name)
    assert names[0] != names[1]


class Price:
    def __init__(self, value: float) -> None:
        self.value = value


@pytest.mark.parametrize("name", ["default", "enc_hook"])
@pytest.mark.parametrize("protocol", ["fastcore.v1", "fastcore.v1.json"])
def test_objects_that_msgpack_does_not_know_are_published(serve: Serve, name: str, protocol: str) -> None:
    def known(obj: Any) -> Any:
        if isinstance(obj, Price):
            return {"price": obj.value}
        raise TypeError(f"no {type(obj).__name__}")

    hub, server = serve(**{name: known})
    with RawClient(server.port, "/stream?topics=t", headers={"Sec-WebSocket-Protocol": protocol}) as client:
        if protocol == "fastcore.v1":
            client.hear_kind(3)
            hub.publish("t", [Price(1.5)])
            assert client.hear_kind(1)[3] == [{"price": 1.5}]
        else:
            client.read(), client.read()
            hub.publish("t", [Price(1.5)])
            assert client.read().data.endswith(b'[{"price":1.5}]]')
        with pytest.raises(TypeError, match="no complex"):
            hub.publish("t", 1j)


def test_only_one_of_two_names_is_given() -> None:
    with pytest.raises(ValueError, match="enc_hook: expected it or default"):
        Hub(default=str, enc_hook=str)
    with pytest.raises(TypeError, match="default: expected a function"):
        Hub(default=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["query", "subscribe", "connect", "the hub's", "a pattern's"])
def test_a_subscription_begins_with_the_last_messages(serve: Serve, how: str) -> None:
    hub, server = serve(history=10, last=3 if how == "the hub's" else 0)
    if how == "a pattern's":
        hub.configure("t.*", last=3)
    for n in range(8):
        hub.publish("t.x", n, key="k")
    path = (
        "/stream" if how in ("subscribe", "connect") else "/stream?topics=t.x" + ("&last=3" if how == "query" else "")
    )
    with RawClient(server.port, path) as client:
        if how == "connect":
            client.say(0, {"topics": ["t.*"], "last": 3})
        elif how == "subscribe":
            client.say(3, 1, ["t.x"], {"last": 3})
        [[name, _, offset, state]] = client.hear_kind(3)[2]
        assert (name, offset, state) == ("t.x", 5, 0)
        assert [client.hear_kind(1)[2:4] for _ in range(3)] == [[6, 5], [7, 6], [8, 7]]


@pytest.mark.parametrize("options", [{"last": 2}, {}])
@in_a_loop
async def test_the_client_gets_the_last_messages_once(serve: Serve, options: dict[str, int]) -> None:
    hub, server = serve(history=10, last=0 if options else 2)
    for n in range(5):
        hub.publish("t", n)
    url = f"ws://127.0.0.1:{server.port}/stream"
    async with Client(url, ["t"], backoff=(0.01, 0.05), **options) as client:
        assert [(await anext(client)).data for _ in range(2)] == [3, 4]
        assert client.positions == {"t": 5}
        server.call(lambda: [one.link.close(1012, "") for one in hub.clients.all()])
        hub.publish("t", 5)
        assert (await anext(client)).data == 5


@pytest.mark.parametrize("wrong", [-1, "3", 1.5, True])
def test_a_wrong_count_of_last_messages_is_reported(serve: Serve, wrong: Any) -> None:
    _, server = serve()
    with RawClient(server.port) as client:
        client.hear()
        client.say(3, 4, ["t"], {"last": wrong})
        assert client.hear()[:3] == [5, 4, 100]
