"""The whole desk: services, flags, replay and fan-out, put together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import fastcore
from examples.market_desk.connection_manager import ConnectionManager, Message
from examples.market_desk.flags import HOT_PATHS, NOT_YET, SERVICES
from examples.market_desk.optimised import OptimizedReportService, OptimizedTechnicalAnalysisService, price_monitor
from examples.market_desk.prices import Market
from examples.market_desk.replay import Replay, topic_of
from examples.market_desk.shared_frames import SharedFrames
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
        self.hub = Hub(policy="conflate")
        self.connections = ConnectionManager(self.topics)
        self.shared_frames = SharedFrames(self.connections)
        self.broadcast = Switch(
            "realtime_streaming",
            control=self.connections.broadcast,
            candidate=self.shared_frames.broadcast,
        )
        self.on_tick = price_monitor(market, self.analysis, first - WARM_UP)
        self.replay = Replay(market, self.on_tick, self.broadcast, rate, first, self._publish)

    def _publish(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Give what was broadcast to the hub: its own clients, and the dashboard's prices."""
        for topic, message in messages:
            self.hub.publish(topic, {"price": message["close"], **message}, key=topic)

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
            "clients": len(self.connections.subscriptions),
            "sent": self.connections.sent,
            "closed_slow": self.shared_frames.closed_slow,
            "cache": {"hits": info.hits, "misses": info.misses},
        }
