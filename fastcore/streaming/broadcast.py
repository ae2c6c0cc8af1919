"""The hub of this process, for code without a reference to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fastcore._text import storable

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["broadcast_analysis_results", "install_hub", "installed_hub", "topic_word"]

_ESCAPED = str.maketrans({"%": "%25", ".": "%2E", "*": "%2A", ">": "%3E"})

_installed: list[Hub] = []


def install_hub(hub: Hub | None) -> Hub | None:
    """Make `hub` the hub of this process, or remove it; return the previous one.

    Examples
    --------
    >>> from fastcore.streaming import Hub, install_hub, installed_hub
    >>> hub = Hub()
    >>> before = install_hub(hub)
    >>> installed_hub() is hub
    True
    >>> install_hub(before) is hub
    True
    """
    before = _installed.pop() if _installed else None
    if hub is not None:
        _installed.append(hub)
    return before


def installed_hub() -> Hub | None:
    """Return the hub of this process: the one installed, or the first that was routed.

    Examples
    --------
    >>> from fastcore.streaming import Hub, install_hub, installed_hub
    >>> before = install_hub(Hub())
    >>> installed_hub().stats().clients
    0
    >>> hub = install_hub(before)
    """
    return _installed[0] if _installed else None


def topic_word(symbol: str) -> str:
    """Return a symbol as one word of a topic: dots, ``*``, ``>`` and ``%`` are percent-encoded, as in URLs.

    Examples
    --------
    >>> from fastcore.streaming import topic_word
    >>> topic_word("BRK.B"), topic_word("AAPL")
    ('BRK%2EB', 'AAPL')
    """
    return storable(symbol).translate(_ESCAPED)


async def broadcast_analysis_results(results: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> int:
    """Publish analysis results on the installed hub, each to ``analysis.<symbol>``; returns how many.

    The symbol is one word of the topic, see :func:`topic_word`, and as it is the key of the message.

    Parameters
    ----------
    results : mapping of symbol to result, or results that each have a ``"symbol"``

    Raises
    ------
    LookupError
        If no hub is installed, or a result has no symbol.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.streaming import Hub, broadcast_analysis_results, install_hub
    >>> before = install_hub(Hub())
    >>> asyncio.run(broadcast_analysis_results({"AAPL": {"rsi": 56.2}, "MSFT": {"rsi": 48.0}}))
    2
    >>> hub = install_hub(before)
    """
    hub = installed_hub()
    if hub is None:
        raise LookupError("broadcast_analysis_results: expected a hub, got none: hub.route(app) installs one")
    if isinstance(results, Mapping):
        pairs = [(str(symbol), result) for symbol, result in results.items()]
    else:
        pairs = []
        for result in results:
            if "symbol" not in result:
                raise LookupError("results: expected a symbol in each, got one without")
            pairs.append((str(result["symbol"]), result))
    for symbol, result in pairs:
        hub.publish(f"analysis.{topic_word(symbol)}", result, key=storable(symbol))
    return len(pairs)
