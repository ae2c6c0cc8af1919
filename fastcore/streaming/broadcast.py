"""The hub of this process, for code that is not handed one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastcore.streaming.hub import Hub

__all__ = ["broadcast_analysis_results", "install_hub", "installed_hub"]

_installed: list[Hub] = []


def install_hub(hub: Hub | None) -> Hub | None:
    """Make `hub` the one of this process, or none; returns the one before."""
    before = _installed.pop() if _installed else None
    if hub is not None:
        _installed.append(hub)
    return before


def installed_hub() -> Hub | None:
    """Return the hub of this process: the one installed, or the first that was routed."""
    return _installed[0] if _installed else None


async def broadcast_analysis_results(results: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> int:
    """Publish analysis results on the installed hub, each to ``analysis.<symbol>``; returns how many.

    Parameters
    ----------
    results : mapping of symbol to result, or results that each have a ``"symbol"``

    Raises
    ------
    LookupError
        If no hub is installed, or a result has no symbol.
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
        hub.publish(f"analysis.{symbol}", result, key=symbol)
    return len(pairs)
