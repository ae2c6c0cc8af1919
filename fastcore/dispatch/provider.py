"""The seam for an outside flag service: what it says of our flags comes before the default and after all else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from fastcore.dispatch.ticker import Ticker

__all__ = ["Provider", "ProviderPoll"]

_log = logging.getLogger("fastcore.flags")


@runtime_checkable
class Provider(Protocol):
    """A flag service, in the shape of an OpenFeature provider: an OpenFeature one can be given as it is."""

    def resolve_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
        """Return an object with ``value``, a mode; `default_value`, the empty string, where there is none."""


class ProviderPoll:
    """Asks a provider for every flag at an interval, in a thread of its own: a slow one delays nobody.

    Never during a call. A provider that raises changes nothing.
    """

    def __init__(
        self, provider: Provider, names: Callable[[], Iterable[str]], tell: Callable[[dict[str, str]], object],
        interval: float,
    ) -> None:  # fmt: skip
        if not isinstance(provider, Provider):
            raise TypeError(f"provider: expected resolve_string_details(), got {type(provider).__name__}")
        self._provider = provider
        self._names = names
        self._tell = tell
        self._lock = threading.Lock()
        self._ticker = Ticker(interval, "fastcore-provider")
        self._ticker.add(self.poll)

    def start(self) -> None:
        self._ticker.start()

    def stop(self) -> None:
        self._ticker.stop()

    def poll(self) -> None:
        """Ask now."""
        with self._lock:
            found: dict[str, str] = {}
            for name in self._names():
                try:
                    value = self._provider.resolve_string_details(name, "").value
                except Exception:
                    _log.exception("the flag provider could not be asked for %s", name)
                    return
                if value:
                    found[name] = value
            self._tell(found)
