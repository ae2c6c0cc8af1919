"""The asyncio client of a hub: it stays connected, resumes its position, and reports gaps."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Literal, NamedTuple, TypeAlias

from fastcore.concurrency.checks import called, count, number, one_of
from fastcore.concurrency.waiting import answer_of
from fastcore.streaming import messages as wire
from fastcore.streaming.client.buffer import Buffer
from fastcore.streaming.client.events import Connected, Disconnected, Message, Notice, Refusal, StreamClosed
from fastcore.streaming.client.link import ANSWER_WITHIN, NO_CLOSE, NotConnected, make, websockets
from fastcore.streaming.client.session import NORMAL, PROTOCOL_ERROR, Limits, Session
from fastcore.streaming.client.url import without_topics

__all__ = ["Client", "ClientStats"]

_log = logging.getLogger("fastcore.streaming")

TokenSource: TypeAlias = str | Callable[[], str | Awaitable[str]] | None
Listener: TypeAlias = Callable[[Any], object]

_ASK_WITHIN = 60.0  # seconds, for a token source
_LOOK = 0.5  # seconds between two looks whether the link is dead, at most


class ClientStats(NamedTuple):
    """Counts since the start, and the current state.

    Examples
    --------
    >>> from fastcore.streaming import Client
    >>> Client("ws://localhost:8000/stream").stats().connected
    False
    """

    connected: bool
    connections: int
    messages: int
    conflated: int
    waiting: int
    gaps: int
    epoch: str


class Client:
    """Receives what a hub publishes, over one WebSocket that is made again whenever it breaks.

    Use it as ``async with`` and iterate over it, or give callbacks. One task reads; messages wait in a bounded buffer.

    Parameters
    ----------
    url : str
        ``ws://`` or ``wss://``; topics in its query count as `topics`.
    topics : iterable of str
        Names and patterns to subscribe to.
    newest : bool, default False
        Begin with the newest message of each key.
    last : int, default 0
        Begin with the given number of last messages of each topic, as far as the server has kept them.
    token : str or callable, optional
        A callable, plain or async, is asked at each connection and again before the token expires.
    buffer : int, default 1000
        Messages that may wait to be taken.
    on_full : {"pause", "conflate"}, default "pause"
        "pause" stops reading, which the server notices: it holds back, and closes the link of one that stays behind;
        then it resumes. "conflate" keeps only the newest of each topic and key.
    on_message, on_notice : callable, optional
        Called on the event loop, and awaited if they return an awaitable. With `on_message` there is nothing to iterate
        over.
    backoff : (float, float), default (0.5, 20.0)
        Bounds of the wait before each attempt, in seconds; it is drawn at random below a bound that doubles.
    limits : Limits, optional
        Size, depth and memory of a server's message: 16 MiB, 64 levels, 256 MiB.
    connect_options : dict, optional
        Further keywords for ``websockets.connect``, as ``ssl``, ``additional_headers`` or ``proxy``.
    rng, clock : callable, optional
        A number from [0, 1); seconds that only grow.

    Raises
    ------
    StreamClosed
        From the iteration, if the server forbids reconnecting.

    Examples
    --------
    ::

        async with Client("ws://127.0.0.1:8000/stream", ["prices.*"], newest=True) as client:
            async for message in client:
                print(message.topic, message.data)

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.streaming import Client
    >>> async def show(url):
    ...     async with Client(url, ["prices.*"], newest=True) as client:
    ...         async for message in client:
    ...             print(message.topic, message.data)
    >>> asyncio.iscoroutinefunction(show)            # asyncio.run(show("ws://localhost:8000/stream"))
    True
    """

    def __init__(
        self,
        url: str,
        topics: Iterable[str] = (),
        *,
        newest: bool = False,
        last: int = 0,
        token: TokenSource = None,
        buffer: int = 1000,
        on_full: Literal["pause", "conflate"] = "pause",
        on_message: Listener | None = None,
        on_notice: Listener | None = None,
        backoff: tuple[float, float] = (0.5, 20.0),
        limits: Limits | None = None,
        connect_options: dict[str, Any] | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        low, high = (number("backoff", seconds, zero=True) for seconds in backoff)
        if high < low:
            raise ValueError(f"backoff: expected two numbers, the second not below the first, got {backoff!r}")
        if isinstance(topics, str):
            raise TypeError("topics: expected an iterable of names, got str")
        for name, listener in (("on_message", on_message), ("on_notice", on_notice)):
            if listener is not None:
                called(name, listener)
        if token is not None and not isinstance(token, str):
            called("token", token)
        self._url, named = without_topics(url)
        self._session = Session(
            [*named, *topics],
            newest=newest,
            last=count("last", last) if last else 0,
            limits=limits,
            backoff=(low, high),
            rng=rng,
        )
        self._token = token
        self._buffer = Buffer(count("buffer", buffer), one_of("on_full", on_full, ("pause", "conflate")) == "conflate")
        self._on_message = on_message
        self._on_notice = on_notice
        self._options = dict(connect_options or {})
        self._clock = clock
        self._rng = rng
        self._link: Any = None  # websockets' connection
        self._listening: float | None = None  # since when the next message is waited for
        self._silent = False
        self._task: asyncio.Task[None] | None = None
        self._ended: BaseException | None = None
        self._finished = self._leaving = False
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._up = asyncio.Event()
        self._trouble = ""  # why the last attempt came to nothing
        self._connections = self._messages = self._gaps = 0

    # ---- its life ----

    async def start(self) -> None:
        """Begin to connect, in a separate task; an unreachable server is retried."""
        if self._task is not None:
            raise RuntimeError("start: expected a client that was not started, got one that was")
        websockets()  # what is missing is said here
        self._task = asyncio.get_running_loop().create_task(self._run(), name="fastcore-stream-client")

    async def aclose(self) -> None:
        """Close the link and end; messages in the buffer can still be read."""
        task = self._task
        self._leaving = True
        try:
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        finally:
            self._finish(None)

    async def __aenter__(self) -> Client:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def connected(self, timeout: float | None = None) -> None:
        """Wait until the server has accepted the client.

        Raises
        ------
        TimeoutError
            If it does not come in time; it says what the last attempt came to.
        StreamClosed
        RuntimeError
            If the client was not started.
        """
        self._check_started()
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
        except TimeoutError:
            got = self._trouble or "no answer"
            raise TimeoutError(f"connected: expected the server to accept within {timeout} s, got {got}") from None
        if self._finished:
            raise self._ended or StreamClosed(NORMAL, "the client was closed")

    def _check_started(self) -> None:
        if self._task is None and not self._finished:
            raise RuntimeError("client: expected one that was started by `async with` or start(), got one that was not")

    # ---- messages ----

    def __aiter__(self) -> AsyncIterator[Message]:
        if self._on_message is not None:
            raise TypeError("on_message: expected none where the client is iterated over, got a callback")
        return self

    async def __anext__(self) -> Message:
        while True:
            message = self._buffer.take()
            if message is not None:
                return message
            if self._finished:
                if self._ended is not None:
                    raise self._ended
                raise StopAsyncIteration
            self._check_started()
            await self._buffer.wait()

    async def subscribe(self, topics: str | Iterable[str], *, newest: bool = False, last: int = 0) -> None:
        """Subscribe to more topics or patterns, and wait for the answer; without a link they are kept for the next.

        Raises
        ------
        SubscribeError
            If the server refuses them.
        TimeoutError
            If no answer comes in 10 s, though the link is up.
        """
        names = [topics] if isinstance(topics, str) else list(topics)
        if not names:
            return
        await self._ask(*self._session.subscribe(names, newest, count("last", last) if last else 0))

    async def unsubscribe(self, topics: str | Iterable[str]) -> None:
        """Remove subscriptions, by the names and patterns they were made with, and wait for the answer."""
        names = [topics] if isinstance(topics, str) else list(topics)
        if names:
            await self._ask(*self._session.unsubscribe(names))

    async def _ask(self, ref: int, request: bytes) -> None:
        if self._link is None:
            return  # the next connection asks for what is wanted then
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        try:
            if self._up.is_set():
                await self._send([request])
            else:
                self._session.after_welcome(request)
            async with asyncio.timeout(ANSWER_WITHIN):
                await answer
        finally:
            self._answers.pop(ref, None)

    @property
    def topics(self) -> list[str]:
        """The names and patterns that are subscribed to."""
        return self._session.topics

    @property
    def positions(self) -> dict[str, int]:
        """By topic: the offset of the last message that came."""
        return self._session.positions

    @property
    def epoch(self) -> str:
        """The epoch of the positions; empty before the first connection."""
        return self._session.epoch

    def stats(self) -> ClientStats:
        """Return counts since the start, and the current state."""
        return ClientStats(
            connected=self._up.is_set() and not self._finished,
            connections=self._connections,
            messages=self._messages,
            conflated=self._buffer.conflated,
            waiting=len(self._buffer),
            gaps=self._gaps,
            epoch=self._session.epoch,
        )

    # ---- the task ----

    async def _run(self) -> None:
        ended: BaseException | None = None
        try:
            while True:
                code, reason, wait = await self._connection()
                self._up.clear()
                self._let_go()
                notice = self._session.closed(code, reason, self._clock())
                if notice.delay is not None and wait is not None:
                    notice = notice._replace(delay=max(notice.delay, wait))
                await self._tell(notice)
                if notice.delay is None:
                    ended = None if code == NORMAL else StreamClosed(code, reason)
                    return
                await asyncio.sleep(notice.delay)
        except Exception as error:  # of a callback: it must not be lost with the task
            ended = error
        except asyncio.CancelledError:
            if not self._leaving:
                ended = RuntimeError("client: expected a callback to return, got CancelledError")
            raise
        finally:
            self._finish(ended)

    def _finish(self, error: BaseException | None) -> None:
        if not self._finished:
            self._finished = True
            self._ended = error
        self._let_go()
        self._up.set()
        self._buffer.wake()

    def _let_go(self) -> None:
        """Fail the requests of a closed connection: the next one sends those still wanted."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(None)

    async def _connection(self) -> tuple[int, str, float | None]:
        """Make one connection and read it to its end: close code, reason, and seconds the server asks to wait."""
        _, exceptions = websockets()
        try:
            token = await self._ask_token()
        except Exception as error:  # of the application's: it is asked again
            _log.exception("%s: the token source raised", self._url)
            return NO_CLOSE, f"token: {str(error)[:200] or type(error).__name__}", None
        try:
            # Messages up to four times the limit are skipped, and a notice is sent.
            link = await make(self._url, 4 * self._session.limits.size, self._options)
        except NotConnected as error:
            return error.code, error.reason, error.wait
        self._link = link
        self._connections += 1
        self._silent = False
        helpers: list[asyncio.Task[None]] = []
        try:
            await self._send(self._session.opened(self._clock(), token))
            helpers += map(asyncio.get_running_loop().create_task, (self._keep_token(), self._watch(link)))
            code, reason = await self._read(link, exceptions.ConnectionClosed)
        finally:
            self._link = self._listening = None
            for task in helpers:
                task.cancel()
            link.transport.abort() if not self._closing_well(link) else await link.close()
        return code, reason, None

    def _closing_well(self, link: Any) -> bool:
        """Whether a closing handshake is worth its time: not where nothing has come for too long."""
        return self._clock() < self._session.deadline

    async def _watch(self, link: Any) -> None:
        """Close the link if no message arrives for too long; one timer costs less than a timeout per message."""
        while True:
            left, now = _LOOK, self._clock()
            if self._listening is not None:
                # What had to wait while the buffer was full or a callback ran is no sign of a dead link.
                left = max(self._session.deadline, self._listening + _LOOK) - now
                if left <= 0:
                    self._silent = True
                    link.transport.abort()
                    return
            await asyncio.sleep(min(max(left, 0.01), _LOOK))

    async def _read(self, link: Any, closed: type[Exception]) -> tuple[int, str]:
        session, clock = self._session, self._clock
        try:
            while True:
                await self._buffer.room()
                self._listening = clock()
                payload = await link.recv()
                self._listening = None
                if not isinstance(payload, bytes):
                    await link.close(wire.CLOSE_TEXT, "expected binary messages")
                    return PROTOCOL_ERROR, "a text message"
                for event in session.received(payload, clock()):
                    if isinstance(event, Message):
                        await self._take(event)
                    else:
                        await self._tell(event)
                if session.done:
                    self._answer()
                if session.out:
                    await self._send(session.out)
                    session.out.clear()
        except closed as error:
            if self._silent:
                return NO_CLOSE, "nothing came for too long"
            # Who closed first says why: this side does where a message is beyond what it takes.
            sent, received = getattr(error, "sent", None), getattr(error, "rcvd", None)
            why = sent if sent is not None and not getattr(error, "rcvd_then_sent", False) else received
            return (why.code, why.reason) if why is not None else (NO_CLOSE, str(error))
        except ValueError as error:  # not of the protocol
            await link.close(PROTOCOL_ERROR, "not understood")
            return PROTOCOL_ERROR, str(error)

    async def _send(self, messages: Iterable[bytes]) -> None:
        _, exceptions = websockets()
        with contextlib.suppress(exceptions.ConnectionClosed):  # the reader gets the error
            for message in messages:
                if self._link is not None:
                    await self._link.send(message)

    def _answer(self) -> None:
        session = self._session
        for ref in session.done:
            answer = self._answers.get(ref)
            refused = session.refused.pop(ref, None)
            if answer is not None and not answer.done():
                if refused is None:
                    answer.set_result(None)
                else:
                    answer.set_exception(refused)
            elif refused is not None:
                _log.warning("%s: request %d was refused: %d %s", self._url, ref, refused.code, refused)
        session.done.clear()

    async def _take(self, message: Message) -> None:
        self._messages += 1
        if self._on_message is None:
            self._buffer.put(message)
        else:
            await _call(self._on_message, message)

    async def _tell(self, notice: Notice) -> None:
        if isinstance(notice, Connected):
            self._up.set()
        elif isinstance(notice, Disconnected):
            self._trouble = notice.reason
        elif isinstance(notice, Refusal):
            self._trouble = notice.text
        elif hasattr(notice, "epoch"):
            self._gaps += 1
        _log.debug("%s: %s", self._url, notice)
        if self._on_notice is not None:
            await _call(self._on_notice, notice)

    # ---- tokens ----

    async def _ask_token(self) -> str | None:
        token = self._token
        given = await answer_of(_call(token), _ASK_WITHIN) if callable(token) else token
        if given is not None and not isinstance(given, str):
            raise TypeError(f"token: expected a str, got {type(given).__name__}")
        if given is not None:
            given.encode()  # what UTF-8 cannot hold is told here
        return given

    async def _keep_token(self) -> None:
        """Give the server a new token in good time, as long as the link is up."""
        if not callable(self._token):
            return
        known: float | None = None
        while True:
            expires = self._session.expires
            if expires is None or not self._session.welcome:
                await asyncio.sleep(0.05)
                continue
            left = expires - self._clock()
            # The same expiry again: it was refused, or the answer is on its way.
            await asyncio.sleep(
                max(1.0, left * 0.1) if expires == known else max(0.0, left * (0.7 + 0.2 * self._rng()))
            )
            known = expires
            try:
                token = await self._ask_token()
            except Exception:
                _log.exception("%s: the token source raised", self._url)
                continue
            if token is not None:
                await self._send([self._session.renew_token(token)])


async def _call(fn: Callable[..., Any], *given: object) -> Any:
    returned = fn(*given)
    return await returned if returned is not None and inspect.isawaitable(returned) else returned
