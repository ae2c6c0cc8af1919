"""The client of a page, in Node with a WebSocket that a test controls: what its token source may do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import fastcore.streaming

CLIENT = Path(fastcore.streaming.__file__).with_name("static") / "client.js"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(NODE is None, reason="needs Node"),
]

SCRIPT = """
import { writeFileSync } from "node:fs";
import { Client, decode, encode } from "./client.mjs";

const sent = [], told = [];
class Socket extends EventTarget {
  constructor() {
    super();
    this.readyState = 0;
    setTimeout(() => { this.readyState = 1; this.dispatchEvent(new Event("open")); this.welcome(); }, 1);
  }
  welcome() { this.say([0, { v: 1, epoch: "e", ping: 15, pong: 8, ttl: TTL, session: "s" }]); }
  say(message) {
    const event = new Event("message");
    event.data = encode(message).slice().buffer;
    this.dispatchEvent(event);
  }
  send(data) { sent.push(decode(data)); }
  close() { this.readyState = 3; }
}

const asked = [];
const answers = ANSWERS;
const token = async () => {
  const answer = answers[Math.min(asked.length, answers.length - 1)];
  asked.push(1);
  if (answer instanceof Error) throw answer;
  return answer;
};
const client = new Client("ws://localhost/stream", {
  topics: ["x"], token, backoff: [0.001, 0.002], WebSocket: Socket, random: () => 0,
});
globalThis.reportError = (error) => told.push(String(error.message));
client.on("disconnected", (event) => told.push(event.reason));
client.start();
const until = Date.now() + 20000;
while (Date.now() < until && !(DONE)) await new Promise((resolve) => setTimeout(resolve, 5));
client.close();
process.stdout.write(JSON.stringify({ sent, told, asked: asked.length }));
process.exit(0);
"""


def run(tmp_path: Path, answers: str, done: str, ttl: str = "null") -> dict[str, list[object]]:
    for name in ("client", "session", "msgpack"):
        text = CLIENT.with_name(f"{name}.js").read_text(encoding="utf-8")
        (tmp_path / f"{name}.mjs").write_text(text.replace('.js"', '.mjs"'), encoding="utf-8")
    script = SCRIPT.replace("ANSWERS", answers).replace("DONE", done).replace("TTL", ttl)
    (tmp_path / "script.mjs").write_text(script, encoding="utf-8")
    assert NODE is not None
    ran = subprocess.run([NODE, str(tmp_path / "script.mjs")], capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, list[object]] = json.loads(ran.stdout)
    return found


def test_a_token_source_that_fails_is_asked_again(tmp_path: Path) -> None:
    found = run(tmp_path, '[new Error("no network"), 7, "good"]', "sent.length")
    assert found["told"][:2] == ["token: no network", "token: expected a string, got number"]
    assert found["sent"][0] == [0, {"token": "good", "topics": ["x"], "newest": False}]


def test_a_token_source_without_a_token_renews_none(tmp_path: Path) -> None:
    found = run(tmp_path, '["good", null, new Error("no network"), "better"]', "sent.length > 1", ttl="0.01")
    assert found["told"][:1] == ["no network"]
    assert [message[0] for message in found["sent"]] == [0, 8]  # type: ignore[index]
    assert found["sent"][1][2] == "better"  # type: ignore[index]
