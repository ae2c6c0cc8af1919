"""Support for an outside flag service, which precedes the default and follows all other sources."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from fastcore.dispatch.ticker import Ticker

__all__ = ["Provider", "ProviderPoll"]

PATIENCE = 5.0  # seconds to wait for a provider that does not answer

_log = logging.getLogger("fastcore.flags")


@runtime_checkable
class Provider(Protocol):
    """A flag service with the interface of an OpenFeature provider; OpenFeature providers can be used directly."""

    def resolve_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
        """Return an object with ``value``, a mode; `default_value`, the empty string, where there is none."""


class ProviderPoll:
    """Asks a provider for every flag at an interval, in a separate thread, never during a call.

    A flag that the provider does not know has no setting of it. One that it fails to resolve keeps the last.
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
        self._telling = threading.Lock()
        self._ended = False
        self._last: dict[str, str] = {}
        self._failed: set[str] = set()
        self._ticker = Ticker(interval, "fastcore-provider")
        self._ticker.add(self.poll)

    def start(self, patience: float = PATIENCE) -> None:
        """Ask now and at every interval; return once the provider has answered, at most `patience` seconds later."""
        first = threading.Thread(target=self.poll, name="fastcore-provider", daemon=True)
        first.start()
        first.join(patience)
        if first.is_alive():
            _log.error("the flag provider has not answered within %g s: flags stay as they are until it does", patience)
        self._ticker.start()

    def stop(self, patience: float = PATIENCE) -> None:
        """Stop asking; later answers of the provider are ignored."""
        with self._telling:
            self._ended = True
        self._ticker.stop(patience)

    def poll(self) -> None:
        """Ask now."""
        with self._lock:
            found: dict[str, str] = {}
            for name in self._names():
                value = self._resolved(name)
                if value:
                    found[name] = value
            self._last = found
            with self._telling:
                if not self._ended:
                    self._tell(found)

    def _resolved(self, name: str) -> str:
        """The provider's mode of a flag; the empty string if it does not know the flag."""
        try:
            details = self._provider.resolve_string_details(name, "")
            code = getattr(details, "error_code", None)
            if code is not None and "NOT_FOUND" not in str(code):
                raise RuntimeError(f"{code}: {getattr(details, 'error_message', '')}")
            value = str(details.value) if code is None and details.value else ""
        except BaseException as error:  # an exit of the provider's is no reason to know less of the other flags
            if "NotFound" in type(error).__name__ or "NOT_FOUND" in str(getattr(error, "error_code", "")):
                return ""
            if name not in self._failed:  # once an outage
                self._failed.add(name)
                _log.exception("the flag provider could not resolve %s", name)
            return self._last.get(name, "")
        self._failed.discard(name)
        return value
