"""One message to many WebSocket clients: the hub, its protocol, its clients and its backplanes."""

from __future__ import annotations

from fastcore.streaming.assets import Assets
from fastcore.streaming.backplane import Backplane, BackplaneFull, BackplaneState, Published
from fastcore.streaming.broadcast import broadcast_analysis_results, install_hub, installed_hub
from fastcore.streaming.client import Client, ClientStats
from fastcore.streaming.client_events import (
    Connected,
    Disconnected,
    Gap,
    Message,
    Refusal,
    StreamClosed,
    Subscribed,
    SubscribeError,
)
from fastcore.streaming.hub import Hub, HubBusy
from fastcore.streaming.limits import Limits
from fastcore.streaming.security import Grant
from fastcore.streaming.statistics import HubStats

__all__ = [
    "Assets",
    "Backplane",
    "BackplaneFull",
    "BackplaneState",
    "Client",
    "ClientStats",
    "Connected",
    "Disconnected",
    "Gap",
    "Grant",
    "Hub",
    "HubBusy",
    "HubStats",
    "Limits",
    "Message",
    "Published",
    "Refusal",
    "StreamClosed",
    "SubscribeError",
    "Subscribed",
    "broadcast_analysis_results",
    "install_hub",
    "installed_hub",
]
