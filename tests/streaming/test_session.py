"""One client's session over a link that a test controls: what it holds back, keeps and looks at again."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgpack
import pytest

from fastcore.streaming import Grant, Hub, Limits, security, session
from fastcore.streaming.jsonwire import payloads
from fastcore.streaming.limits import Seats
from fastcore.streaming.messages import Subscribe
from fastcore.streaming.security import Rights, covers
from fastcore.streaming.session import Session
from python_fallback.shared.framing.topics import matches

pytestmark = pytest.mark.backend_independent


class Link:
    """Keeps what is written."""

    deflate: int | None = None
    fd: int | None = None

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.code: int | None = None

    def write(self, data: bytes) -> None:
        self.messages += [msgpack.unpackb(payload, strict_map_key=False) for payload in payloads(data)]

    def writelines(self, lines: Iterable[bytes]) -> None:
        self.write(b"".join(lines))

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.code = code

    def heard(self, kind: int) -> list[Any]:
        return [message for message in self.messages if message[0] == kind]


async def joined(hub: Hub, grant: Grant | None = None, topics: Subscribe | None = None) -> tuple[Session, Link]:
    await hub.start()
    link = Link()
    found = Session(hub.clients, link, None)
    hub.clients.add(found)
    found.open(grant or Grant(), topics)
    await settled()
    return found, link


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def say(client: Session, *message: Any) -> None:
    client.receive(msgpack.packb(list(message)))


def test_a_client_is_not_closed_for_requests_that_were_answered(monkeypatch):
    monkeypatch.setattr(session, "QUEUED", 0)

    async def test() -> None:
        hub = Hub(limits=Limits(message_size=100, message_rate=None))
        client, link = await joined(hub)
        for ref in range(100):  # each counts 100 bytes and its own; at once there may be 1600
            say(client, 4, ref, [])
            await settled()
        assert link.heard(4) == [[4, ref] for ref in range(100)]
        assert link.code is None

    asyncio.run(test())


def test_sent_bytes_do_not_count_when_a_client_is_slow_again():
    async def test() -> None:
        hub = Hub(limits=Limits(backlog=1000))
        client, link = await joined(hub)
        for turn in range(5):
            client.pause()
            client.complain(turn, 100, "x" * 400)
            await settled()
            client.resume()
            await settled()
            assert link.code is None
        assert [message[1] for message in link.heard(5)] == list(range(5))
        client.pause()
        client.link.buffered = lambda: 1 << 20  # type: ignore[method-assign]
        for _ in range(5):
            client.complain(1, 100, "x" * 400)
        assert link.code == 3008

    asyncio.run(test())


def test_the_expiry_of_a_renewed_token_is_watched():
    async def test() -> None:
        hub = Hub(authenticate=lambda token: Grant(expires=time.time() + float(token)), beat=0.02, ping=60)
        client, link = await joined(hub, Grant(expires=time.time() + 3600))
        say(client, 8, 1, "0.2")
        await settled()
        assert [message[1] for message in link.heard(8)] == [1]
        async with asyncio.timeout(30):
            while link.code is None:
                await asyncio.sleep(0.01)
        assert link.code == 3005

    asyncio.run(test())


@pytest.mark.parametrize("per_topic", [False, True])
def test_a_new_token_tells_only_topics_that_were_not_allowed_before(per_topic):
    async def test() -> None:
        hub = Hub(
            authenticate=lambda token: Grant(user=token),
            authorize=(lambda grant, topic: grant.user == "boss" or topic != "t.secret") if per_topic else None,
        )
        for name in ("a", "b", "secret"):
            hub.publish(f"t.{name}", name)
        client, link = await joined(hub, Grant(user="ann"), Subscribe(0, ["t.*"]))
        [[_, _, entries]] = link.heard(3)
        numbers = {name: number for name, number, *_ in entries}
        for ref, token in enumerate(["ann", "boss", "boss", "ann", "boss"]):
            link.messages.clear()
            say(client, 8, ref, token)
            await settled()
            assert link.heard(8) == [[8, ref, None]]
            told = {name: number for _, number, name in link.heard(2)}
            assert told.keys() == ({"t.secret"} if per_topic and ref in (1, 4) else set())
            numbers |= told
            for name in ("a", "b", "secret"):
                hub.publish(f"t.{name}", f"{name} {ref}")
            await settled()
            secret = [f"secret {ref}"] if token == "boss" or not per_topic else []
            assert [body for _, _, _, body, *_ in link.heard(1)] == [f"a {ref}", f"b {ref}", *secret]
            assert all(number in numbers.values() for _, number, *_ in link.heard(1))

    asyncio.run(test())


def test_a_step_of_the_clock_is_looked_at_once(monkeypatch, ahead):
    async def test() -> None:
        hub = Hub(authenticate=lambda token: True, beat=0.01, ping=60)
        _, link = await joined(hub, Grant(expires=time.time() + 50))
        looked = Counter[float]()
        due = Session.due

        def counted(one: Session, what: int) -> None:
            looked[ahead[0]] += what == session.EXPIRY_DUE
            due(one, what)

        monkeypatch.setattr(Session, "due", counted)
        for step in (10.0, 20.0, 0.0, 100.0):
            ahead[0] = step
            await asyncio.sleep(0.3)
        assert looked == {10.0: 1, 20.0: 1, 0.0: 1, 100.0: 1}
        assert link.code == 3005

    asyncio.run(test())


def test_threads_reach_a_loop_after_one_that_was_closed_with_messages_waiting():
    hub, heard = Hub(), list[Any]()
    hub.listen("t", lambda topic, obj: heard.append(obj))

    def publish(obj: str) -> None:
        thread = threading.Thread(target=hub.publish, args=("t", obj))
        thread.start()
        thread.join()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(hub.start())
    publish("left to the loop")
    loop.close()

    async def test() -> None:
        await hub.start()
        await asyncio.to_thread(publish, "in the next one")
        async with asyncio.timeout(30):
            while len(heard) < 2:
                await asyncio.sleep(0.01)

    asyncio.run(test())
    assert heard == ["left to the loop", "in the next one"]


def test_seats_are_counted_in_all_and_by_address():
    """Against counts of one's own, for a random life."""
    rng = random.Random(5)
    seats, own = Seats(Limits(connections=8, per_address=3)), Counter[str | None]()
    for _ in range(5000):
        address = rng.choice(["a", "b", "c", "d", None])
        if rng.random() < 0.5 and own[address]:
            seats.leave(address)
            own[address] -= 1
        else:
            expected = 503 if own.total() >= 8 else 429 if address is not None and own[address] >= 3 else 0
            assert seats.take(address) == expected
            own[address] += not expected
        assert seats.taken == own.total()
    for address in list(own.elements()):
        seats.leave(address)
    assert (seats.taken, seats._by_address) == (0, {})


def test_a_name_is_covered_where_all_its_topics_are():
    """Against every topic of up to four words out of three."""
    topics = [".".join(words) for n in range(1, 5) for words in itertools.product("abc", repeat=n)]
    names = [".".join(words) for n in range(1, 4) for words in itertools.product(["a", "b", "*"], repeat=n)]
    names += [">", *(f"{name}.>" for name in names if name.count(".") < 2)]
    meant = {name: {topic for topic in topics if matches(name, topic)} for name in names}
    for allowed, name in itertools.product(names, repeat=2):
        assert covers(allowed, name) is (meant[name] <= meant[allowed]), (allowed, name)


def test_answers_of_authorize_are_remembered_within_a_bound(monkeypatch):
    monkeypatch.setattr(security, "_REMEMBERED", 10)
    asked = Counter[str]()

    def authorize(grant: Grant, topic: str) -> bool:
        asked[topic] += 1
        return topic != "t3"

    rights = Rights(Grant(), authorize)
    for _ in range(3):
        assert [rights(f"t{n}") for n in range(10)] == [n != 3 for n in range(10)]
    assert set(asked.values()) == {1}
    for n in range(1000):
        rights(f"other {n}")
        assert len(rights._answers) <= 10


def test_a_client_that_was_slow_before_its_welcome_is_held_back():
    async def test() -> None:
        hub = Hub(policy="conflate")
        await hub.start()
        link = Link()
        client = Session(hub.clients, link, None)
        hub.clients.add(client)
        client.pause()
        client.open(Grant(), Subscribe(0, ["t"]))
        await settled()
        assert hub.stats().blocked == 1
        for n in range(5):
            hub.publish("t", n, key="k")
        await settled()
        assert link.heard(1) == []
        client.resume()
        await settled()
        assert [message[3] for message in link.heard(1)] == [4]

    asyncio.run(test())


def test_positions_in_parts_are_applied_in_order():
    """What was said last of a topic counts."""

    async def test() -> None:
        hub = Hub()
        for n in range(5):
            hub.publish("t", n)
        client, link = await joined(hub)
        for offset in (1, 4, 2):
            say(client, 10, 1, [hub.epoch, {"t": offset}])
        say(client, 3, 1, ["t"], {"since": [hub.epoch, {}]})
        await settled()
        assert [message[3] for message in link.heard(1)] == [2, 3, 4]

    asyncio.run(test())


def test_an_answer_for_many_is_forgotten_with_the_next_beat():
    async def test() -> None:
        hub = Hub(beat=0.05)  # longer than a tick of the coarsest clock
        for n in range(100):
            hub.publish(f"t.{n}", n)
        client, link = await joined(hub, topics=Subscribe(0, ["t.*"]))
        assert len(link.heard(3)[0][2]) == 100
        assert hub.clients.answers._packed
        async with asyncio.timeout(30):
            while hub.clients.answers._packed:
                await asyncio.sleep(0.01)
        assert not client.closed

    asyncio.run(test())


def test_a_failing_link_ends_only_its_own_client():
    async def test() -> None:
        hub = Hub()
        broken, first = await joined(hub, topics=Subscribe(0, ["t"]))
        _, second = await joined(hub, topics=Subscribe(0, ["t"]))

        def fail(data: bytes) -> None:
            raise OSError("the link is broken")

        broken.write = fail
        hub.publish("t", 1)
        await settled()
        assert broken.closed
        assert [message[3] for message in second.heard(1)] == [1]
        hub.publish("t", 2)
        await settled()
        assert [message[3] for message in second.heard(1)] == [1, 2]
        assert (len(hub), first.heard(1)) == (1, [])

    asyncio.run(test())


class SlowBackplane:
    """Starts when it is let; what is published before is an error."""

    def __init__(self) -> None:
        self.may_start = asyncio.Event()
        self.sink: Any = None
        self.published: list[str] = []

    async def start(self, sink: Any) -> None:
        await self.may_start.wait()
        sink.renew("e", 0, [])
        self.sink = sink

    def publish(self, topic: str, body: bytes, key: Any = None) -> None:
        assert self.sink is not None
        self.published.append(topic)

    def state(self) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


def test_messages_published_while_the_backplane_starts_are_sent_later():
    async def test() -> None:
        backplane = SlowBackplane()
        hub = Hub(backplane=backplane)
        hub.publish("before", 1)
        starting = asyncio.ensure_future(hub.start())
        await settled()
        hub.publish("during", 1)
        await asyncio.to_thread(hub.publish, "during, from a thread", 1)
        await settled()
        assert (backplane.published, hub.unsent()) == ([], 3)
        backplane.may_start.set()
        await starting
        await settled()
        hub.publish("after", 1)
        assert backplane.published == ["before", "during", "during, from a thread", "after"]
        assert hub.unsent() == 0

    asyncio.run(test())
