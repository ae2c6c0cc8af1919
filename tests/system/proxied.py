"""What the tests behind a real proxy share."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.streaming.running import WAIT

__all__ = ["CADDY", "NGINX", "free_port", "running_caddy", "running_nginx", "until_it_listens"]

CADDY, NGINX = shutil.which("caddy"), shutil.which("nginx")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a proxy takes connections."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise TimeoutError("the proxy does not listen")


@contextmanager
def running_nginx(folder: Path, http: str, port: int) -> Iterator[None]:
    """Run nginx with the directives of an `http` block; its files are below `folder`."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(
        f"user {getpass.getuser()}; daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{http}\n}}\n"
    )
    assert NGINX is not None
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(config)])
    try:
        until_it_listens(process, port, folder / "error.log")
        yield
    finally:
        process.terminate()
        process.wait(WAIT)


@contextmanager
def running_caddy(folder: Path, sites: str, port: int) -> Iterator[None]:
    """Run Caddy with the site blocks of a Caddyfile; its files are below `folder`."""
    config, log = folder / "Caddyfile", folder / "log"
    config.write_text(f"{{\n    admin off\n    auto_https off\n}}\n{sites}")
    places = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    assert CADDY is not None
    command = [CADDY, "run", "--config", str(config), "--adapter", "caddyfile"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **places})
    try:
        until_it_listens(process, port, log)
        yield
    finally:
        process.kill()  # asked to end, it would wait for connections that stay open
        process.wait(WAIT)
