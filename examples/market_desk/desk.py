"""The whole desk: services, flags, replay and fan-out, put together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from fastapi import WebSocket

import fastcore
from examples.market_desk.connection_manager import ConnectionManager, Message
from examples.market_desk.flags import HOT_PATHS, NOT_YET, SERVICES
from examples.market_desk.hub_fan_out import HubFanOut
from examples.market_desk.optimised import OptimizedReportService, OptimizedTechnicalAnalysisService, price_monitor
from examples.market_desk.prices import Market
from examples.market_desk.replay import Replay, topic_of
from fastcore import Switch, flags
from fastcore.streaming import Hub
from fastcore.tasks import TaskQueue

__all__ = ["MarketDesk"]

WARM_UP = 250  # trading days of history before the replay starts


class MarketDesk:
    """Everything one server process runs.

    Parameters
    ----------
    market : Market
    rate : float
        Ticks a second.
    """

    def __init__(self, market: Market, rate: float) -> None:
        self.market = market
        self.topics = [topic_of(symbol) for symbol in market.symbols]
        first = market.all_listed
        self.analysis = OptimizedTechnicalAnalysisService(market, today=len(market.dates) - 1)
        self.tasks = TaskQueue("memory", workers={"thread": 1}, max_queued=1000)
        self.reports = OptimizedReportService(market, self.analysis, self.tasks)
        self.hub = Hub()
        self.connections = ConnectionManager(self.topics)
        self.hub_fan_out = HubFanOut(self.hub)
        self.broadcast = Switch(
            "realtime_streaming",
            control=self.connections.broadcast,
            candidate=self.hub_fan_out.broadcast,
        )
        self.on_tick = price_monitor(market, self.analysis, first - WARM_UP)
        self.replay = Replay(market, self.on_tick, self.broadcast, rate, first, self._send_to_others)

    async def stream(self, socket: WebSocket, topics: str) -> None:
        """Serve a client until it leaves: the hub does, or the original connection manager while the flag says so."""
        wanted = self.connections.resolve(topics)
        if flags.get("realtime_streaming").mode != "control":
            await self.hub.asgi(socket.scope, socket.receive, socket.send)
            return
        await socket.accept()
        self.connections.subscribe(socket, wanted)
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # prices go one way; what a client says is read and ignored
        finally:
            self.connections.unsubscribe(socket)

    async def _send_to_others(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Send by the fan-out that the flag did not choose: it may have clients, and the dashboard reads the hub."""
        for side in (self.connections, self.hub_fan_out):
            if side.newest != messages[-1][1]["seq"]:
                await side.broadcast(messages)

    def comparison(self) -> str:
        """Return a table for every Switch: the calls, errors and latencies of both its arms."""
        switches = (
            *(self.analysis.calculate_indicators, self.on_tick, self.analysis.analyse, self.analysis.analyse_many),
            *(self.reports.generate, self.broadcast),
        )
        return "\n\n".join(str(switch.report()) for switch in switches)

    def status(self, after_tick: int = 0) -> dict[str, Any]:
        """Return counters and states as JSON can carry them; times cover the ticks from `after_tick` on."""
        info = self.analysis.cached_analysis.cache_info()
        return {
            "pid": os.getpid(),
            "version": fastcore.__version__,
            "hot_paths": fastcore.status().to_dict()["paths"],
            "flags": {name: flags.get(name).mode for name in (*HOT_PATHS, *SERVICES)},
            "not_yet": NOT_YET,
            "ticks": self.replay.ticks,
            "indicator_ms": self.replay.indicator_time(after_tick)._asdict(),
            "fan_out_ms": self.replay.fan_out_time(after_tick)._asdict(),
            "clients": len(self.connections.subscriptions) + len(self.hub),
            "sent": self.connections.sent + self.hub_fan_out.sent,
            "closed_slow": self.hub_fan_out.closed_slow,
            "cache": {"hits": info.hits, "misses": info.misses},
        }
