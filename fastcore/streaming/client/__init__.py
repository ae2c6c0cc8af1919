"""The client of a hub: connects, reconnects and resumes."""

from __future__ import annotations

from fastcore.streaming.client.client import Client, ClientStats

__all__ = ["Client", "ClientStats"]
