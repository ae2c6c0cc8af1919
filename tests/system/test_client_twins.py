"""The two clients keep to the same rules: one script of a server, told to both, gives the same messages and notices."""

from __future__ import annotations

import base64
import random
from typing import Any

import msgpack

from fastcore.streaming.client.events import Message
from fastcore.streaming.client.session import Session

TOPICS = ["a", "b.x", "b.y", "c.d.e"]
NAMES = [*TOPICS, "b.*", "c.>", ">"]

IN_THE_PAGE = """async ([topics, newest, script]) => {
  const { Session } = await import("/static/session.js");
  const drawn = [0.25, 0.5, 0.75];
  let draws = 0;
  const session = new Session({ topics, newest, random: () => drawn[draws++ % 3] });
  const text = (bytes) => btoa(String.fromCharCode(...bytes));
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const told = [];
  for (const [what, ...rest] of script) {
    let said;
    if (what === "open") said = session.opened(...rest).map(text);
    else if (what === "subscribe") said = text(session.subscribe(...rest)[1]);
    else if (what === "unsubscribe") said = text(session.unsubscribe(...rest)[1]);
    else if (what === "token") said = text(session.renewToken(...rest));
    else if (what === "close") said = session.closed(...rest);
    else {
      try {
        said = [...session.received(bytes(rest[0]), rest[1])].filter((event) => event.type !== "answer");
        said.push(session.out.splice(0).map(text));
      } catch (error) {
        said = "refused";
      }
    }
    const positions = Object.fromEntries(session.positions);
    const deadline = Number.isFinite(session.deadline) ? session.deadline : null;
    told.push([said, positions, deadline, session.expires, session.epoch, [...session.wanted.keys()]]);
  }
  return told;
}"""


def in_python(topics: list[str], newest: bool, script: list[list[Any]]) -> list[Any]:
    drawn = [0.25, 0.5, 0.75]
    draws = iter(range(10**6))
    session = Session(topics, newest=newest, rng=lambda: drawn[next(draws) % 3])
    told = []
    for what, *rest in script:
        said: Any
        if what == "open":
            said = [text(message) for message in session.opened(*rest)]
        elif what == "subscribe":
            said = text(session.subscribe(*rest)[1])
        elif what == "unsubscribe":
            said = text(session.unsubscribe(*rest)[1])
        elif what == "token":
            said = text(session.renew_token(*rest))
        elif what == "close":
            said = event(session.closed(*rest))
        else:
            try:
                said = [event(one) for one in session.received(base64.b64decode(rest[0]), rest[1])]
                said.append([text(message) for message in session.out])
                session.out.clear()
            except ValueError:
                said = "refused"
        deadline = session.deadline if session.deadline != float("inf") else None
        told.append([said, session.positions, deadline, session.expires, session.epoch, session.topics])
    return told


def event(one: Any) -> dict[str, Any]:
    return {"type": type(one).__name__.lower(), **one._asdict()}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Script:
    """What a server might say, mostly in order."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = 0.0
        self.ref = 0
        self.epoch = "e1"
        self.steps: list[list[Any]] = []

    def receive(self, *values: Any) -> None:
        self.steps.append(["receive", text(b"".join(msgpack.packb(value) for value in values)), self.now])

    def step(self) -> None:
        rng = self.rng
        self.now += rng.choice([0.0, 0.5, 3.0, 25.0])
        topic = rng.randrange(len(TOPICS))
        match rng.randrange(14):
            case 0:
                self.steps.append(["close", rng.choice([1006, 1000, 3001, 3008, 3500, 4100, 1012]), "why", self.now])
                if rng.random() < 0.3:
                    self.epoch = f"e{rng.randrange(3)}"
                self.steps.append(["open", self.now, rng.choice([None, "token"])])
                self.ref = 0
            case 1:
                times = {"ping": rng.choice([15.0, 2, 0]), "pong": 8.0, "ttl": rng.choice([None, 60, 3.5])}
                self.receive([0, {"v": 1, "epoch": self.epoch, "session": "s", **times}])
            case 2 | 3:
                entries = [
                    [name, i + 1, rng.choice([0, 5, 20]), rng.choice([0, 0, 1, 2])]
                    for i, name in enumerate(TOPICS)
                    if rng.random() < 0.6
                ]
                self.receive([3, rng.choice([0, self.ref, self.ref + 1]), entries])
            case 4 | 5 | 6 | 7:
                self.receive(*([1, topic + 1, rng.randrange(1, 40), n, rng.choice(["k", None])] for n in range(3)))
            case 8:
                self.receive([6])
            case 9:
                self.receive([7, rng.choice([0, 1.5, 5000])], [2, topic + 1, TOPICS[topic]], [99, "later"])
            case 10:
                self.ref += 1
                self.steps.append(["subscribe", rng.sample(NAMES, 2), rng.random() < 0.5])
            case 11:
                self.ref += 1
                self.steps.append(["unsubscribe", rng.sample(NAMES, 2)])
            case 12:
                self.receive([5, rng.choice([0, self.ref]), 103, "no"], [4, self.ref], [8, self.ref, 30])
            case _:
                wrong = [[9, rng.choice([self.epoch, "e9"])], [1, 1], {"a": 1}, [2, -1, "x"], [0, None], [7, "x"]]
                self.receive(rng.choice(wrong))


def test_the_same_script_gives_the_same_messages_and_notices(modules):
    kinds = set()
    for seed in range(150):
        rng = random.Random(seed)
        topics, newest = rng.sample(NAMES, rng.randrange(4)), rng.random() < 0.5
        script = Script(rng)
        script.steps.append(["open", 0.0, None])
        for _ in range(40):
            script.step()
        python = in_python(topics, newest, script.steps)
        page = modules.evaluate(IN_THE_PAGE, [topics, newest, script.steps])
        for step, ours, theirs in zip(script.steps, python, page):
            assert theirs == ours, (seed, step)
        kinds |= {one["type"] for said, *_ in python if isinstance(said, list) for one in said if isinstance(one, dict)}
    assert kinds == {"message", "connected", "subscribed", "gap", "refusal"}
    assert Message.__name__ == "Message"
