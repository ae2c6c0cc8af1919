"""A service with two Switches on a ramp, whose candidate can be broken from outside; `cluster` runs workers of it.

``DESK_FAULT`` names a file with what ails the candidate: nothing, ``wrong``, ``slow`` or ``raising``. To the file
``DESK_LOG`` every worker appends each change of a flag, and what they are when it starts.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from typing import Any

from fastcore import Guard, Switch, assignment_key, flags
from fastcore.monitor import AlertManager, WebhookChannel
from fastcore.rollout import AdminApp, AssignmentMiddleware, alert_rollbacks

TOKEN = "a-token-for-tests-only"
FAULT = os.environ["DESK_FAULT"]
LOG = os.open(os.environ["DESK_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def ailment() -> str:
    with open(FAULT, encoding="ascii") as file:
        return file.read()


def price(key: str, rounds: int) -> int:
    for _ in range(rounds):
        found = zlib.crc32(key.encode())
    return found


def control(key: str) -> int:
    ailment()  # takes as long as it does in the candidate
    return price(key, 300)


def candidate(key: str) -> int:
    found = ailment()
    if found == "raising":
        raise RuntimeError("the candidate is broken")
    if found == "slow":
        time.sleep(0.01)
    return price(key, 100) + (found == "wrong")


LIMITS = {"error_rate": 0.0, "mismatch_rate": 0.0, "workers": 4}
SWITCHES = {
    "loose": Switch("loose", control, candidate, guard=Guard(verify=20, live=5, **LIMITS)),  # type: ignore[arg-type]
    "strict": Switch("strict", control, candidate, guard=Guard(verify="all", **LIMITS)),  # type: ignore[arg-type]
}
admin = AdminApp(TOKEN)


def note(name: str) -> None:
    flag = flags.get(name)
    line = {"pid": os.getpid(), "at": time.time(), **flag._asdict(), "flag": name, "since": str(flag.since)}
    os.write(LOG, json.dumps(line).encode() + b"\n")


flags.subscribe(lambda change: note(change.new.name))
if "DESK_WEBHOOK" in os.environ:
    manager = AlertManager(rules=(), channels=[WebhookChannel(os.environ["DESK_WEBHOOK"])])
    alert_rollbacks(manager)


async def desk(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        for name, switch in SWITCHES.items():
            switch("first")  # from the first call on the journal is followed
            note(name)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"].startswith("/admin/"):
        await admin({**scope, "root_path": "/admin"}, receive, send)
        return
    key = str(assignment_key.get())
    body = json.dumps({"pid": os.getpid(), **{name: switch(key) for name, switch in SWITCHES.items()}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = AssignmentMiddleware(desk)
