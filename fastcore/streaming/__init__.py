"""One message to many WebSocket clients: the hub, its protocol, its clients and its backplanes."""

from __future__ import annotations

from fastcore.streaming.broadcast import broadcast_analysis_results, install_hub, installed_hub
from fastcore.streaming.hub import Hub, HubBusy
from fastcore.streaming.limits import Limits
from fastcore.streaming.security import Grant
from fastcore.streaming.statistics import HubStats

__all__ = [
    "Grant",
    "Hub",
    "HubBusy",
    "HubStats",
    "Limits",
    "broadcast_analysis_results",
    "install_hub",
    "installed_hub",
]
