"""client.js in a real browser: it receives, survives cuts and restarts, and resumes."""

from __future__ import annotations

import base64
import datetime
import random
from typing import Any

import msgpack
import pytest

from tests.streaming.chaos import Desk, Proxy

LISTEN = """async (options) => {
  window.got = []; window.told = [];
  window.client = new window.Client("/stream", options);
  window.client.on("message", (m) => window.got.push([m.topic, m.data.n, m.data.life, m.offset, m.key]));
  window.client.on("notice", (n) => window.told.push(n));
  window.client.on("end", (error) => { window.over = error ? `${error.name} ${error.code}` : "ended"; });
  window.client.start();
}"""


class Stage:
    """A server process, a proxy before it, and a page that listens."""

    def __init__(self, aside: Any, page: Any) -> None:
        self.aside = aside
        self.page = page

    def open(self, *arguments: str, to_be_killed: bool = False) -> None:
        self.desk = self.aside.enter((Desk.run if to_be_killed else Desk.in_process)(*arguments))
        self.proxy = self.aside.enter(Proxy(self.desk.port))
        self.page.goto(f"http://127.0.0.1:{self.proxy.port}/")
        self.page.wait_for_function("window.ready")

    def restart(self, *arguments: str) -> None:
        self.desk.kill()
        self.desk = self.aside.enter(Desk.run(*arguments))
        self.proxy.targets = (self.desk.port,)

    def cut(self) -> int:
        return int(self.aside.soon(self.proxy.cut))

    def listen(self, **options: Any) -> None:
        self.page.evaluate(LISTEN, {"topics": ["count.*"], "backoff": [0.05, 0.3], **options})

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def counted(self) -> dict[tuple[str, str], list[int]]:
        """By topic and life of the server: what came."""
        found: dict[tuple[str, str], list[int]] = {}
        for topic, n, life, *_ in self.page.evaluate("window.got"):
            found.setdefault((topic, life), []).append(n)
        return found

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [notice for notice in self.page.evaluate("window.told") if notice["type"] == kind]

    def say(self, *messages: list[Any]) -> None:
        self.aside.call(self.desk.request("POST", "/say", json={"messages": messages}))


@pytest.fixture
def stage(aside, page, watched_errors):
    # The browser itself reports every link that breaks.
    watched_errors += ["WebSocket connection to", "net::ERR_"]
    return Stage(aside, page)


def test_it_receives_and_resumes_over_cuts_without_gap_or_duplicate(stage):
    stage.open("--rate", "100")
    stage.listen()
    for i in range(1, 8):
        stage.until(f"window.got.length >= {i * 60}")
        stage.cut()
        stage.until(f"window.client.stats.connections > {i} && window.client.stats.connected")
    stage.until("window.got.length >= 600")
    counted = stage.counted()
    assert {topic for topic, _ in counted} == {"count.t0", "count.t1", "count.t2"}
    for numbers in counted.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not stage.told("gap")
    assert all(notice["recovered"] for notice in stage.told("subscribed")[3:])
    assert {row[4] for row in stage.page.evaluate("window.got")} == {"k"}


def test_it_survives_a_restart_and_is_notified(stage):
    stage.open(to_be_killed=True)
    stage.listen(newest=True)
    stage.until("window.got.length >= 30")
    first = stage.told("connected")[0]["epoch"]
    stage.restart("--rate", "0")
    stage.until("window.told.some((n) => n.type === 'connected' && n.restarted)")
    stage.say(["count.t0", {"n": 1, "life": "second"}, "k"])
    stage.until("window.got.some((m) => m[2] === 'second')")
    assert stage.told("connected")[-1]["epoch"] != first
    assert stage.page.evaluate("window.client.epoch") == stage.told("connected")[-1]["epoch"]


def test_a_client_that_missed_a_restart_gets_the_newest_of_each_key(stage):
    stage.open("--rate", "0", to_be_killed=True)
    stage.say(["news.a", {"n": 1, "life": "one"}, "x"])
    stage.listen(topics=["news.a"])
    stage.until("window.told.some((n) => n.type === 'subscribed')")
    stage.say(["news.a", {"n": 2, "life": "one"}, "x"])
    stage.until("window.got.length === 1")
    stage.desk.kill()
    stage.desk = stage.aside.enter(Desk.run("--rate", "0"))
    for n in range(3, 6):
        stage.say(["news.a", {"n": n, "life": "two"}, "x"], ["news.a", {"n": n + 10, "life": "two"}, "y"])
    stage.proxy.targets = (stage.desk.port,)
    stage.until("window.got.length === 3")
    assert [row[:3] for row in stage.page.evaluate("window.got")] == [
        ["news.a", 2, "one"],
        ["news.a", 5, "two"],
        ["news.a", 15, "two"],
    ]
    assert [gap["topic"] for gap in stage.told("gap")] == ["news.a"]


def test_messages_beyond_history_are_announced_by_a_gap(stage):
    stage.open("--rate", "0", "--history", "5")
    stage.say(["count.t0", {"n": 1, "life": "x"}, "k"])
    stage.listen(topics=["count.t0"], backoff=[1, 1])
    stage.until("window.told.some((n) => n.type === 'subscribed')")
    stage.say(["count.t0", {"n": 2, "life": "x"}, "k"])
    stage.until("window.got.length === 1")
    stage.cut()
    stage.until("window.told.at(-1).type === 'disconnected'")
    stage.say(*(["count.t0", {"n": n, "life": "x"}, "k"] for n in range(3, 23)))
    stage.until("window.got.length >= 2")
    assert [(gap["topic"], gap["offset"]) for gap in stage.told("gap")] == [("count.t0", 2)]
    assert [row[1] for row in stage.page.evaluate("window.got")] == [2, 22]


def test_a_broken_network_is_detected(stage):
    stage.open("--ping", "0.5", "--pong", "0.5", "--rate", "20")
    stage.listen()
    stage.until("window.got.length >= 10")
    stage.aside.soon(stage.proxy.stall)
    stage.until("window.told.some((n) => n.type === 'disconnected' && n.reason.includes('nothing came'))")
    stage.aside.soon(stage.proxy.resume)
    n = len(stage.page.evaluate("window.got"))
    stage.until(f"window.got.length >= {n + 30}")
    for numbers in stage.counted().values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_it_disconnects_at_a_drain_and_reconnects_after_the_delay(stage):
    stage.open()
    stage.listen()
    stage.until("window.got.length >= 10")
    old = stage.desk
    stage.desk = stage.aside.enter(Desk.in_process())
    stage.proxy.targets = (stage.desk.port,)
    stage.aside.call(old.request("POST", "/drain?spread=0.3"))
    stage.until("window.told.some((n) => n.type === 'connected' && n.restarted)")
    (gone,) = stage.told("disconnected")
    assert gone["code"] == 3001
    assert 0 <= gone["delay"] <= 0.3


def test_tokens_are_given_and_renewed_and_a_refusal_is_final(stage):
    stage.open("--token", "good", "--ttl", "3")
    stage.page.evaluate("window.asked = 0")
    stage.page.evaluate(
        LISTEN.replace('"/stream", options', '"/stream", {...options, token: async () => `good ${++window.asked}`}'),
        {"topics": ["count.t0"]},
    )
    stage.until("window.asked >= 3")
    assert stage.page.evaluate("window.client.stats.connections") == 1
    assert not stage.told("disconnected")
    stage.page.evaluate("window.client.close()")
    assert stage.page.evaluate("window.over") == "ended"
    stage.listen(token="bad")
    stage.until("window.over === 'StreamClosed 3500'")
    assert stage.told("disconnected")[-1]["delay"] is None


def test_iteration_and_requests(stage):
    stage.open("--rate", "0")
    stage.say(["a.b", 1])
    got = stage.page.evaluate(
        """async () => {
          const client = new window.Client("/stream?topics=a.b", { newest: true }).start();
          const told = [];
          for await (const message of client) {
            told.push([message.topic, message.data]);
            if (message.data === 1) {
              await client.subscribe("c.*", { newest: true });
              await fetch("/say", { method: "POST", body: JSON.stringify({ messages: [["c.d", 2]] }) });
            } else if (message.data === 2) {
              try { await client.subscribe("a..b"); } catch (error) { told.push([error.name, error.code]); }
              await client.unsubscribe("a.b");
              await fetch("/say", { method: "POST", body: JSON.stringify({ messages: [["a.b", 3], ["c.d", 4]] }) });
            } else client.close();
          }
          return [told, client.topics];
        }"""
    )
    assert got == [[["a.b", 1], ["c.d", 2], ["Refused", 101], ["c.d", 4]], ["c.*"]]


@pytest.mark.parametrize("on_full", ["conflate", "pause"])
def test_a_reader_that_falls_behind_is_bounded(stage, on_full):
    stage.open("--topics", "4", "--rate", "200")
    stage.page.evaluate(
        """(onFull) => {
          const options = { topics: ["count.*"], buffer: 20, onFull, backoff: [0.05, 0.1] };
          window.client = new window.Client("/stream", options);
          window.most = 0; window.read = [];
          window.client.start();
          (async () => {
            for await (const m of window.client) {
              window.most = Math.max(window.most, window.client.held.size);
              window.read.push([m.topic, m.data.n]);
              if (window.read.length % 10 === 0) await new Promise((done) => setTimeout(done, 60));
            }
          })();
        }""",
        on_full,
    )
    stage.until("window.read.length >= 200")
    numbers: dict[str, list[int]] = {}
    for topic, n in stage.page.evaluate("window.read"):
        numbers.setdefault(topic, []).append(n)
    if on_full == "conflate":
        assert stage.page.evaluate("window.most") <= 20
        assert stage.page.evaluate("window.client.stats.conflated") > 0
        assert all(seen == sorted(set(seen)) for seen in numbers.values())
    else:
        assert stage.page.evaluate("window.client.stats.gaps") == 0
        for seen in numbers.values():
            assert seen == list(range(seen[0], seen[0] + len(seen))), "it left and resumed: nothing is missing"


# ---- the decoder ----


def decoded(page: Any, payload: bytes, limits: dict[str, int] | None = None) -> Any:
    return page.evaluate(
        """async ([text, limits]) => {
          const { decodeMulti, Ext } = await import("/static/client.js");
          const plain = (value) => {
            if (value instanceof Date) return { date: value.getTime() };
            if (value instanceof Uint8Array) return { bytes: [...value] };
            if (value instanceof Ext) return { ext: value.type, bytes: [...value.data] };
            if (typeof value === "bigint") return { big: String(value) };
            if (Array.isArray(value)) return value.map(plain);
            if (value === null || typeof value !== "object") return value;
            return { map: Object.entries(value).map(([key, item]) => [key, plain(item)]) };
          };
          try {
            return [...decodeMulti(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), limits ?? {})].map(plain);
          } catch (error) {
            return `${error.name}: ${error.message}`;
          }
        }""",
        [base64.b64encode(payload).decode(), limits],
    )


def plain(value: Any) -> Any:
    """As the page describes it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"big": str(value)}
    if isinstance(value, datetime.datetime):
        return {"date": int(value.timestamp() * 1000)}
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, msgpack.ExtType):
        return {"ext": value.code, "bytes": list(value.data)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {"map": [[key, plain(item)] for key, item in value.items()]}
    return value


def some(rng: random.Random, depth: int = 0) -> Any:
    kinds = 9 if depth < 4 else 7
    match rng.randrange(kinds):
        case 0:
            return rng.choice([None, True, False])
        case 1:
            return rng.choice([-1, 1]) * rng.randrange(2 ** rng.choice([3, 7, 8, 15, 16, 31, 32, 53, 63]))
        case 2:
            return rng.choice([0.5, -1e300, 1.25, 187.2])
        case 3:
            return rng.choice(["a", "é", "漢字", "🚀"]) * rng.choice([0, 1, 20, 31, 32, 70, 300])
        case 4:
            return rng.randbytes(rng.choice([0, 1, 255, 256]))
        case 5:
            return msgpack.ExtType(rng.randrange(100), rng.randbytes(rng.choice([1, 2, 3, 4, 8, 16, 17, 256])))
        case 6:
            return datetime.datetime.fromtimestamp(rng.choice([0, 1, 1e9, 2**33, -5, 1.5e9 + 0.25]), datetime.UTC)
        case 7:
            return [some(rng, depth + 1) for _ in range(rng.choice([0, 1, 5, 16, 40]))]
        case _:
            return {f"k{i}": some(rng, depth + 1) for i in range(rng.choice([0, 1, 5, 16]))}


LATE = """async (welcome) => {
  const { Client } = await import("/static/client.js");
  const bytes = Uint8Array.from(atob(welcome), (c) => c.charCodeAt(0)).buffer;
  const sent = [], heard = {};
  class Link {
    constructor() { this.readyState = 0; link = this; }
    addEventListener(type, listener) { heard[type] = listener; }
    send(message) { sent.push([...message]); }
    close() {}
  }
  let link = null;
  const client = new Client("ws://127.0.0.1:1/", { topics: ["x"], WebSocket: Link }).start();
  await Promise.resolve();
  link.readyState = 1;
  heard.open({});
  const before = sent.length;
  client.subscribe("late");
  client.unsubscribe("x");
  heard.message({ data: bytes });
  client.close();
  return [before, sent];
}"""


def test_requests_before_the_welcome_are_sent_after_it(modules):
    welcome = msgpack.packb([0, {"v": 1, "epoch": "e1", "ping": 15.0, "pong": 8.0, "ttl": None, "session": "s"}])
    before, sent = modules.evaluate(LATE, base64.b64encode(welcome).decode())
    assert before == 1
    assert [msgpack.unpackb(bytes(message)) for message in sent[1:]] == [
        [3, 1, ["late"], {"newest": False}],
        [4, 2, ["x"]],
    ]


def test_it_decodes_what_msgpack_packs(modules):
    rng = random.Random(11)
    for _ in range(60):
        values = [some(rng) for _ in range(3)]
        payload = b"".join(msgpack.packb(value, datetime=True) for value in values)
        assert decoded(modules, payload) == [plain(value) for value in values]


def test_the_largest_forms_and_special_keys(modules):
    value = {"__proto__": 1, "constructor": [2**53 - 1, 2**53, -(2**63), 2**64 - 1], "x": "y" * 70_000}
    assert decoded(modules, msgpack.packb(value)) == [plain(value)]
    assert decoded(modules, b"\xdd\x00\x00\x00\x01\xc0\xdf\x00\x00\x00\x01\xa1a\x05") == [[None], {"map": [["a", 5]]}]
    assert decoded(modules, msgpack.packb({1: 2, -3: 4})) == [{"map": [["1", 2], ["-3", 4]]}]


@pytest.mark.parametrize(
    ("payload", "limits", "said"),
    [
        (b"\x91" * 65 + b"\xc0", None, "levels"),
        (b"\x91" * 64 + b"\xc0", {"depth": 63}, "levels"),
        (b"\xdd\xff\xff\xff\xff", None, "elements"),
        (b"\xdf\x7f\xff\xff\xff", None, "elements"),
        (b"\x92\xdc\x00\x04" + b"\xc0" * 4, None, "elements"),
        (b"\xdc\x00\x10" + b"\x90" * 16, {"elements": 15}, "elements"),
        (b"\xdb\xff\xff\xff\xff", None, "bytes"),
        (b"\xc6\xff\xff\xff\xff", None, "bytes"),
        (b"\xc9\xff\xff\xff\xff\x01", None, "bytes"),
        (b"\xc1", None, "0xc1"),
        (b"\x92\x01", None, "elements"),
        (b"\xa1\xff", None, "UTF-8"),
        (b"\xd9\x50" + b"\xed\xa0\x80" * 26 + b"aa", None, "UTF-8"),
        (b"\x81\x90\x01", None, "plain key"),
        (b"\xc7\x03\xff\x00\x00\x00", None, "time"),
        (b"\xd7\xff" + b"\xff" * 8, None, "nanoseconds"),
        (b"\xc0" * 11, {"size": 10}, "at most 10 bytes"),
        (b"\xcf\x00", None, "bytes"),
    ],
)
def test_invalid_and_oversized_input_is_refused(modules, payload, limits, said):
    answer = decoded(modules, payload, limits)
    assert isinstance(answer, str), answer
    assert answer.startswith("DecodeError: msgpack: expected")
    assert said in answer


def test_random_bytes_raise_only_the_expected_errors(modules):
    rng = random.Random(3)
    answers = []
    for _ in range(400):
        whole = bytearray(msgpack.packb(some(rng), datetime=True))
        for _ in range(rng.randrange(1, 4)):
            whole[rng.randrange(len(whole))] = rng.randrange(256)
        answers.append(decoded(modules, bytes(whole[: rng.randrange(len(whole) + 1)])))
    wrong = [a for a in answers if isinstance(a, str)]
    assert 50 < len(wrong) < 400
    assert {a.split(":")[0] for a in wrong} == {"DecodeError"}
