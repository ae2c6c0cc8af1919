"""The crawler of Investing's news: HTML pages that list articles."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

from examples.market_desk.plain.news_crawler import Article, NewsCrawler

__all__ = ["InvestingNewsCrawler"]

CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


class InvestingNewsCrawler(NewsCrawler):
    """Reads ``<article>`` elements: a link with the title, a ``<time>``, and a ``<p>`` with the summary."""

    def parse(self, url: str, body: bytes, kind: str = "") -> list[Article]:
        """Return the articles of a page."""
        listing = Listing()
        listing.feed(text_of(body, kind))
        listing.close()
        if not listing.seen:
            raise ValueError("expected a list of articles, got a page without one")
        return [
            self.article(address, item["title"], item["time"], item["summary"])
            for item in listing.items
            if item["title"].strip() and (address := address_of(url, item["href"]))
        ]


def address_of(page: str, link: str) -> str:
    """Return where a link of a page leads; empty where it leads nowhere."""
    try:
        return urljoin(page, link) if link else ""
    except ValueError:  # what is in square brackets is not an IP address
        return ""


def text_of(body: bytes, kind: str) -> str:
    """Return a page as text, in the encoding that its Content-Type or its head names; else in UTF-8."""
    named = CHARSET.search(kind) or CHARSET.search(body[:1024].decode("ascii", errors="replace"))
    try:
        return body.decode(named[1] if named else "utf-8-sig", errors="replace")
    except LookupError:  # there is no such encoding
        return body.decode("utf-8-sig", errors="replace")


class Listing(HTMLParser):
    """The articles of a page, as far as they can be read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.items: list[dict[str, str]] = []
        self.seen = False
        self._item: dict[str, str] | None = None
        self._field = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an article, or one of its fields."""
        values = dict(attrs)
        if tag == "article":
            self.seen = True
            self._item = {"href": "", "title": "", "time": "", "summary": ""}
            self.items.append(self._item)
        elif self._item is not None and tag == "a" and not self._item["href"]:
            self._item["href"], self._field = values.get("href") or "", "title"
        elif self._item is not None and tag == "time":
            self._item["time"] = values.get("datetime") or ""
        elif self._item is not None and tag == "p":
            self._field = "summary"

    def handle_endtag(self, tag: str) -> None:
        """End what began."""
        if tag in ("a", "p"):
            self._field = ""
        elif tag == "article":
            self._item, self._field = None, ""

    def handle_data(self, data: str) -> None:
        """Take the text of a field."""
        if self._item is not None and self._field:
            self._item[self._field] += data
