"""A host on loopback with feeds and pages of news, some of them broken; tests say what it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{items}</channel></rss>"""
ITEM = (
    "<item><title>{title}</title><link>{link}</link><pubDate>{date}</pubDate><description>{text}</description></item>"
)
DATE = "Mon, 04 Mar 2013 09:3{n}:00 +0000"


def feed(*titles: str, text: str = "") -> str:
    items = (
        ITEM.format(title=title, link=f"http://news.example/{n}", date=DATE.format(n=n % 10), text=text)
        for n, title in enumerate(titles)
    )
    return RSS.format(items="".join(items))


def page(*titles: str) -> str:
    articles = (
        f'<article><h3><a href="/a/{n}">{title}</a></h3><time datetime="2013-03-05T1{n}:00:00Z"></time>'
        f"<p>More on <b>{title}</b></p></article>"
        for n, title in enumerate(titles)
    )
    return f"<html><body>{''.join(articles)}</body></html>"


@dataclass
class Host:
    """What is served, by path: a text or bytes, its headers, or a list of statuses that come before it."""

    url: str
    pages: dict[str, str | bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    failures: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)


@contextmanager
def news_host() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            host.agents.add(self.headers["User-Agent"])
            left = host.failures.get(self.path)
            status = left.pop(0) if left else (200 if self.path in host.pages else 404)
            page = host.pages.get(self.path, "") if status == 200 else ""
            body = page if isinstance(page, bytes) else page.encode()
            self.send_response(status)
            for name, value in host.headers.get(self.path, {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # who has read enough goes away
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host = Host(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()
