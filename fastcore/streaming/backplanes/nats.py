"""A backplane for several machines: messages go through a JetStream stream, which numbers and keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any, Literal

from fastcore.concurrency.checks import count, number, one_of
from fastcore.concurrency.waiting import happened
from fastcore.framing import packb, unpackb
from fastcore.streaming.backplanes.backplane import BackplaneFull, BackplaneState, Key, Published, Sink, check_publish

__all__ = ["NatsBackplane"]

_log = logging.getLogger("fastcore.streaming")

PLACES = 1 << 16  # offset = sequence in the stream x this + place in the batch
BATCH = 1000  # messages
BATCH_BYTES = 512 << 10
BEAT = 1.0  # seconds between a consumer's signs of life where there are no messages
SILENT = 4 * BEAT
ANSWER_WITHIN = 3.0
AGAIN = 0.2
DUPLICATES = 120.0  # seconds for which the server knows a batch again
ORIGINS = 4096


class NatsBackplane:
    """Carries messages between hubs on any number of machines, through NATS with JetStream.

    What is published while the server is busy with the batch before goes out as the next batch: order is kept, and each
    message comes to every node once, also where a server dies and a batch is sent again.

    Parameters
    ----------
    servers : str or iterable of str
        ``nats://host:4222``; of a cluster, some of its nodes.
    name : str, default "hub"
        The same for all nodes: names the stream and its subject.
    replicas : int, default 1
        Servers that keep each message; with 3, one of them may die.
    storage : {"file", "memory"}
        Where the servers keep it.
    history_age : float, default 3600
        Seconds for which messages are kept for nodes that start, and for clients that come back to them.
    history_bytes : int, default 64 MiB
        And at most so many bytes.
    limit : int, default 16 MiB
        Bytes published here that may wait for a number.
    start_timeout : float, default 30
        Seconds in which a server has to be found.
    connect_options : dict, optional
        Further keywords for ``nats.connect``, as ``user_credentials`` or ``tls``.

    Examples
    --------
    >>> from fastcore.streaming import Hub, NatsBackplane
    >>> hub = Hub(backplane=NatsBackplane("nats://10.0.0.5:4222", replicas=3))
    """

    def __init__(
        self,
        servers: str | Iterable[str] = "nats://127.0.0.1:4222",
        *,
        name: str = "hub",
        replicas: int = 1,
        storage: Literal["file", "memory"] = "file",
        history_age: float = 3600.0,
        history_bytes: int = 64 << 20,
        limit: int = 16 << 20,
        start_timeout: float = 30.0,
        connect_options: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ValueError(f"name: expected 1 to 64 letters, digits, _ and -, got {name!r:.80}")
        self.id = ""
        self._servers = [servers] if isinstance(servers, str) else list(servers)
        self._stream = f"fastcore-{name}"
        self._subject = f"fastcore.{name}"
        self._replicas = count("replicas", replicas)
        self._storage = one_of("storage", storage, ("file", "memory"))
        self._age = number("history_age", history_age)
        self._bytes = count("history_bytes", history_bytes)
        self._limit = count("limit", limit)
        self._patience = number("start_timeout", start_timeout)
        self._options = dict(connect_options or {})
        self._sink: Sink | None = None
        self._nc: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._epoch = ""
        self._last = 0  # sequence in the stream
        self._offset = 0
        self._nodes = 1
        self._following = False
        self._ready = asyncio.Event()
        self._heard = asyncio.Event()
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._n = 0
        self._queue: deque[tuple[int, str, Key, bytes]] = deque()  # not sent yet
        self._waiting = 0  # bytes, those of the batch under way included
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._seen: OrderedDict[str, int] = OrderedDict()  # by node: how far its messages have come

    # ---- as a backplane ----

    async def start(self, sink: Sink) -> None:
        """Connect and take in what history the stream has.

        Raises
        ------
        TimeoutError
            If no server with JetStream was found in `start_timeout`.
        """
        nats = _nats()
        if self._sink is not None:
            raise RuntimeError("start: expected a backplane that was not started, got one that was")
        self._sink = sink
        self.id = secrets.token_hex(8)  # not before: workers may be forked off an application that is there already
        theirs = self._options.get("reconnected_cb")

        async def reconnected() -> None:
            self._inbox.put_nowait(None)  # checks the consumer, which may have been deleted
            if theirs is not None:
                await theirs()

        try:
            async with asyncio.timeout(self._patience):
                self._nc = await nats.connect(
                    self._servers,
                    **{
                        "name": f"{self._stream} {self.id}",
                        "max_reconnect_attempts": -1,
                        "reconnect_time_wait": 0.25,
                        "connect_timeout": 2,
                        "ping_interval": 5,
                        "max_outstanding_pings": 2,
                        "error_cb": _note,
                        **self._options,
                        "reconnected_cb": reconnected,
                    },
                )
                loop = asyncio.get_running_loop()
                self._tasks = [
                    loop.create_task(self._follow(), name="fastcore-nats-follow"),
                    loop.create_task(self._send(), name="fastcore-nats-send"),
                ]
                await self._ready.wait()
        except TimeoutError:
            await self._stop()
            self._sink = None  # so that it may be tried again
            raise TimeoutError(
                f"start: expected a NATS server with JetStream at {', '.join(self._servers)} "
                f"in {self._patience:g} s, got none"
            ) from None
        except BaseException:
            await self._stop()
            self._sink = None
            raise

    def publish(self, topic: str, body: bytes, key: Key = None) -> None:
        """Hand over a message; it comes back with its number."""
        check_publish(topic, body, key)
        if not self._tasks:
            raise RuntimeError("publish: expected a backplane that was started and not closed, got another")
        size = len(body)
        if size > BATCH_BYTES:
            raise ValueError(f"body: expected at most {BATCH_BYTES} bytes for a backplane, got {size}")
        if self._waiting and self._waiting + size > self._limit:
            raise BackplaneFull(f"publish: expected at most {self._limit} bytes waiting for NATS, got more")
        self._n += 1
        self._waiting += size
        self._queue.append((self._n, topic, key, body))
        self._more.set()

    def state(self) -> BackplaneState:
        """Return the state."""
        connected = self._following and self._nc is not None and bool(self._nc.is_connected)
        role = "client" if self._tasks else "closed"
        return BackplaneState(connected, role, self._epoch, self._offset, self._waiting, self._nodes)

    async def aclose(self) -> None:
        """Wait a second at most until messages published here are numbered, then disconnect."""
        if self._tasks and (self._queue or self._waiting):
            self._idle.clear()
            await happened(self._idle, 1.0)
        await self._stop()

    async def _stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        nc, self._nc = self._nc, None
        if nc is not None and not nc.is_closed:
            await nc.close()

    # ---- sending ----

    async def _send(self) -> None:
        js = self._nc.jetstream(timeout=ANSWER_WITHIN)
        while True:
            if not self._queue:
                if not self._waiting:
                    self._idle.set()
                self._more.clear()
                await self._more.wait()
            batch: list[tuple[int, str, Key, bytes]] = []
            size = 0
            while self._queue and len(batch) < BATCH and (not batch or size + len(self._queue[0][3]) <= BATCH_BYTES):
                batch.append(self._queue.popleft())
                size += len(batch[-1][3]) + len(batch[-1][1])
            first = batch[0][0]
            payload = packb([self.id, first, [message[1:] for message in batch]])
            headers = {"Nats-Msg-Id": f"{self.id}:{first}"}  # so that a batch sent again is known again
            while True:
                try:
                    await js.publish(self._subject, payload, headers=headers, stream=self._stream)
                    break
                except Exception as error:
                    _log.debug("%s: a batch is sent again: %r", self._stream, error)
                    await asyncio.sleep(AGAIN)
            self._waiting -= sum(len(message[3]) for message in batch)

    # ---- following ----

    async def _follow(self) -> None:
        """Consume the stream from where this node is, and again from there whenever that breaks."""
        js = self._nc.jetstream(timeout=ANSWER_WITHIN)
        while True:
            inbox = None
            try:
                target = await self._place(js)
                inbox = await self._consume(js)
                await self._take_all(target)
            except Exception as error:
                _log.debug("%s: consumer restarted after %r", self._stream, error)
            finally:
                self._following = False
                if inbox is not None:
                    with contextlib.suppress(Exception):  # the link may be lost, and the consumer with it soon
                        await inbox.unsubscribe()
            await asyncio.sleep(AGAIN)

    async def _place(self, js: Any) -> int:
        """Find or make the stream, and begin its numbering where this node has another; returns its last sequence."""
        from nats.js.errors import NotFoundError

        assert self._sink is not None
        try:
            info = await js.stream_info(self._stream)
        except NotFoundError:
            info = await self._make(js)
        epoch = str((info.config.metadata or {}).get("fastcore_epoch", ""))
        first, last = int(info.state.first_seq), int(info.state.last_seq)
        self._nodes = max(1, int(info.state.consumer_count or 1))
        if epoch == self._epoch and last < self._last:  # its servers have lost it: the same numbers would come again
            await js.delete_stream(self._stream)
            raise RuntimeError("expected the stream to go on, got one that begins again")
        if epoch != self._epoch or first > self._last + 1:
            self._epoch = epoch
            self._last = max(first, 1) - 1
            self._offset = self._last * PLACES + PLACES - 1 if self._last else 0
            self._seen.clear()
            self._sink.renew(epoch, self._offset, [])
        return last

    async def _make(self, js: Any) -> Any:
        from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
        from nats.js.errors import BadRequestError

        config = StreamConfig(
            name=self._stream,
            subjects=[self._subject],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE if self._storage == "file" else StorageType.MEMORY,
            num_replicas=self._replicas,
            max_age=self._age,
            max_bytes=self._bytes,
            duplicate_window=min(DUPLICATES, self._age),
            metadata={"fastcore_epoch": secrets.token_hex(8)},
        )
        try:
            return await js.add_stream(config)
        except BadRequestError:  # another node was faster, with an epoch of its own
            return await js.stream_info(self._stream)

    async def _consume(self, js: Any) -> Any:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        self._inbox = asyncio.Queue()
        subject = self._nc.new_inbox()
        subscription = await self._nc.subscribe(subject, cb=self._inbox.put)
        try:
            await js.add_consumer(
                self._stream,
                ConsumerConfig(
                    deliver_subject=subject,
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=self._last + 1,
                    ack_policy=AckPolicy.NONE,
                    max_deliver=1,
                    flow_control=True,
                    idle_heartbeat=BEAT,
                    inactive_threshold=30.0,
                    num_replicas=1,
                    mem_storage=True,
                ),
            )
        except BaseException:
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()
            raise
        return subscription

    async def _take_all(self, target: int) -> None:
        """Deliver messages until none arrives, or one is missing."""
        while True:
            if self._last >= target:
                self._following = True
                self._ready.set()
            async with asyncio.timeout(SILENT):
                message = await self._inbox.get()
            if message is None:
                return
            status = (message.headers or {}).get("Status")
            if status is not None:
                if message.reply:  # flow control
                    await self._nc.publish(message.reply)
                elif status == "100" and int(message.headers.get("Nats-Last-Stream", 0)) > self._last:
                    return  # the server has sent what has not come
                elif status != "100":
                    return  # the consumer was deleted
                continue
            sequence = int(message.metadata.sequence.stream)
            if sequence != self._last + 1:
                return
            self._take(sequence, message.data)

    def _take(self, sequence: int, data: bytes) -> None:
        assert self._sink is not None
        self._last = sequence
        try:
            origin, first, batch = unpackb(data)
            if self._seen.get(origin, 0) >= first:
                return  # sent again, after the server had forgotten it
            self._seen[origin] = first + len(batch) - 1
            self._seen.move_to_end(origin)
            if len(self._seen) > ORIGINS:
                self._seen.popitem(last=False)
            messages = [
                Published(topic, sequence * PLACES + place, key, body) for place, (topic, key, body) in enumerate(batch)
            ]
        except (ValueError, TypeError, LookupError):
            _log.error("%s: message %d is not of a backplane", self._stream, sequence)
            return
        for message in messages:
            self._offset = message.offset
            try:
                self._sink.deliver(message)
            except Exception:
                _log.exception("a message to %s was not delivered", message.topic)


async def _note(error: Exception) -> None:
    _log.debug("nats: %r", error)


def _nats() -> Any:
    try:
        import nats
    except ImportError as error:
        raise ImportError('NatsBackplane: expected the package nats-py; pip install "fastcore-native[nats]"') from error
    return nats
