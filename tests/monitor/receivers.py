"""Real receivers of alerts: an HTTP server and an SMTP server, each on a free port."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.tls import server_certificate

__all__ = ["HttpReceiver", "SmtpReceiver", "served"]


class HttpReceiver(ThreadingHTTPServer):
    """Keeps what is POSTed; answers with the statuses it is given, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.hold = threading.Event()  # requests wait until it is set
        self.hold.set()
        self.came = threading.Semaphore(0)
        self.taken = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait(self, count: int, seconds: float = 60) -> list[Any]:
        """Return the next `count` bodies, in the order in which they came."""
        for got in range(count):
            assert self.came.acquire(timeout=seconds), f"expected {count} requests, got {got}"
        self.taken += count
        return self.bodies[self.taken - count : self.taken]


class _Hook(BaseHTTPRequestHandler):
    server: HttpReceiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.hold.wait(60)
        self.server.bodies.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.server.paths.append(self.path)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", f"{self.server.url}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()
        self.server.came.release()

    def log_message(self, *args: Any) -> None:
        pass


class SmtpReceiver(socketserver.ThreadingTCPServer):
    """Speaks as much of SMTP as a client needs: EHLO, STARTTLS, AUTH PLAIN and LOGIN, one mail after the other."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, tls: str = "none", user: str = "", password: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.tls, self.user, self.password = tls, user, password
        self.mails: list[str] = []
        self.envelopes: list[tuple[str, list[str], bool]] = []  # from, to, whether the line was encrypted
        self.refuse = 0  # mails to refuse with 451 before one is taken
        self.came = threading.Semaphore(0)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_certificate().configure_cert(self.context)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Mail(socketserver.StreamRequestHandler):
    server: SmtpReceiver

    def handle(self) -> None:
        self.encrypted, self.known = False, not self.server.user
        try:
            if self.server.tls == "tls":
                self._encrypt()
            self._talk()
        except (OSError, ValueError):
            pass  # a client that refuses the certificate hangs up
        finally:
            if self.encrypted:
                self.rfile.close()
                self.wfile.close()
                self.connection.close()

    def _encrypt(self) -> None:
        self.rfile.close()
        self.wfile.close()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.encrypted = True

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def _talk(self) -> None:
        sender, recipients = "", []
        self._say("220 test")
        while raw := self.rfile.readline():
            line = raw.decode().rstrip("\r\n")
            word = line.upper()
            if word.startswith("EHLO"):
                offered = ["test", *(["STARTTLS"] if self.server.tls == "starttls" and not self.encrypted else [])]
                offered += ["AUTH PLAIN LOGIN"] if self.server.user else []
                for number, text in enumerate(offered, 1):
                    self._say(f"250{' ' if number == len(offered) else '-'}{text}")
            elif word == "STARTTLS":
                self._say("220 go on")
                self._encrypt()
            elif word.startswith("AUTH PLAIN"):
                expected = base64.b64encode(f"\0{self.server.user}\0{self.server.password}".encode()).decode()
                self.known = line.split()[-1] == expected
                self._say("235 welcome" if self.known else f"535 no {line.split()[-1]}")
            elif not self.known and word.startswith("MAIL"):
                self._say("530 who are you")
            elif word.startswith("MAIL FROM:"):
                sender, recipients = line[10:].split()[0].strip("<>"), []
                self._say("250 ok")
            elif word.startswith("RCPT TO:"):
                recipients.append(line[8:].split()[0].strip("<>"))
                self._say("250 ok")
            elif word == "DATA":
                if self.server.refuse:
                    self.server.refuse -= 1
                    self._say("451 later")
                    continue
                self._say("354 go on")
                lines = []
                for part in iter(self.rfile.readline, b".\r\n"):
                    lines.append(part)
                self.server.mails.append(b"".join(lines).decode())
                self.server.envelopes.append((sender, recipients, self.encrypted))
                self.server.came.release()
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")


@contextmanager
def served(server: Any) -> Iterator[Any]:
    """Run a server on a thread for the length of a ``with`` block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if isinstance(server, HttpReceiver):
            server.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(60)
