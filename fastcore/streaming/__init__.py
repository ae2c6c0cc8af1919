"""One message to many WebSocket clients: the hub, its protocol, its clients and its backplanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastcore._lazy import later
from fastcore.streaming.assets import Assets
from fastcore.streaming.backplanes.backplane import Backplane, BackplaneFull, BackplaneState, Published
from fastcore.streaming.broadcast import broadcast_analysis_results, install_hub, installed_hub, topic_word
from fastcore.streaming.caller import Caller
from fastcore.streaming.client.client import Client, ClientStats
from fastcore.streaming.client.events import (
    Connected,
    Disconnected,
    Gap,
    Message,
    Refusal,
    Skipped,
    StreamClosed,
    Subscribed,
    SubscribeError,
    Unsubscribed,
)
from fastcore.streaming.hub import Hub, HubBusy
from fastcore.streaming.limits import Limits
from fastcore.streaming.member import Member, PresenceStats
from fastcore.streaming.redaction import TokenFilter
from fastcore.streaming.security import Grant
from fastcore.streaming.statistics import HubStats

if TYPE_CHECKING:
    from fastcore.streaming.backplanes.nats import NatsBackplane
    from fastcore.streaming.backplanes.unixbus.bus import UnixBus
    from fastcore.streaming.publisher import Publisher

__all__ = [
    "Assets",
    "Backplane",
    "BackplaneFull",
    "BackplaneState",
    "Caller",
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
    "Member",
    "Message",
    "NatsBackplane",
    "PresenceStats",
    "Published",
    "Publisher",
    "Refusal",
    "Skipped",
    "StreamClosed",
    "SubscribeError",
    "Subscribed",
    "TokenFilter",
    "UnixBus",
    "Unsubscribed",
    "broadcast_analysis_results",
    "install_hub",
    "installed_hub",
    "topic_word",
]

__getattr__, __dir__ = later(
    globals(),
    {
        "NatsBackplane": ("fastcore.streaming.backplanes.nats", "NatsBackplane"),
        "Publisher": ("fastcore.streaming.publisher", "Publisher"),
        "UnixBus": ("fastcore.streaming.backplanes.unixbus.bus", "UnixBus"),
    },
)
