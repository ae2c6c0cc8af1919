"""The text form of an assignment key, the same in every process."""

from __future__ import annotations

__all__ = ["key_bytes", "plain_key"]


def key_bytes(key: object) -> bytes:
    if isinstance(key, str):
        return key.encode("utf-8", "surrogatepass")  # lone surrogates: a key comes from outside
    if isinstance(key, bytes):
        return key
    if isinstance(key, int):
        return int.__repr__(key).encode()
    return plain_key(key).encode("utf-8", "surrogatepass")


def plain_key(key: object) -> str:
    """Return the text form of a key of another type, the same in every process.

    Raises
    ------
    TypeError
        For a type whose values have no such text.
    """
    import datetime
    import decimal
    import enum
    import fractions
    import numbers
    import pathlib
    import uuid

    if type(key) is tuple:
        return "(" + ",".join(_part(part) for part in key) + ")"
    if isinstance(key, enum.Enum):
        return f"{type(key).__qualname__}.{key.name}"
    if isinstance(key, numbers.Integral):
        return str(int(key))
    if isinstance(key, numbers.Real) and not isinstance(key, numbers.Rational):
        return repr(float(key))
    if isinstance(key, datetime.date | datetime.time):  # a datetime is a date
        return key.isoformat()
    if isinstance(key, decimal.Decimal | fractions.Fraction | uuid.UUID | pathlib.PurePath):
        return str(key)
    raise TypeError(
        f"key: expected a str, bytes, int or another value with one text in every process (float, Decimal, UUID, date, "
        f"Enum, a tuple of these), got {type(key).__name__}"
    )


def _part(key: object) -> str:
    if key is None or isinstance(key, str | bytes):
        return repr(key)
    return key_bytes(key).decode("utf-8", "surrogatepass")
