"""A uvicorn server in a thread, whose event loop a test can call into."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import uvicorn

HUB = "fastcore.streaming.uvicorn:HubProtocol"
WAIT = 60.0  # seconds that anything may take on a busy machine


class Running:
    """Serves an application on a port, by default a free one, from `with` to its end."""

    def __init__(
        self, app: Any, *, ws: str = HUB, loop: str = "asyncio", http: str = "httptools", port: int = 0, **options: Any
    ) -> None:
        self.app = app
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        defaults = {"lifespan": "off", "log_level": "critical", "timeout_graceful_shutdown": 10}
        config = uvicorn.Config(app, ws=ws, http=http, **{**defaults, **options})
        self.server = uvicorn.Server(config)
        self._loop_name = loop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def _run(self) -> None:
        factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
        if self._loop_name == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(self.server.serve(sockets=[self._listener]))
        while not self.server.started and not serving.done():
            await asyncio.sleep(0.005)
        self._ready.set()
        await serving

    def call(self, fn: Callable[[], Any]) -> Any:
        """Call `fn` in the server's loop, and await what it returns if that can be awaited."""

        async def run() -> Any:
            found = fn()
            return await found if isinstance(found, Awaitable) else found

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT)

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds in the server's loop."""

        async def wait() -> None:
            async with asyncio.timeout(WAIT):
                while not condition():
                    await asyncio.sleep(0.01)

        asyncio.run_coroutine_threadsafe(wait(), self.loop).result(WAIT + 1)

    def stop(self) -> None:
        """Shut the server down; return when it has ended."""
        self.server.should_exit = True
        self._thread.join(WAIT)
        assert not self._thread.is_alive(), "the server did not end"
        self._listener.close()

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(WAIT), "the server did not start"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._thread.is_alive():
            self.stop()
