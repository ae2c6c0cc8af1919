"""The crawler of Yahoo's news: RSS feeds, read by feedparser."""

from __future__ import annotations

import time
from email.utils import parsedate

import feedparser

from examples.market_desk.plain.news_crawler import Article, NewsCrawler

__all__ = ["YahooNewsCrawler"]


class YahooNewsCrawler(NewsCrawler):
    """Reads RSS; a broken feed counts for what can be read of it, and fails where nothing can."""

    def parse(self, url: str, body: bytes, kind: str = "") -> list[Article]:
        """Return the articles of a feed."""
        try:
            feed = feedparser.parse(body, response_headers={"content-type": kind} if kind else None)
        except Exception as error:  # a character reference too large for Python, for one
            raise ValueError(f"expected a feed, got one that cannot be read: {error}") from error
        if not feed.entries and (feed.bozo or not feed.get("version")):
            raise ValueError(f"expected a feed, got {feed.get('bozo_exception', 'something else')}")
        return [
            self.article(entry.link, entry.title, published(entry), entry.get("summary", ""))
            for entry in feed.entries
            if entry.get("link") and entry.get("title")
        ]


def published(entry: feedparser.FeedParserDict) -> str:
    """Return when an entry was published, in UTC; empty where it does not say so. A date without a zone is in UTC."""
    # dict.get: feedparser's own warns where it takes the one for the other.
    moment = entry.get("published_parsed") or dict.get(entry, "updated_parsed") or parsedate(entry.get("published", ""))
    if not moment or not 1000 <= moment[0] <= 9999:  # dates are sorted as text
        return ""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    except ValueError:  # there is no such date
        return ""
