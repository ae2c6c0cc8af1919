"""Alert rules: a value, a threshold, and for how long."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastcore import metrics
from fastcore._snapshot import Labels, PackedState, Snapshot
from fastcore._text import storable
from fastcore.dispatch import flags
from fastcore.monitor.collect import since
from fastcore.monitor.tomlfile import TomlFile

__all__ = ["DEFAULT_RULES", "Reader", "Rule", "load_rules", "seconds"]

Severity = Literal["info", "warning", "critical"]
SEVERITIES = ("info", "warning", "critical")
Values = Mapping[Labels, float]

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.ASCII)


def seconds(text: str | float, where: str) -> float:
    """Return a duration: a number of seconds, or text like ``30s``, ``5m``, ``4h``."""
    if isinstance(text, str):
        found = _DURATION.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{where}: expected seconds or text like 30s, 5m, 4h, got {text!r}")
        return float(found[1]) * _UNITS[found[2]]
    if isinstance(text, bool) or not isinstance(text, (int, float)):
        raise TypeError(f"{where}: expected seconds or text like 30s, got {type(text).__name__}")
    if not 0 <= text < math.inf:
        raise ValueError(f"{where}: expected a number >= 0, got {text!r}")
    return float(text)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert rule.

    Parameters
    ----------
    name : str
    metric : str, optional
        What is looked at: each series of that name is judged, and alerted about, by itself. A gauge as it is; of a
        counter its rate a second since the last look; of a latency its `quantile` since the last look.
    value : callable, optional
        Instead of `metric`: takes a Snapshot and returns a number, a mapping of labels (a dict, or a tuple of pairs) to
        numbers, or None where there is nothing to judge.
    above, below : float
        One of them: the threshold.
    clear : float, optional
        Where a firing alert ends; by default at the threshold. For ``above`` it lies lower, for ``below`` higher.
    labels : mapping of str to str
        Only series with these labels.
    quantile : float, default 0.95
    hold : float or str, default 0
        For how long the threshold must be passed before the alert fires (``for`` in TOML).
    keep_firing : float or str, default 0
        How long it goes on firing after the value is well again, or missing (``keep_firing_for`` in TOML).
    severity : {'info', 'warning', 'critical'}
    summary : str
        Text for people; ``{value}``, ``{rule}`` and the names of labels and details in braces are filled in.
    channels : tuple of str
        Names of the channels to tell; all of them by default.
    unless : str, optional
        The name of another rule: while any alert of that one fires, this one does not notify.
    details : callable, optional
        Takes the labels of an alert that begins to fire, as a dict, and returns a mapping of what people should know.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as described.

    Examples
    --------
    >>> from fastcore.monitor import Rule
    >>> rule = Rule(name="slow quotes", metric="quote_seconds", above=0.5, clear=0.3, hold="1m", severity="critical")
    >>> rule.threshold, rule.hold
    (0.5, 60.0)
    """

    name: str
    metric: str = ""
    value: Callable[[Snapshot], Any] | None = None
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    quantile: float = 0.95
    hold: float | str = 0.0
    keep_firing: float | str = 0.0
    severity: Severity = "warning"
    summary: str = "{rule}: {value:.6g}"
    channels: tuple[str, ...] = ()
    unless: str = ""
    details: Callable[[dict[str, str]], Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name: expected a str that is not empty, got {self.name!r}")
        where = f"rule {self.name}"
        for key in ("metric", "summary", "unless"):
            if not isinstance(getattr(self, key), str):
                raise TypeError(f"{where}: {key}: expected a str, got {type(getattr(self, key)).__name__}")
        if bool(self.metric) == (self.value is not None):
            raise ValueError(f"{where}: expected one of metric and value, got {'both' if self.metric else 'neither'}")
        for key in ("value", "details"):
            if getattr(self, key) is not None and not callable(getattr(self, key)):
                raise TypeError(f"{where}: {key}: expected a callable, got {type(getattr(self, key)).__name__}")
        if (self.above is None) == (self.below is None):
            got = "neither" if self.above is None else "both"
            raise ValueError(f"{where}: expected one of above and below, got {got}")
        for key in ("above", "below", "clear", "quantile"):
            number = getattr(self, key)
            if number is not None and (isinstance(number, bool) or not isinstance(number, (int, float))):
                raise TypeError(f"{where}: {key}: expected a number, got {type(number).__name__}")
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{where}: {key}: expected a finite number, got {number!r}")
        if self.clear is not None and (
            self.clear > self.threshold if self.above is not None else self.clear < self.threshold
        ):
            side = "at most above" if self.above is not None else "at least below"
            raise ValueError(f"{where}: clear: expected {side} ({self.threshold:g}), got {self.clear:g}")
        if not 0 <= self.quantile <= 1:
            raise ValueError(f"{where}: quantile: expected a number from 0 to 1, got {self.quantile!r}")
        if self.severity not in SEVERITIES:
            raise ValueError(f"{where}: severity: expected one of {', '.join(SEVERITIES)}, got {self.severity!r}")
        if not isinstance(self.labels, Mapping) or not all(
            isinstance(part, str) for pair in self.labels.items() for part in pair
        ):
            raise TypeError(f"{where}: labels: expected a mapping of str to str, got {self.labels!r}")
        if not isinstance(self.channels, (list, tuple)) or not all(isinstance(name, str) for name in self.channels):
            raise TypeError(f"{where}: channels: expected names in a list, got {self.channels!r}")
        object.__setattr__(self, "hold", seconds(self.hold, f"{where}: hold"))
        object.__setattr__(self, "keep_firing", seconds(self.keep_firing, f"{where}: keep_firing"))
        object.__setattr__(self, "channels", tuple(self.channels))

    @property
    def threshold(self) -> float:
        found = self.above if self.above is not None else self.below
        return math.nan if found is None else float(found)

    def breached(self, value: float) -> bool:
        """Whether a value is past the threshold; NaN is not."""
        return value > self.threshold if self.above is not None else value < self.threshold

    def well(self, value: float) -> bool:
        """Whether a firing alert ends at this value; NaN does not end it."""
        limit = self.threshold if self.clear is None else self.clear
        return value <= limit if self.above is not None else value >= limit

    def text(self, value: float, labels: Labels, details: Any = None) -> str:
        """Return the summary, filled in; a template that does not fit is shown as it is."""
        known = {str(key): told for key, told in details.items()} if isinstance(details, Mapping) else {}
        try:
            return storable(self.summary.format(**{**known, **dict(labels), "value": value, "rule": self.name}))
        except (LookupError, ValueError, AttributeError, TypeError):
            return f"{self.summary} ({value:.6g})"


class Reader:
    """Reads the values of rules from one snapshot after the other: rates and windows need the one before."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, Labels], tuple[float, int | PackedState]] = {}
        self._looked: dict[str, float] = {}  # when each rule was last read

    def read(self, rule: Rule, snapshot: Snapshot, now: float) -> Values:
        """Return the value of each series that the rule judges."""
        if rule.value is not None:
            return _values(rule.value(snapshot), rule.name)
        found: dict[Labels, float] = {}
        for sample in snapshot:
            if sample.name != rule.metric or not rule.labels.items() <= dict(sample.labels).items():
                continue
            if sample.kind == "gauge" and not isinstance(sample.value, tuple):
                found[sample.labels] = float(sample.value)
                continue
            value = self._since(rule, sample.labels, sample.value, now)
            if value is not None:
                found[sample.labels] = value
        self._looked[rule.name] = now
        return found

    def _since(self, rule: Rule, labels: Labels, value: Any, now: float) -> float | None:
        before = self._before.get((rule.name, labels))
        self._before[rule.name, labels] = now, PackedState(value) if isinstance(value, tuple) else value
        if isinstance(value, tuple):
            state = since(before[1] if before is not None and isinstance(before[1], PackedState) else None, value)
            if not state[0]:
                return None
            sketch = metrics.Sketch()
            sketch.merge(state)
            return sketch.quantile(rule.quantile)
        if before is None and rule.name in self._looked:
            before = self._looked[rule.name], 0  # a series that is new since then began at nothing
        if before is None or isinstance(before[1], PackedState) or now <= before[0]:
            return None
        grown = value - before[1]
        return float((grown if grown >= 0 else value) / (now - before[0]))


def _values(given: Any, rule: str) -> Values:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {_labels(labels): float(value) for labels, value in given.items()}
    if isinstance(given, (int, float)):
        return {(): float(given)}
    raise TypeError(f"rule {rule}: expected a number, a mapping or None as its value, got {type(given).__name__}")


def _labels(labels: Any) -> Labels:
    if isinstance(labels, str):
        return (("name", labels),)
    return tuple(sorted((storable(str(key)), storable(str(value))) for key, value in dict(labels).items()))


def _rolled_back(snapshot: Snapshot) -> dict[Labels, float]:
    return {(("flag", name),): 1.0 for name, flag in flags.snapshot().items() if flag.rolled_back}


def _why_rolled_back(labels: dict[str, str]) -> dict[str, Any]:
    """What the journal says of a rollback: who, where and on what evidence."""
    flag = flags.get(labels["flag"])
    told: dict[str, Any] = {"reason": flag.reason or "rolled back", "mode": flag.mode, "source": flag.source}
    for entry in reversed(flags.journal(flag.name)):
        if entry.what == "rollback":
            return {**told, "who": entry.who, "pid": entry.pid, "when": entry.when, "evidence": entry.evidence}
    return told


DEFAULT_RULES = (
    Rule(
        name="memory",
        metric="fastcore_memory_usage_ratio",
        above=0.85,
        clear=0.80,
        hold=30,
        severity="critical",
        summary="{value:.0%} of the memory is in use",
    ),
    Rule(
        name="rolled back",
        value=_rolled_back,
        above=0.0,
        severity="critical",
        summary="{flag}: {reason}",
        details=_why_rolled_back,
    ),
    Rule(
        name="slower than before",
        metric="fastcore_degraded",
        above=0.5,
        severity="warning",
        summary="{service} is over 20 % slower than its {against}",
        unless="rolled back",
    ),
    Rule(
        name="errors",
        metric="fastcore_http_requests_total",
        labels={"status": "500"},
        above=0.1,
        hold=60,
        severity="critical",
        summary="{value:.2g} requests a second to {route} fail",
    ),
)

_KEYS = {"for": "hold", "keep_firing_for": "keep_firing"}
_KNOWN = frozenset({*Rule.__dataclass_fields__, *_KEYS} - {"value", "details", *_KEYS.values()})


def load_rules(path: str | Path) -> list[Rule]:
    r"""Return the rules of a TOML file, one ``[[rule]]`` each.

    Raises
    ------
    ValueError, TypeError
        If the file or a rule is not as described; the text names the file, the line and the rule.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcore.monitor import load_rules
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "rules.toml")
    ...     with open(path, "w", encoding="utf-8") as file:
    ...         written = file.write('[[rule]]\nname = "deep"\nmetric = "queue_depth"\nabove = 100\n')
    ...     load_rules(path)[0].name
    'deep'
    """
    return rules_of(TomlFile(path))


def rules_of(file: TomlFile) -> list[Rule]:
    """Return the rules that the file's tables describe."""
    made: dict[str, Rule] = {}
    for index, table in enumerate(file.tables("rule")):
        where = file.where("rule", index)
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str) or not name:
            raise ValueError(f"{where}: expected a [[rule]] with a name, got {table!r}")
        if name in made:
            raise ValueError(f"{where}: expected rules of different names, got {name!r} twice")
        if unknown := sorted(set(table) - _KNOWN):
            at = file.where("rule", index, unknown[0])
            raise ValueError(f"{at}: rule {name}: expected {', '.join(sorted(_KNOWN))}, got {unknown[0]!r}")
        try:
            made[name] = Rule(**{_KEYS.get(key, key): value for key, value in table.items()})
        except (ValueError, TypeError) as error:
            raise type(error)(f"{file.where('rule', index, _blamed(name, str(error)))}: {error}") from None
    return list(made.values())


def _blamed(rule: str, text: str) -> str:
    """The key, as TOML has it, that an error of a rule is about; empty if it is about several."""
    key = text.removeprefix(f"rule {rule}: ").partition(":")[0]
    return {parameter: word for word, parameter in _KEYS.items()}.get(key, key) if key.isidentifier() else ""
