"""Reads what the desk streams: plain messages of the original endpoint, or the protocol of the hub."""

from __future__ import annotations

from typing import Any

import msgpack

__all__ = ["HEARTBEAT", "Reader"]

HEARTBEAT = b"\x91\x06"  # [6]: the hub's ping, and a client's answer
WELCOME, DATA, TOPIC, SUBSCRIBED, ERROR, PING = 0, 1, 2, 3, 5, 6  # docs/protocol.md


class Reader:
    """The messages of one connection.

    Attributes
    ----------
    pinged : int
        Answers that the hub waits for.
    """

    def __init__(self) -> None:
        self.pinged = 0
        self._topics: dict[int, str] = {}

    def read(self, payload: bytes) -> list[dict[str, Any]]:
        """Return the messages that a frame carries.

        Raises
        ------
        ValueError
            If it is neither a map of msgpack with a topic, nor of the hub's protocol.
        """
        unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=1 << 24)
        unpacker.feed(payload)
        found = []
        try:
            for value in unpacker:
                message = value if isinstance(value, dict) else self._of_hub(*value)
                if message is not None:
                    found.append({"topic": message["topic"], "seq": message["seq"], **message})
        except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException) as error:
            raise ValueError(f"message: expected a msgpack map with topic and seq, got {payload[:40]!r}") from error
        return found

    def _of_hub(self, kind: int, *values: Any) -> dict[str, Any] | None:
        if kind == DATA:
            message: dict[str, Any] = values[2]
            if message["topic"] != self._topics[values[0]]:
                raise ValueError(f"topic: expected {self._topics[values[0]]!r}, got {message['topic']!r}")
            return message
        if kind == SUBSCRIBED:
            self._topics |= {number: name for name, number, *_ in values[1]}
        elif kind == TOPIC:
            self._topics[values[0]] = values[1]
        elif kind == PING:
            self.pinged += 1
        elif kind == ERROR:
            raise ValueError(f"the hub refuses: {values[2]}")
        return None
