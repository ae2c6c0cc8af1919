"""Workers forked off an application that was loaded before, with clients on each of them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastcore.streaming import Connected, Gap
from tests.streaming.chaos import ROOT
from tests.streaming.client.test_client import Listener, listening, run

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked"),
]

GUNICORN = importlib.util.find_spec("gunicorn") is not None


class Workers:
    """What answers at the port."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def who(self, enough: Any) -> dict[int, dict[str, Any]]:
        """Ask until `enough` of what each worker says of itself."""
        found: dict[int, dict[str, Any]] = {}
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False, timeout=60) as http:
            while not enough(found):
                with contextlib.suppress(httpx.TransportError):
                    told = (await http.get(f"http://127.0.0.1:{self.port}/who")).json()
                    found[told["pid"]] = told
                found = {pid: told for pid, told in found.items() if _lives(pid)}
                await asyncio.sleep(0.01)
        return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.asynccontextmanager
async def workers(how: str, bus: str) -> AsyncIterator[Workers]:
    environment = {**os.environ, "PRELOADED_BUS": bus}
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        if how == "gunicorn":
            arguments = ["gunicorn", "tests.streaming.preloaded:app", "--preload", "--workers", "2"]
            arguments += ["--worker-class", "tests.streaming.preloaded.Worker", "--bind", f"fd://{fd}"]
            arguments += ["--log-level", "error", "--no-control-socket"]
        else:
            arguments = ["tests.streaming.preloaded"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", *arguments),
            cwd=ROOT,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(fd,),
            start_new_session=True,
        )
    try:
        if how != "gunicorn":
            assert process.stdout is not None
            port = int(await asyncio.wait_for(process.stdout.readline(), 60))
        yield Workers(port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


@pytest.mark.parametrize("how", ["fork", "gunicorn"])
def test_clients_on_every_worker_get_all_messages_and_survive_a_death(how: str, short_path: Path) -> None:
    if how == "gunicorn" and not GUNICORN:
        pytest.skip("gunicorn is not installed")

    async def heard(listeners: list[Listener], pids: list[int], more: int) -> None:
        async with asyncio.timeout(60):
            before = [{pid: len(one.counted()[f"count.{pid}", str(pid)]) for pid in pids} for one in listeners]
            while not all(
                len(one.counted()[f"count.{pid}", str(pid)]) >= n + more
                for one, known in zip(listeners, before)
                for pid, n in known.items()
            ):
                await asyncio.sleep(0.05)

    async def test() -> None:
        async with workers(how, str(short_path / "bus")) as made, contextlib.AsyncExitStack() as stack:
            await made.who(lambda found: len(found) == 2)
            listeners: list[Listener] = []
            both: dict[int, dict[str, Any]] = {}
            while len(both) < 2 or not all(told["clients"] for told in both.values()):  # the system deals them out
                listeners += await stack.enter_async_context(listening(made.port, ["count.*"], 4))
                for one in listeners[-4:]:
                    await one.client.connected(60)
                n = len(listeners)
                both = await made.who(
                    lambda found, n=n: len(found) == 2 and sum(told["clients"] for told in found.values()) == n
                )
            assert {told["path"] for told in both.values()} == {"direct"}
            assert len({told["epoch"] for told in both.values()}) == 1
            await heard(listeners, [*both], 20)
            host = next(pid for pid, told in both.items() if told["role"] == "host")
            os.kill(host, signal.SIGKILL)
            after = await made.who(lambda found: len(found) == 2 and host not in found)
            await heard(listeners, [*after], 20)
            for one in listeners:
                one.whole()
                assert not one.told(Gap)
                assert {notice.epoch for notice in one.told(Connected)} == {both[host]["epoch"]}
                assert {int(life) for _, life in one.counted()} == {*both, *after}

    run(test())


def test_without_a_backplane_each_worker_has_its_own_epoch() -> None:
    async def test() -> None:
        async with workers("fork", "") as made:
            both = await made.who(lambda found: len(found) == 2)
            assert len({told["epoch"] for told in both.values()}) == 2, "their numbers are not each other's"
            async with listening(made.port, ["early"], 4, newest=True) as listeners:
                async with asyncio.timeout(60):
                    while not all(one.messages for one in listeners):
                        await asyncio.sleep(0.02)
                assert {m.data for one in listeners for m in one.messages} == {"before the fork"}

    run(test())
