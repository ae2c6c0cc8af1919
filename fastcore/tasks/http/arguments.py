"""JSON arguments judged by the signature of the task that they are for, before anything is queued."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

__all__ = ["MOST_ERRORS", "ArgumentErrors", "Signature", "Wrong", "listed"]

MOST_ERRORS = 100  # that an answer lists
_ARBITRARY = ConfigDict(arbitrary_types_allowed=True)
_SEQUENCES = ("list", "tuple", "set", "frozenset")


class Wrong(NamedTuple):
    """One thing that is wrong: where in the body, and what."""

    loc: tuple[str | int, ...]
    message: str


class ArgumentErrors(ValueError):
    """All that is wrong with the arguments of one call."""

    def __init__(self, errors: Sequence[Wrong]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, loc))}: {message}" for loc, message in errors))
        self.errors = errors


def listed(error: ValidationError, loc: tuple[str | int, ...]) -> list[Wrong]:
    """Return what pydantic found wrong; one entry with the number where there are more than an answer lists."""
    count = error.error_count()
    if count > MOST_ERRORS:  # each would become a dict before the first could be read
        return [Wrong(loc, f"expected values of the types that are declared, got {count:,} that are not")]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [Wrong((*loc, *each["loc"]), str(each["msg"])) for each in found]


class Signature:
    """What a function takes, and how JSON becomes it: annotations convert as pydantic converts."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._signature = inspect.signature(fn)
        hints = _hints(fn)
        self._adapters = {
            name: _adapter(hints[name]) for name in self._signature.parameters if hints.get(name, Any) is not Any
        }
        self._brief: dict[str, SchemaValidator] = {}

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], *, brief: bool = False
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments as the function's types.

        With `brief` a list or set is left at its first wrong element: pydantic holds the interpreter's lock while it
        collects errors.

        Raises
        ------
        ArgumentErrors
            If the signature does not take them, or values are not of its types.
        """
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentErrors([Wrong((), str(error))]) from None
        errors: list[Wrong] = []
        positional, rest = self._positional()
        bound = [
            self._checked(positional[i] if i < len(positional) else rest, value, ("args", i), errors, brief)
            for i, value in enumerate(args)
        ]
        by_name, others = self._by_name()
        named = {
            name: self._checked(name if name in by_name else others, value, ("kwargs", name), errors, brief)
            for name, value in kwargs.items()
        }
        if errors:
            raise ArgumentErrors(errors)
        return tuple(bound), named

    def _positional(self) -> tuple[list[str], str]:
        parameters = self._signature.parameters.values()
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return names, next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")

    def _by_name(self) -> tuple[set[str], str]:
        parameters = self._signature.parameters.values()
        names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
        return names, next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), "")

    def _checked(self, name: str, value: Any, loc: tuple[str | int, ...], errors: list[Wrong], brief: bool) -> Any:
        adapter = self._adapters.get(name)
        if adapter is None or len(errors) > MOST_ERRORS:
            return value
        try:
            if not brief:
                return adapter.validate_python(value)
            if name not in self._brief:
                self._brief[name] = _brief(adapter)
            return self._brief[name].validate_python(value)
        except ValidationError as error:
            errors += [Wrong(at, message[:1].lower() + message[1:]) for at, message in listed(error, loc)]
            return None


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    target: Any = inspect.unwrap(fn)
    while isinstance(target, functools.partial):
        target = inspect.unwrap(target.func)
    if not (inspect.isfunction(target) or inspect.ismethod(target)):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:  # names that exist for the type checker only: those parameters take what comes
        hints = {}
        for name, annotation in getattr(target, "__annotations__", {}).items():
            try:
                holder = type("_", (), {"__annotations__": {name: annotation}})
                hints[name] = typing.get_type_hints(holder, getattr(target, "__globals__", None), include_extras=True)[
                    name
                ]
            except Exception:
                continue
        return hints


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    for config in (None, _ARBITRARY):
        try:
            return TypeAdapter(annotation, config=config)
        except (PydanticSchemaGenerationError, PydanticUserError):
            continue
    return None


def _brief(adapter: TypeAdapter[Any]) -> SchemaValidator:
    """Return a validator of the same type that leaves a sequence at its first wrong element."""
    schema = _failing_fast(adapter.core_schema)
    try:
        return SchemaValidator(schema, _use_prebuilt=False)  # prebuilt validators of models collect all errors
    except TypeError:  # pydantic before 2.12 has no such option
        return SchemaValidator(schema)


def _failing_fast(schema: Any) -> Any:
    if isinstance(schema, dict):
        copy = {key: value if key == "metadata" else _failing_fast(value) for key, value in schema.items()}
        return {**copy, "fail_fast": True} if copy.get("type") in _SEQUENCES else copy
    return type(schema)(map(_failing_fast, schema)) if type(schema) in (list, tuple) else schema
