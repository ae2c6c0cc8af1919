"""The Hub: publishes to the clients of one process, over whatever carries them."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastcore import metrics
from fastcore.concurrency.waiting import happened
from fastcore.framing import Fanout, FanoutStats
from fastcore.framing.fanout import Policy
from fastcore.streaming import messages
from fastcore.streaming.asgi import Endpoint
from fastcore.streaming.attachment import Attachment, say_unsent
from fastcore.streaming.backplanes.backplane import Backplane, Published
from fastcore.streaming.broadcast import install_hub, installed_hub
from fastcore.streaming.checks import check_body, check_key, one_default, packed
from fastcore.streaming.limits import Limits
from fastcore.streaming.listeners import Listener, Listeners
from fastcore.streaming.presence import CONTROL, Presence
from fastcore.streaming.routing import add_http, add_websocket
from fastcore.streaming.security import Authenticate, Authorize, Origins
from fastcore.streaming.sessions import Sessions
from fastcore.streaming.sse import Events
from fastcore.streaming.statistics import HubStats, Samples
from python_fallback.shared.framing.topics import check_pattern, check_topic

__all__ = ["Hub", "HubBusy"]

_log = logging.getLogger("fastcore.streaming")


class HubBusy(RuntimeError):
    """Other threads publish faster than the event loop reads; this message was not published.

    Examples
    --------
    >>> from fastcore.streaming import HubBusy
    >>> issubclass(HubBusy, RuntimeError)
    True
    """


class Hub(Presence):
    """Publishes objects by topic to the WebSocket clients of this process, each packed and framed once.

    Publish from any thread, or from the event loop. What is published in one turn of the loop leaves in one write for
    each client. A hub belongs to one event loop: that of its first client.

    Parameters
    ----------
    policy : {"all", "conflate", "drop"}, default "all"
        What is queued for a client whose connection is full: every message, the newest of each key, or none.
    history : int, default 100
        Messages of a topic that are kept for clients that reconnect; :meth:`configure` sets both by topic.
    origins : "*" or iterable of str, optional
        Pages whose scripts may connect (``https://desk.example.com``, ``https://*.example.com``); by default those of
        the host they connect to. Programs that send no Origin are let in.
    authenticate : callable, optional
        Called, and awaited if async, with a client's token; returns a :class:`Grant`, True, or a false value for an
        invalid token. By default no token is required. It runs in the event loop. With a second parameter it also
        gets the :class:`Caller`, with headers, cookies and address, and is called for clients without a token (None)
        too.
    authorize : callable, optional
        Called with the Grant and a topic or pattern that a client subscribes to; returns whether that is allowed.
    limits : Limits, optional
    ping, pong : float, default 15 and 8
        Seconds between two pings, and seconds that a client has to answer one.
    wbits : int, default 12
        Largest window of shared compression; see :class:`~fastcore.framing.Fanout`.
    threshold : int, default 256
        Bytes below which a message is sent plain.
    spread : float, default 5
        Seconds over which clients come back after a drain.
    backplane : Backplane, optional
        Carries what is published to the hubs of other processes too; see :meth:`start`.
    beat : float, default 1
        Seconds between two looks at the clock: pings and time limits are late by up to this.
    last : int, default 0
        Messages of each topic that a new subscription begins with, as far as history has them, unless the client says
        where it begins; :meth:`configure` sets it by topic.
    default : callable, optional
        Called by :meth:`publish` with an object that msgpack does not know; returns one that it does. What clients get,
        in JSON too, is what it returned.
    enc_hook : callable, optional
        Another name of `default`, msgspec's.

    Examples
    --------
    >>> from fastcore.streaming import Hub
    >>> hub = Hub(policy="conflate")
    >>> hub.publish("prices.AAPL", {"price": 187.2}, key="AAPL")
    >>> len(hub)
    0
    """

    def __init__(
        self,
        *,
        policy: Policy = "all",
        history: int = 100,
        origins: str | Iterable[str] | None = None,
        authenticate: Authenticate | None = None,
        authorize: Authorize | None = None,
        limits: Limits | None = None,
        ping: float = 15.0,
        pong: float = 8.0,
        wbits: int = 12,
        threshold: int = 256,
        spread: float = 5.0,
        backplane: Backplane | None = None,
        beat: float = 1.0,
        last: int = 0,
        default: Callable[[Any], Any] | None = None,
        enc_hook: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__()
        if not 0 < pong <= ping:
            raise ValueError(f"pong: expected seconds > 0 and at most ping, {ping:g}, got {pong:g}")
        self.limits = Limits() if limits is None else limits
        self.origins = Origins(origins)
        self.spread = float(spread)
        self.draining = False
        self.slow_path = False  # a client came through plain ASGI
        self.refused: Counter[int] = Counter()  # by HTTP status
        self.lost = 0  # messages of other threads that the backplane did not take
        self._fan = Fanout(
            policy=policy,
            limit=self.limits.backlog,
            total_limit=self.limits.total_backlog,
            history=history,
            last=last,
            max_subscriptions=self.limits.subscriptions,
            max_topic_length=self.limits.topic_length,
            wbits=wbits,
            threshold=threshold,
        )
        self.clients = Sessions(
            self._fan,
            self.limits,
            self.schedule,
            ping=float(ping),
            pong=float(pong),
            beat=float(beat),
            authenticate=authenticate,
            authorize=authorize,
        )
        self._published: set[str] = set()  # topics
        self._taps = Listeners()
        self.backplane = backplane
        self._attachment = Attachment(backplane)
        self._default = one_default(default, enc_hook)
        self._lock = threading.Lock()  # of the next five
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._pid = os.getpid()
        self._inbox: deque[tuple[str, bytes, Any]] = deque()
        self._inbox_bytes = 0
        self._woken = False
        self._scheduled = False
        self._first = 0.0  # when the oldest message of this tick was published
        self._latency = metrics.latency("fastcore_stream_publish_seconds")
        self._stop_samples = weakref.finalize(self, metrics.collect(Samples(self)))
        self.asgi = Endpoint(self)
        if backplane is not None:
            say_unsent(self)

    # -- for the application ----------------------------------------------------------------------------------------

    def route(self, app: Any, path: str = "/stream") -> None:
        """Serve clients at `path` of a FastAPI or Starlette application, or of one of its routers.

        FastAPI's dependencies and the prefix of `app` hold for it as for every route.
        The first hub that is routed becomes the one of this process, see :func:`broadcast_analysis_results`.
        """
        add_websocket(app, path, self.asgi, "fastcore_stream")
        if installed_hub() is None:
            install_hub(self)

    def sse(self, app: Any, path: str = "/stream/events") -> None:
        """Serve server-sent events at `path`, to clients that only listen: ``GET /stream/events?topics=prices.*``.

        Who may connect, what is kept for those who come back (``Last-Event-ID``) and what is held back for those who do
        not keep up are as for :meth:`route`; with FastAPI, dependencies, prefix, tags and responses of `app` hold too.
        """
        add_http(app, path, Events(self), "fastcore_stream_events")

    async def start(self) -> None:
        """Bind this hub to the running loop, and connect the backplane if there is one.

        The first client does it too; calling it at start-up reports problems, and loads history, earlier.
        """
        self.bind()
        if await self._attachment.start(self):
            self._take_inbox()

    def publish(self, topic: str, obj: Any = None, key: str | bytes | int | None = None) -> None:
        """Publish an object to the subscribers of `topic`, now and, within history, later.

        It is packed before this returns, and may change afterwards. Callable from any thread. With a backplane
        it is sent once :meth:`start` was awaited or a client came; a program without an event loop uses a
        :class:`Publisher`.

        Parameters
        ----------
        topic : str
            Words with dots between.
        obj : object
            What msgpack can hold; numpy scalars and arrays, datetimes with a zone and Decimals (as str) as well. Every
            client can read it: keys of maps are str or int, it has at most 62 levels, and at most 16 MiB packed.
        key : str, bytes or int, optional
            Of messages with one key only the newest is kept for slow clients, and sent to those that reconnect.

        Raises
        ------
        ValueError, TypeError
            If the topic, the key or the object is invalid.
        HubBusy
            If the event loop is too far behind with what other threads have published.
        """
        self._publish(self._checked(topic, key), packed(obj, self._default), key)

    def publish_packed(self, topic: str, body: bytes, key: str | bytes | int | None = None) -> None:
        """Publish an object that is packed already."""
        name = self._checked(topic, key)
        check_body(body)
        self._publish(name, body, key)

    def _checked(self, topic: str, key: Any) -> str:
        if topic == CONTROL:
            raise ValueError(f"topic: expected a name other than {CONTROL}, which is the hubs' own")
        check_key(key)
        if type(topic) is str and topic in self._published:  # it was checked when it came first
            return topic
        return check_topic(topic, self.limits.topic_length)

    def _publish(self, topic: str, body: bytes, key: str | bytes | int | None) -> None:
        if self._thread == threading.get_ident() and self._attachment.ready:
            self._hand_on(topic, body, key)
            self._taps.tell()
            return
        with self._lock:
            self._leave(topic, body, key)
        self._taps.tell()

    def _leave(self, topic: str, body: bytes, key: Any) -> None:
        """Publish if the loop does not run, else leave the message to the loop; with the lock held."""
        loop = self._living()
        if loop is None and self.backplane is None:
            self._deliver(topic, body, key)
            return
        if self._inbox_bytes + len(body) > self.limits.inbox:
            raise HubBusy(f"publish: expected at most {self.limits.inbox} bytes waiting for the loop, got more")
        self._inbox_bytes += len(body)
        self._inbox.append((topic, body, key))
        if not self._woken and loop is not None:
            try:
                loop.call_soon_threadsafe(self._take_inbox)
                self._woken = True
            except RuntimeError:  # the loop was closed a moment ago
                self._living()

    def listen(self, pattern: str, fn: Listener) -> Callable[[], None]:
        """Call `fn(topic, object)` for every message to topics that match `pattern`; return a function that removes it.

        The object is as clients get it, those published through a backplane by other processes included. It is called
        in the thread that publishes or, where that is not the loop's, in the loop; it should be quick. Its errors are
        logged.

        Examples
        --------
        >>> from fastcore.streaming import Hub
        >>> hub = Hub()
        >>> stop = hub.listen("prices.*", print)
        >>> hub.publish("prices.AAPL", {"price": 187.2})
        prices.AAPL {'price': 187.2}
        >>> stop()
        """
        return self._taps.add(check_pattern(pattern, self.limits.topic_length), fn)

    def fanned(self) -> FanoutStats:
        """Return the Fanout's statistics."""
        return self._fan.stats()

    def configure(
        self, pattern: str, *, policy: Policy | None = None, history: int | None = None, last: int | None = None
    ) -> None:
        """Set the rules of the topics that match `pattern`; before the first client, or from the loop."""
        self._fan.configure(pattern, policy=policy, history=history, last=last)

    def __len__(self) -> int:
        """The number of clients, without those that have no valid token."""
        return len(self._fan)

    @property
    def epoch(self) -> str:
        """The epoch of the offsets: a different one each time the hub starts."""
        return self._fan.epoch

    def subscribers(self, topic: str) -> int:
        """Return how many clients a message to `topic` would reach."""
        return self._fan.subscribers(topic)

    def stats(self) -> HubStats:
        """Return counts since the start, and the current state."""
        return HubStats.of(self)

    def readiness(self) -> dict[str, Any]:
        """Return the readiness for `/readyz`: ``ready``, ``path`` ("direct" or "asgi"), ``clients`` and a ``detail``.

        A hub is not ready until its backplane has started (asked in the event loop, this tries to start it), nor once
        that has been without connection for five seconds.
        """
        dead, detail = self._attachment.readiness(self, self.clients.now())
        if self.draining:
            detail = "draining: clients are sent away"
        elif not detail:
            detail = "ok"
            if self.slow_path:
                detail = (
                    "slow path, for want of a transport: uvicorn --ws fastcore.streaming.uvicorn:HubProtocol has one"
                )
        return {
            "ready": not (self.draining or dead),
            "path": "asgi" if self.slow_path else "direct",
            "clients": len(self),
            "detail": detail,
        }

    def lives_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this hub is bound to `loop`, or to no loop that still runs."""
        return self._loop in (None, loop)

    async def drain(self, grace: float = 10.0, spread: float | None = None) -> None:
        """Close all clients, so that this process can end: no new ones are accepted, the others reconnect elsewhere.

        Each is given its own delay, over `spread` seconds. Clients that are still connected after `grace` seconds are
        closed. Returns when no client is left.
        """
        self.draining = True
        if spread is not None:
            self.spread = float(spread)
        clients = self.clients
        if len(clients):
            for session in clients.all():
                session.drain(self.drain_delay())
            if not await happened(clients.emptied, grace):
                for session in clients.all():
                    session.close(messages.CLOSE_DRAINED, "drained: come back")
        await self.aclose()

    async def aclose(self) -> None:
        """Release timers, metrics and the backplane. Clients that are still connected are not notified."""
        self._stop_samples()
        self.clients.stop()
        await self._attachment.aclose()

    def drain_delay(self) -> float:
        """Draw the seconds after which a client that is sent away comes back."""
        return self.clients.random.uniform(0, self.spread)

    # -- publishing -------------------------------------------------------------------------------------------------

    def _deliver(self, topic: str, body: bytes, key: Any, offset: int | None = None) -> None:
        """Give a message to the Fanout, in the thread it belongs to."""
        self._fan.publish_packed(topic, body, key, offset=offset)
        if topic not in self._published:
            self._published.add(topic)
            self.clients.introduce(topic, self._fan.topic_id(topic))
        if self._taps:
            self._taps.put(topic, body)
        if not self._scheduled and len(self.clients):
            self._first = time.perf_counter()
            self.schedule()

    def _hand_on(self, topic: str, body: bytes, key: Any) -> None:
        """Publish in the loop's thread: here, or by way of the backplane."""
        if self.backplane is None:
            self._deliver(topic, body, key)
        else:
            self.backplane.publish(topic, body, key)

    def _take_inbox(self) -> None:
        """Publish the messages of other threads."""
        with self._lock:
            self._woken = False
            if not self._attachment.ready:  # it is taken up when that has started
                return
            taken, self._inbox, self._inbox_bytes = self._inbox, deque(), 0
        for topic, body, key in taken:
            try:
                self._hand_on(topic, body, key)
            except Exception:  # the publisher has returned already
                self.lost += 1
                _log.exception("a message to %s was not published", topic)
        self._taps.tell()

    def schedule(self) -> None:
        """Schedule a write of the waiting messages at the end of this turn of the loop."""
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write one tick: protocol messages first, then data."""
        self._scheduled = False
        self.clients.write_notices()
        fan = self._fan
        count, rest = fan.send()
        for session, lines in rest.items():
            try:
                if len(lines) == 1:
                    session.write(lines[0])
                else:
                    session.writelines(lines)
            except Exception:
                self.clients.broken(session)
        if count and self._first:
            self._latency.observe(time.perf_counter() - self._first)
        self._first = 0.0
        for closing in fan.take_closing():
            closing.connection.close(closing.code, closing.reason)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def bind(self) -> None:
        """Bind this hub to the running loop."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        with self._lock:
            if self._living() is not None:
                raise RuntimeError("Hub: expected clients of one event loop, got one of another")
            self._loop, self._thread = loop, threading.get_ident()
            if self._pid != os.getpid():
                self._pid = os.getpid()
                self._part()

    def _part(self) -> None:
        """Begin a numbering of its own in a worker that was forked off: its siblings go on from the same one."""
        self.clients.random.seed()
        if self.backplane is None:
            self._fan.renew(secrets.token_hex(8), max(map(self._fan.offset, self._published), default=0))

    def _living(self) -> asyncio.AbstractEventLoop | None:
        """The hub's loop, unless it is closed: then it and its clients are forgotten; with the lock held."""
        if self._loop is not None and self._loop.is_closed():
            self._loop, self._thread = None, 0
            self._woken = self._scheduled = False
            self.clients.forget_all()
            self._attachment.forget()
            if self.backplane is None:
                taken, self._inbox, self._inbox_bytes = self._inbox, deque(), 0
                for topic, body, key in taken:
                    self._deliver(topic, body, key)
        return self._loop

    # -- what a backplane delivers to -------------------------------------------------------------------------------

    def renew(self, epoch: str, floor: int, newest: Sequence[Published]) -> None:
        """Begin the numbering of a backplane, or another one."""
        if len(self.clients):
            frame = messages.framed(messages.EPOCH, epoch)
            for session in self.clients.all():
                if session.welcomed:
                    session.notice(frame)
            self._flush()  # so that it comes before all messages of the new numbering
        if newest:
            self._fan.renew(epoch, 0)
            for message in newest:
                if message.topic != CONTROL:
                    self.deliver(message)
        self._fan.renew(epoch, floor)

    def deliver(self, message: Published) -> None:
        """Publish a message of the backplane to the clients here."""
        if message.topic == CONTROL:
            self._heard(message.body)
            return
        check_key(message.key)  # it comes from outside
        check_topic(message.topic, self.limits.topic_length)
        self._deliver(message.topic, message.body, message.key, message.offset)
        self._taps.tell()

    def unsent(self) -> int:
        """Return how many messages wait for the loop or for the backplane to start."""
        return len(self._inbox)
