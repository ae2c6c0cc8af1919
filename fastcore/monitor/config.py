"""Settings of an alert manager in a TOML file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastcore.monitor.channels import Channel, EmailChannel, LogChannel, SlackChannel, WebhookChannel
from fastcore.monitor.rules import DEFAULT_RULES, rules_of
from fastcore.monitor.tomlfile import TomlFile

__all__ = ["settings_of"]

_KINDS: dict[str, Callable[..., Channel]] = {
    "log": LogChannel,
    "webhook": WebhookChannel,
    "slack": SlackChannel,
    "email": EmailChannel,
}
_KNOWN = ("rule", "channel", "repeat", "group", "default_rules")


def settings_of(path: str | Path) -> dict[str, Any]:
    """Return the keyword arguments for an :class:`AlertManager`."""
    file = TomlFile(path)
    if unknown := sorted(set(file.body) - set(_KNOWN)):
        raise ValueError(f"{path}: expected {', '.join(_KNOWN)}, got {unknown[0]!r}")
    own = rules_of(file)
    default = file.body.get("default_rules", False)
    if not isinstance(default, bool):
        raise TypeError(f"{path}: default_rules: expected true or false, got {default!r}")
    if default:
        named = {rule.name for rule in own}
        own = [*(rule for rule in DEFAULT_RULES if rule.name not in named), *own]
    told: dict[str, Any] = {"rules": own}
    channels = [_channel(table, file.where("channel", n)) for n, table in enumerate(file.tables("channel"))]
    if channels:
        told["channels"] = channels
    return {**told, **{key: file.body[key] for key in ("repeat", "group") if key in file.body}}


def _channel(table: Any, where: str) -> Channel:
    kind = table.get("type") if isinstance(table, dict) else table
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"{where}: channel: expected a type of {', '.join(_KINDS)}, got {kind!r}")
    arguments = {key: _from_environment(value, where) for key, value in table.items() if key != "type"}
    try:
        return _KINDS[kind](**arguments)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: channel {kind}: {error}") from None


def _from_environment(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _from_environment(part, where) for key, part in value.items()}
    if isinstance(value, list):
        return [_from_environment(part, where) for part in value]
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"{where}: expected the environment variable {name}, it is not set")
        return os.environ[name]
    return value
