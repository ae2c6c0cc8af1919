"""URLs of hubs, whose query may name topics."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

__all__ = ["without_topics"]


def without_topics(url: str) -> tuple[str, list[str]]:
    """Return a URL without the topics of its query, and these: a client that reconnects asks for them by position."""
    if not isinstance(url, str):
        raise TypeError(f"url: expected a str, got {type(url).__name__}")
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss"):
        raise ValueError(f"url: expected ws:// or wss://, got {url!r:.80}")
    query = parse_qsl(parts.query, keep_blank_values=True)
    named = [name for key, value in query if key == "topics" for name in value.split(",") if name]
    kept = urlencode([(key, value) for key, value in query if key != "topics"])
    return urlunsplit(parts._replace(query=kept)), named
