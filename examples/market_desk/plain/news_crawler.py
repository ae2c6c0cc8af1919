"""What both crawlers do: fetch politely, try again, read, and keep each article once."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

import httpx
import pandas as pd

from examples.market_desk.data.store import Store

__all__ = [
    "AGENT",
    "Article",
    "NewsCrawler",
    "Outcome",
    "aget",
    "describe",
    "may_retry",
    "read_robots",
    "retry_after",
    "robots_of",
]

AGENT = "market-desk/1.0"
ATTEMPTS = 3
DELAY = 0.2  # seconds between two requests to a host
BACKOFF = 0.2  # seconds before the second attempt; twice that before the third
PATIENCE = 10.0  # seconds that a host may ask to wait; where it asks for more, the page fails
LARGEST = 4 << 20  # bytes of a page, decompressed
RETRIED = (429, 500, 502, 503, 504)
SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Article:
    """A piece of news; `symbols` are the ones that its text names, with commas between."""

    url: str
    source: str
    title: str
    published: str
    summary: str
    symbols: str


@dataclass(frozen=True)
class Outcome:
    """What came of one crawl."""

    fetched: int
    articles: int
    new: int
    failed: dict[str, str]


class NewsCrawler:
    """Crawls some pages of one source.

    Parameters
    ----------
    source : str
        Its name in the articles.
    urls : sequence of str
        What to fetch.
    store : Store
    symbols : sequence of str
        What to look for in the texts.
    delay : float
        Seconds between two requests to the host.
    """

    def __init__(
        self,
        source: str,
        urls: Sequence[str],
        store: Store,
        symbols: Iterable[str],
        delay: float = DELAY,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.source, self.urls, self.delay = source, tuple(urls), delay
        self._store, self._sleep = store, sleep
        self._names = re.compile(rf"\b({'|'.join(map(re.escape, sorted(symbols, key=len, reverse=True)))})\b")
        self._robots: dict[str, RobotFileParser] = {}

    def parse(self, url: str, body: bytes, kind: str = "") -> list[Article]:
        """Return the articles of a page, of which `kind` is the Content-Type; raises ValueError for any other page."""
        raise NotImplementedError

    def crawl(self) -> Outcome:
        """Fetch every page, one after the other, and store what is new."""
        found: list[Article] = []
        failed: dict[str, str] = {}
        with httpx.Client(headers={"User-Agent": AGENT}, timeout=5, follow_redirects=True, trust_env=False) as client:
            for url in self.urls:
                try:
                    if not self.allowed(client, url):
                        raise ValueError("robots.txt does not allow it")
                    found += self.parse(url, *self.fetch(client, url))
                except (httpx.HTTPError, ValueError) as error:
                    failed[url] = describe(error)
                self._sleep(self.delay)
        return self.keep(found, failed)

    def keep(self, found: Sequence[Article], failed: dict[str, str]) -> Outcome:
        """Store the new articles, and return what came of the crawl."""
        rows = [(*asdict(article).values(), fingerprint(article.title)) for article in found]
        new = self._store.insert("articles", rows)
        return Outcome(len(self.urls) - len(failed), len(found), new, failed)

    def allowed(self, client: httpx.Client, url: str) -> bool:
        """Return whether the host's robots.txt lets us fetch `url`."""
        host = robots_of(url)
        if host not in self._robots:
            self._robots[host] = read_robots(*self.get(client, host))
        return self._robots[host].can_fetch(AGENT, url)

    def fetch(self, client: httpx.Client, url: str) -> tuple[bytes, str]:
        """Return the body of `url` and its Content-Type; tries again after errors that may pass."""
        for attempt in range(1, ATTEMPTS + 1):
            wait = BACKOFF * 2 ** (attempt - 1)
            try:
                answer, body = self.get(client, url)
                if attempt == ATTEMPTS or not may_retry(answer):
                    return body, answer.raise_for_status().headers.get("content-type", "")
                wait = retry_after(answer, wait)
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
            self._sleep(wait)
        raise AssertionError

    def get(self, client: httpx.Client, url: str) -> tuple[httpx.Response, bytes]:
        """Return an answer and its body, of which no more is read than a page may have."""
        body = bytearray()
        with client.stream("GET", url) as answer:
            for chunk in answer.iter_bytes():
                extend(body, chunk)
        return answer, bytes(body)

    def article(self, url: str, title: str, published: str, summary: str) -> Article:
        """Return an article with its texts cleaned and its symbols found."""
        title, summary = clean(title), clean(summary)
        names = sorted(set(self._names.findall(f"{title} {summary}")))
        return Article(url, self.source, title, published, summary, ",".join(names))

    def articles(self) -> pd.DataFrame:
        """Return every stored article of the source as a table, newest first."""
        rows = self._store.select(
            "SELECT url, source, title, published, summary, symbols FROM articles WHERE source = ?"
            " ORDER BY published DESC, url",
            (self.source,),
        )
        return pd.DataFrame(rows, columns=list(Article.__dataclass_fields__))

    def news(self, symbol: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest articles, of a symbol or of all."""
        table = self.articles()
        if symbol is not None:
            table = table[[symbol in names.split(",") for names in table["symbols"]]]
        found: list[dict[str, Any]] = table.head(limit).to_dict("records")
        return found


def robots_of(url: str) -> str:
    """Return where the robots.txt of a host is."""
    return urlsplit(url)._replace(path="/robots.txt", query="", fragment="").geturl()


def read_robots(answer: httpx.Response, body: bytes) -> RobotFileParser:
    """Return the rules of a robots.txt (RFC 9309): a missing one allows everything, an error nothing."""
    if answer.is_server_error:
        raise ValueError(f"robots.txt: expected 200 or 404, got {answer.status_code}")
    robots = RobotFileParser()
    robots.parse(body.decode("utf-8-sig", errors="replace").splitlines() if answer.is_success else [])
    return robots


async def aget(client: httpx.AsyncClient, url: str) -> tuple[httpx.Response, bytes]:
    """Do what `NewsCrawler.get` does, for those that fetch many pages at once."""
    body = bytearray()
    async with client.stream("GET", url) as answer:
        async for chunk in answer.aiter_bytes():
            extend(body, chunk)
    return answer, bytes(body)


def extend(body: bytearray, chunk: bytes) -> None:
    """Add a part of a page; raises ValueError where the page is too large."""
    body += chunk
    if len(body) > LARGEST:
        raise ValueError(f"expected a page of at most {LARGEST:,} bytes, got more")


def may_retry(answer: httpx.Response) -> bool:
    """Return whether an answer is an error that may pass, and the host does not ask for too long a wait."""
    return answer.status_code in RETRIED and retry_after(answer, 0.0) <= PATIENCE


def retry_after(answer: httpx.Response, otherwise: float) -> float:
    """Return the seconds that a host asks to wait, as a number or as a date; `otherwise` where it does not."""
    wait = answer.headers.get("retry-after", "").strip()
    if wait.isdecimal():
        return float(wait)
    try:
        return max(0.0, parsedate_to_datetime(wait).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return otherwise


def describe(error: Exception) -> str:
    """Return what went wrong in a line."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"expected 200, got {error.response.status_code}"
    return f"{type(error).__name__}: {error}"


def clean(text: str) -> str:
    """Return text without tags, and with single spaces."""
    return SPACE.sub(" ", re.sub(r"<[^>]*>", " ", text)).strip()


def fingerprint(title: str) -> str:
    """Return what two reports of the same news have in common: the words of their titles."""
    words = re.findall(r"\w+", title.casefold())
    return hashlib.blake2b(" ".join(words).encode(), digest_size=16).hexdigest()
