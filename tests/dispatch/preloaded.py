"""A WSGI application that gunicorn loads before it forks its workers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from fastcore import Guard, Switch, flags


def candidate(key: str) -> str:
    if os.path.exists(os.environ["DESK_FAULT"]):
        raise RuntimeError("the candidate is broken")
    return "answer"


desk: Switch[..., str] = Switch(
    "desk", lambda key: "answer", candidate, guard=Guard(verify=0, live=0, slowdown=1e6, run_length=10**9)
)
if os.environ.get("DESK_CALLS_BEFORE"):
    desk("before the fork")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    answer = desk(environ["QUERY_STRING"])
    flag = flags.get("desk")
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("fastcore")]
    body = {"pid": os.getpid(), "answer": answer, "mode": flag.mode, "source": flag.source, "threads": threads}
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(body).encode()]
