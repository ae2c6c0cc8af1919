"""Keeps tokens out of the server's logs: uvicorn writes the query of every request into them."""

from __future__ import annotations

import logging
import re
from urllib.parse import unquote_plus

__all__ = ["TokenFilter", "without_token"]

_PAIR = re.compile(r"([?&])([^=&?#\s]{1,64})=([^&#\s\"']+)")


def without_token(text: str) -> str:
    """Return `text` with the values of ``token=`` in the query of a URL replaced.

    Examples
    --------
    >>> without_token("/stream?topics=a&token=eyJh")
    '/stream?topics=a&token=***'
    """
    return _PAIR.sub(_replaced, text) if "=" in text else text


def _replaced(found: re.Match[str]) -> str:
    mark, name, _ = found.groups()
    return f"{mark}{name}=***" if unquote_plus(name).strip().lower() == "token" else found[0]


class TokenFilter(logging.Filter):
    """A filter of logging that replaces tokens in the arguments of records.

    Every hub adds it to uvicorn's loggers. Those of other servers and of proxies are not known here.

    Examples
    --------
    >>> import logging
    >>> from fastcore.streaming import TokenFilter
    >>> logging.getLogger("myproxy.access").addFilter(TokenFilter())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(without_token(one) if isinstance(one, str) else one for one in record.args)
        if isinstance(record.msg, str) and not record.args:
            record.msg = without_token(record.msg)
        return True


_FILTER = TokenFilter()


def redact_uvicorn() -> None:
    """Add the filter to uvicorn's loggers; once."""
    for name in ("uvicorn.access", "uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).addFilter(_FILTER)
