"""The kinds of a program's own classes: enums, named tuples, dataclasses, pydantic's models.

A class is looked up among the modules that are loaded, and nowhere else: reading a message imports nothing, and calls
no function of a class but the factories of defaults for fields that the message does not have.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import inspect
import keyword
import sys
import types
from collections.abc import Callable
from typing import Any

from fastcore.tasks.codec.errors import CodecError, Unserializable
from fastcore.tasks.codec.serializer import FINDERS, Decoder, Encoder, Kind, register

__all__: list[str] = []


# ---- names ----


def _place(cls: type, what: str) -> list[str]:
    """Return the module and the name of a class."""
    # A spawned child has its parent's main module under another name as well.
    module = "__main__" if cls.__module__ == "__mp_main__" else cls.__module__
    if _loaded(module, cls.__qualname__) is not cls:
        raise Unserializable(f"expected {what} that its module has, got {module}.{cls.__qualname__}")
    return [module, cls.__qualname__]


def _loaded(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    # The name of a generic model's variant, such as Box[decimal.Decimal], has dots of its own.
    for part in (name,) if "[" in name else name.split("."):
        if not isinstance(found, (type, types.ModuleType)):
            return None
        found = vars(found).get(part)  # getattr might run code, such as a module's own __getattr__
    return found


def _class(module: str, name: str, is_one: Callable[[type], bool], what: str) -> Any:
    found = _loaded(module, name)
    if not (isinstance(found, type) and is_one(found)):
        raise CodecError(f"message: expected the {what} {module}.{name} to be imported, got no such class")
    return found


# ---- enums ----


def _enum(v: enum.Enum, _: Encoder) -> list[Any]:
    cls = type(v)
    named = cls._member_map_.get(v._name_ or "") is v
    return [*_place(cls, "an enum"), v._name_ if named else None, None if named else v._value_]


def _to_enum(p: list[Any], _: Decoder) -> enum.Enum:
    module, qualname, name, value = p
    cls = _class(module, qualname, lambda found: issubclass(found, enum.Enum), "enum")
    if name is None:  # flags that are combined have no name
        if not issubclass(cls, enum.Flag):
            raise CodecError(f"message: expected a member of {module}.{qualname}, got no name")
        combined: enum.Enum = cls(value)
        return combined
    member: enum.Enum | None = cls._member_map_.get(name)
    if member is None:
        raise CodecError(f"message: expected a member of {module}.{qualname}, got {name!r:.60}")
    return member


# ---- named tuples ----


def _named_tuple(v: Any, _: Encoder) -> list[Any]:
    cls = type(v)
    module = "__main__" if cls.__module__ == "__mp_main__" else cls.__module__
    return [module, cls.__qualname__, list(cls._fields), list(v)]


def _to_named_tuple(p: list[Any], _: Decoder) -> Any:
    module, qualname, fields, values = p
    if len(fields) != len(values):
        raise CodecError(f"message: expected {len(fields)} fields, got {len(values)}")
    cls = _loaded(module, qualname)
    if not (isinstance(cls, type) and _is_named_tuple(cls) and list(cls._fields) == fields):  # type: ignore[attr-defined]
        cls = _made(qualname.rpartition(".")[2], tuple(fields))
    return tuple.__new__(cls, values)


@functools.lru_cache(64)
def _made(name: str, fields: tuple[str, ...]) -> Any:
    """A named tuple in place of one whose module is not loaded here."""
    words = (name, *fields)
    if len(words) > 256 or not all(word.isidentifier() and not keyword.iskeyword(word) for word in words):
        raise CodecError("message: expected the names of a named tuple, got others")
    return collections.namedtuple(name, fields)  # the fields are known only now


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


# ---- dataclasses ----


def _is_dataclass(cls: type) -> bool:
    return dataclasses.is_dataclass(cls)


def _dataclass(v: Any, _: Encoder) -> list[Any]:
    cls = type(v)
    _bare(cls, Unserializable)
    names = [field.name for field in dataclasses.fields(cls) if hasattr(v, field.name)]
    others = {name: value for name, value in getattr(v, "__dict__", {}).items() if not name.startswith("__")}
    return [*_place(cls, "a dataclass"), {name: getattr(v, name) for name in names} | others]


def _to_dataclass(p: list[Any], _: Decoder) -> Any:
    module, qualname, values = p
    cls = _class(module, qualname, _is_dataclass, "dataclass")
    for field in dataclasses.fields(cls):
        if field.name in values:
            continue
        if field.default is not dataclasses.MISSING:
            values[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            values[field.name] = field.default_factory()
        elif field.init:
            raise CodecError(f"message: expected {module}.{qualname} with {field.name!r}, got none")
    made = _bare(cls, CodecError)
    for name, value in values.items():
        slot = inspect.getattr_static(cls, name, None)
        if isinstance(slot, types.MemberDescriptorType):
            slot.__set__(made, value)
        elif hasattr(made, "__dict__"):
            made.__dict__[name] = value  # whatever the class does when it is set was done before
        else:
            raise CodecError(f"message: expected a field of {module}.{qualname}, got {name!r:.60}")
    return made


def _bare(cls: Any, error: type[Exception]) -> Any:
    """Return an instance without contents."""
    if hasattr(cls, "__del__"):  # a message could have it called with contents of its choosing
        raise error(f"expected a class without __del__, got {cls.__module__}.{cls.__qualname__}")
    try:
        return object.__new__(cls)
    except TypeError as refusal:  # of exceptions, of containers, of abstract classes
        raise error(f"expected a dataclass of fields alone, got {cls.__module__}.{cls.__qualname__}") from refusal


# ---- pydantic's models ----


def _is_model(cls: type) -> bool:
    pydantic = sys.modules.get("pydantic")  # who has a model has loaded it
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def _model(v: Any, _: Encoder) -> list[Any]:
    cls = type(v)
    _bare(cls, Unserializable)
    fields = {name: value for name, value in v.__dict__.items() if name in cls.model_fields}
    undefined = sys.modules["pydantic_core"].PydanticUndefined
    private = {name: value for name, value in (v.__pydantic_private__ or {}).items() if value is not undefined}
    origin = cls.__pydantic_generic_metadata__["origin"]
    if origin is not None and _loaded(cls.__module__, cls.__qualname__) is not cls:
        cls = origin  # a variant that only an annotation names: it is equal to one of the generic model
    return [*_place(cls, "a model"), fields, v.__pydantic_extra__, sorted(v.__pydantic_fields_set__), private]


def _to_model(p: list[Any], _: Decoder) -> Any:
    module, qualname, fields, extra, given, private = p
    cls = _class(module, qualname, _is_model, "model")
    for name in fields:
        if name not in cls.model_fields:
            raise CodecError(f"message: expected a field of {module}.{qualname}, got {name!r:.60}")
    for name, field in cls.model_fields.items():
        if name in fields:
            continue
        if field.is_required():
            raise CodecError(f"message: expected {module}.{qualname} with {name!r}, got none")
        fields[name] = field.get_default(call_default_factory=True, validated_data=fields)
    hidden = {name: one.get_default() for name, one in cls.__private_attributes__.items()} | private
    made = _bare(cls, CodecError)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_extra__", extra)
    object.__setattr__(made, "__pydantic_fields_set__", set(given))
    object.__setattr__(made, "__pydantic_private__", hidden or None)
    return made


# ---- what a text says whole: addresses of networks, and pydantic's URLs ----


def _text(v: Any, _: Encoder) -> list[str]:
    return [type(v).__module__, type(v).__qualname__, str(v)]


def _from_text(p: list[Any], _: Decoder) -> Any:
    module, qualname, text = p
    return _class(module, qualname, _is_text, "type")(text)


def _is_text(cls: type) -> bool:
    module, name = cls.__module__, cls.__qualname__
    return module == "ipaddress" or (module == "pydantic.networks" and name.endswith(("Url", "Dsn")))


# ---- which is which ----

ENUM = Kind(16, _enum, _to_enum)
NAMED_TUPLE = Kind(17, _named_tuple, _to_named_tuple)
DATACLASS = Kind(18, _dataclass, _to_dataclass)
MODEL = Kind(19, _model, _to_model)
TEXT = Kind(20, _text, _from_text)
for _kind in (ENUM, NAMED_TUPLE, DATACLASS, MODEL, TEXT):
    register(_kind)


def _find(cls: type) -> Kind | None:
    if issubclass(cls, enum.Enum):
        return ENUM
    if _is_named_tuple(cls):
        return NAMED_TUPLE
    if _is_dataclass(cls):
        return DATACLASS
    if _is_model(cls):
        return MODEL
    return TEXT if _is_text(cls) else None


FINDERS.append(_find)
