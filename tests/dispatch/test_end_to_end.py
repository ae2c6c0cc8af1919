"""Four workers under load, and a candidate that turns bad: real processes, sockets and a webhook."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fastcore.dispatch.assignment import belongs
from fastcore.dispatch.modes import Mode
from tests.dispatch.cluster import SWITCHES, Cluster, Load, flip, until

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(os.name != "posix", reason="workers that share a listening socket"),
]


class Receiver:
    """What a webhook's owner runs; `bodies` are the alerts."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def cluster(tmp_path: Path, receiver: Receiver) -> Iterator[Cluster]:
    made = Cluster(tmp_path, webhook=receiver.url)
    try:
        yield made
    finally:
        said = made.stop()
        print(said)  # shown where the test fails


def test_a_bad_candidate_is_rolled_back_in_every_worker_without_an_error_for_callers(
    cluster: Cluster, receiver: Receiver
) -> None:
    asyncio.run(break_it(cluster, receiver))


async def break_it(cluster: Cluster, receiver: Receiver) -> None:
    await cluster.ready()
    for name in SWITCHES:
        await cluster.admin("POST", f"/flags/{name}/ramp", {"percent": 50, "reason": "half of the keys"})
    ramping = Mode("ramp", 50.0).threshold
    async with Load(cluster.port) as load:
        for fault, said in (
            ("wrong", "answers differ"), ("slow", "slower"), ("raising", "RuntimeError: the candidate is broken")
        ):  # fmt: skip
            for name in SWITCHES:
                await cluster.all_say(name, "ramp:50", "everywhere")
            await load.more(100)
            assert load.wrong == []
            cluster.ail(fault)
            for name in SWITCHES:
                await cluster.all_say(name, "control", "guard")
            await load.asked_since()
            seen = len(load.wrong)
            if fault == "wrong":
                assert {name for name, _ in load.wrong} <= {"loose"}  # the other serves verified answers only
                assert all(belongs("loose", ramping, key) for _, key in load.wrong)
                assert seen < load.requests / 4
            await load.more(100)
            assert len(load.wrong) == seen * (fault == "wrong")
            for name in SWITCHES:
                told = await cluster.admin("GET", f"/journal?flag={name}")
                last = [entry for entry in told if entry["what"] == "rollback"][-1]  # probes may come after it
                assert (last["who"], last["scope"]) == ("guard", "host")
                assert last["why"].startswith("rolled back: ")
                assert said in last["why"]
                await until(lambda why=last["why"]: any(why in body["summary"] for body in receiver.bodies))
                await cluster.all_give(name, last["why"])
            if fault != "raising":
                load.wrong.clear()
                cluster.ail("")
                for name in SWITCHES:
                    await cluster.admin("POST", f"/flags/{name}/resume")
        assert load.errors == []
        assert load.requests > 600
    await killed_and_restarted(cluster)


async def killed_and_restarted(cluster: Cluster) -> None:
    """A worker that starts again stays on the control, though the candidate is well by then."""
    cluster.ail("")
    before = set(cluster.states("loose"))
    os.kill(min(before), signal.SIGKILL)
    await until(lambda: len(set(cluster.states("loose")) - before) == 1)
    (fresh,) = set(cluster.states("loose")) - before
    for name in SWITCHES:
        await until(lambda name=name: fresh in cluster.states(name))
        assert {cluster.states(name)[fresh]} == {("control", "guard")}
    async with Load(cluster.port, connections=16) as load:
        await until(lambda: fresh in load.pids)
        await load.more(100)
    assert (load.errors, load.wrong) == ([], [])
    for name in SWITCHES:
        assert set(cluster.states(name).values()) == {("control", "guard")}


def test_flips_under_load_lose_no_request(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.ready()
        async with Load(cluster.port) as load:
            flips = await flip(cluster, seconds=3.0)
            await load.more(50)
        assert flips >= 5
        assert (load.errors, load.wrong) == ([], [])
        assert len(load.pids) > 1

    asyncio.run(main())
