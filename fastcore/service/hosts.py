"""The Host headers that a service accepts, as a protection against DNS rebinding."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable

from fastcore import _env

__all__ = ["AllowedHosts"]

_log = logging.getLogger("fastcore.service")
_LOGGED = 20  # names that were refused; clients choose them


class AllowedHosts:
    """The accepted Host headers.

    Parameters
    ----------
    names : iterable of str, optional
        ``desk.example.com``, ``*.example.com`` or ``*``; by default those of ``FASTCORE_ALLOWED_HOSTS``, with commas
        between, or else addresses, ``localhost`` and names without a dot, which no outsider can have resolved to this
        machine.
    """

    def __init__(self, names: Iterable[str] | None = None) -> None:
        if isinstance(names, str):
            raise TypeError("allowed_hosts: expected an iterable of str, got a str")
        if names is None:
            self._names = frozenset(map(_checked, _env.names("FASTCORE_ALLOWED_HOSTS"))) or None
        else:
            self._names = frozenset(map(_checked, names))
        self._logged: set[str] = set()

    def __contains__(self, host: str) -> bool:
        """Whether a Host header is served; a request without one comes from no browser."""
        name = _name(host)
        if not host or (_is_local(name) if self._names is None else any(_matches(name, one) for one in self._names)):
            return True
        if name not in self._logged and len(self._logged) < _LOGGED:
            self._logged.add(name)
            _log.warning("refused a request for the host %r; install(allowed_hosts=[...]) names what is served", name)
        return False


def _checked(name: object) -> str:
    if not isinstance(name, str) or not name or "/" in name or ("*" in name and name != "*" and name[:2] != "*."):
        raise ValueError(f"allowed_hosts: expected names such as desk.example.com or *.example.com, got {name!r}")
    return name.lower() if name[0] == "*" else _name(name)


def _name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return (name.rpartition(":")[0] if name.count(":") == 1 else name).rstrip(".")


def _is_local(name: str) -> bool:
    if "." not in name and ":" not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(".localhost")
    return True


def _matches(name: str, allowed: str) -> bool:
    return allowed in ("*", name) or (allowed.startswith("*.") and name.endswith(allowed[1:]))
