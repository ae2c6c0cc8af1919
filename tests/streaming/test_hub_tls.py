"""A hub over TLS: nothing goes past what encrypts it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from starlette.applications import Starlette

from fastcore.streaming import Client, Hub
from tests.streaming.running import WAIT, Running

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
        timeout=WAIT,
    )
    return key, cert


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_messages_are_encrypted(certificate: tuple[Path, Path], loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    key, cert = certificate
    hub = Hub()
    app = Starlette()
    hub.route(app)

    async def read(server: Running) -> list[object]:
        trusting = ssl.create_default_context(cafile=str(cert))
        found: list[object] = []
        async with Client(f"wss://127.0.0.1:{server.port}/stream", ["t"], connect_options={"ssl": trusting}) as client:
            await asyncio.to_thread(server.until, lambda: hub.subscribers("t"))
            for n in range(20):
                hub.publish("t", {"n": n, "text": "x" * 5000})
                async with asyncio.timeout(WAIT):
                    found.append((await anext(aiter(client))).data)
        return found

    with Running(app, loop=loop, ssl_keyfile=str(key), ssl_certfile=str(cert)) as server:
        assert asyncio.run(read(server)) == [{"n": n, "text": "x" * 5000} for n in range(20)]
