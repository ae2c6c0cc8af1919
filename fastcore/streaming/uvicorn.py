"""The WebSocket protocol of uvicorn that gives a hub its transports: ``--ws fastcore.streaming.uvicorn:HubProtocol``.

The protocol itself is that of the ``websockets`` package's sans-IO core, on the application's own port.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
    from websockets.frames import Frame, Opcode
    from websockets.protocol import State
except ImportError as error:
    _text = 'HubProtocol: expected uvicorn>=0.35 and websockets to be installed; pip install "fastcore-native[service]"'
    raise ImportError(_text, name=error.name) from error

from fastcore.streaming import jsonwire, messages
from fastcore.streaming.asgi import EXTENSION
from fastcore.streaming.intake import FRAMES, Intake
from fastcore.streaming.session import Session

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

    from fastcore.streaming.hub import Hub

__all__ = ["HubLink", "HubProtocol"]

# With write buffer limits of 0 these call pause_writing before a write returns that left anything in their buffer, and
# connection_lost before the socket is closed.
_DIRECT = ("asyncio.selector_events", "uvloop.loop")

UNSENT = 1 << 14  # bytes that the kernel takes beyond what is on its way: more, and a stuck client looks well


class HubProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol over the sans-IO core, whose connections a hub can take over.

    Compression is always without context takeover, so that a compressed message is the same for all and an idle
    connection keeps no window. Text is checked as it comes, fragment by fragment.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.config.ws_per_message_deflate:
            self.conn.available_extensions = [_DEFLATE]
        self._message = bytearray()
        self._text: codecs.IncrementalDecoder | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._intake = Intake(self.transport, self._parse, waiting=True)  # until the handshake is answered

    async def run_asgi(self) -> None:
        """Run the application with this connection in its scope."""
        extensions = cast(dict[str, Any], self.scope["extensions"])
        extensions[EXTENSION] = self
        try:
            await super().run_asgi()
        finally:
            extensions.pop(EXTENSION, None)

    def take_over(self, hub: Hub, seat: str | None, text: bool = False) -> Session | None:
        """Give the connection, which has been accepted, to a hub; None if it is closed already.

        With `text` it speaks JSON.
        What uvicorn keeps for it is let go.
        """
        transport = self.transport
        if self.disconnected or self.close_sent or not self.handshake_complete or transport.is_closing():
            return None
        self.stop_keepalive()
        link = HubLink(hub, transport, self.conn, self.connections, text)
        unread = self._intake.release()
        session = link.session = Session(hub.clients, link, seat)
        self.connections.discard(self)
        self.connections.add(link)  # type: ignore[arg-type]
        transport.set_protocol(link)
        self.transport = cast(asyncio.Transport, _RELEASED)
        hub.clients.add(session)
        link.begin()
        while not self.queue.empty():
            early: Any = self.queue.get_nowait()
            if early["type"] == "websocket.receive":
                link.early(early)
        transport.resume_reading()
        if unread:
            link.data_received(unread)
        return session

    # -- what uvicorn leaves to be said -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:  # the server for HTTP gives the whole head at once
            head, end, data = data.partition(b"\r\n\r\n")
            self.conn.receive_data(head + end)
            self.handle_events()
            if self.conn.handshake_exc is not None:
                self._refuse()
        if data:
            self._intake.feed(data)

    def _refuse(self) -> None:
        """Answer a request that is no valid handshake."""
        answer = b"".join(self.conn.data_to_send())
        if not answer:
            cause = getattr(self.conn.handshake_exc, "__cause__", None)
            text = f"expected a WebSocket handshake without a body, got: {cause}\n"
            answer = self.conn.reject(400, text).serialize()
        self.logger.info('%s - "WebSocket" %s', self.client, answer[9:12].decode())
        self.handshake_complete = self.close_sent = True
        self._intake.stop()
        self.transport.write(answer)
        self.transport.close()

    def _parse(self, data: bytes) -> int:
        self.conn.receive_data(data)
        count = len(self.conn.events)
        self.handle_events()  # what came whole before an error is not lost
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()
        return count

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent and self.initial_response is not None:  # refused with an answer: uvicorn would log an error
            self.handshake_complete = True
        if self._intake.waiting and (self.close_sent or (self.handshake_complete and not self.read_paused)):
            self._intake.go_on()

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._intake.go_on()
        return message

    def handle_text(self, event: Frame) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")()
        self.curr_msg_data_type = "text"
        self._message.clear()
        self.handle_cont(event)

    def handle_bytes(self, event: Frame) -> None:
        self._text = None
        self.curr_msg_data_type = "bytes"
        self._message.clear()
        self.handle_cont(event)

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:  # what still comes is nothing to the application
            return
        if self._text is not None:
            try:
                self._text.decode(bytes(event.data), event.fin)
            except UnicodeDecodeError as error:
                self.conn.fail(1007, f"{error.reason} at position {error.start}")
                self.handle_parser_exception()
                return
        self._message += event.data
        if event.fin:
            whole, self._message = bytes(self._message), bytearray()
            text = self._text is not None
            self.queue.put_nowait(
                {"type": "websocket.receive", "text": whole.decode()}
                if text
                else {"type": "websocket.receive", "bytes": whole}
            )
            self.read_paused = self._intake.waiting = True  # until the application has taken it

    def handle_parser_exception(self) -> None:
        """Log the error and close."""
        sent = self.conn.close_sent
        if not self.disconnected:
            code, reason = (sent.code, sent.reason) if sent is not None else (1006, "")
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._intake.stop()
        self.transport.close()


_DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)


class _Released:
    """In place of a transport that was given away."""

    def is_closing(self) -> bool:
        return True

    def _nothing(self, *args: Any) -> None:
        pass

    write = close = abort = pause_reading = resume_reading = _nothing


_RELEASED = _Released()


class HubLink(asyncio.Protocol):
    """A connection of a hub: the sans-IO core reads, the hub's frames go straight to the transport."""

    __slots__ = (
        "_conn",
        "_connections",
        "_hub",
        "_intake",
        "_late",
        "_linger",
        "_message",
        "_text",
        "deflate",
        "fd",
        "session",
        "transport",
        "write",
        "writelines",
    )

    session: Session

    def __init__(
        self, hub: Hub, transport: asyncio.Transport, conn: ServerProtocol, connections: set[Any], text: bool = False
    ) -> None:
        self._hub = hub
        self._text = text
        self._conn = conn
        self._connections = connections
        self._message: bytearray | None = None  # of fragments
        self._linger: asyncio.TimerHandle | None = None
        self._intake = Intake(transport, self._parse, hub.clients.parsing)
        self._late = 0  # frames that came after the session had been closed
        self.transport = transport
        self.write: Callable[[bytes], Any] = self._write_text if text else transport.write
        self.writelines: Callable[[Iterable[bytes]], Any] = self._write_texts if text else transport.writelines
        self.fd: int | None = None
        self.deflate: int | None = None
        for extension in conn.extensions:
            if isinstance(extension, PerMessageDeflate) and not text:
                self.deflate = extension.local_max_window_bits

    def begin(self) -> None:
        """Set the bounds of what is read and of what is kept unsent."""
        limit = self._hub.limits.message_size
        self._conn.max_message_size = limit
        self._conn.max_fragment_size = limit
        transport = self.transport
        sock = transport.get_extra_info("socket")
        plain = type(transport).__module__ in _DIRECT and transport.get_extra_info("sslcontext") is None
        transport.set_write_buffer_limits(high=0 if plain else 1, low=0)  # TLS pauses at `high`, the others above it
        if transport.get_write_buffer_size():
            self.session.pause()
        if plain and sock is not None and os.name == "posix" and not self._text:
            self.fd = sock.fileno()
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        if sock is not None and option is not None and sock.family != getattr(socket, "AF_UNIX", None):
            try:
                sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT)
            except OSError:
                pass

    # -- from the transport -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._intake.feed(data)

    def _parse(self, data: bytes) -> int:
        conn = self._conn
        conn.receive_data(data)
        events = conn.events_received()
        for event in events:
            if isinstance(event, Frame):
                self._frame(event)
        if conn.parser_exc is not None or conn.state is not State.OPEN:
            self._ending()
        elif conn.writes:
            self.transport.write(b"".join(conn.data_to_send()))
        if self.session.closed:  # what was under way may come before the answer to our close, no more than that
            self._late += len(events)
            if self._late > FRAMES or conn.close_rcvd is not None or conn.parser_exc is not None:
                self._intake.stop()
        return len(events)

    def _frame(self, frame: Frame) -> None:
        session = self.session
        opcode = frame.opcode
        if session.closed:
            return
        own, other = (Opcode.TEXT, Opcode.BINARY) if self._text else (Opcode.BINARY, Opcode.TEXT)
        if opcode is own and frame.fin:
            self._receive(bytes(frame.data))
        elif opcode is Opcode.CLOSE:
            pass
        elif opcode is other:
            session.close(messages.CLOSE_TEXT, messages.OTHER_KIND[self._text])
        elif not session.counted():  # pings, pongs and fragments count as well
            pass
        elif opcode is own:
            self._message = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._message is not None:
            self._message += frame.data
            if frame.fin:
                whole, self._message = bytes(self._message), None
                self._receive(whole)

    def _receive(self, payload: bytes) -> None:
        self.session.receive(payload, messages.parse_text if self._text else messages.parse)

    def early(self, message: Any) -> None:
        """Keep a message that arrived before the hub took over the connection."""
        payload = message.get("text" if self._text else "bytes")
        if payload is None:
            self.session.close(messages.CLOSE_TEXT, messages.OTHER_KIND[self._text])
        else:
            self._receive(payload.encode() if self._text else payload)

    def _ending(self) -> None:
        """Release the transport: the core or the client has closed the connection."""
        conn = self._conn
        writes = b"".join(conn.data_to_send())
        if writes and self._linger is None and not self.transport.is_closing():  # nothing comes after our own close
            self.transport.write(writes)
        said = conn.close_rcvd
        sent = conn.close_sent
        if conn.parser_exc is not None or said is not None:
            by_client = said is not None and conn.close_rcvd_then_sent
            self.session.lost(said.code if by_client and said is not None else sent.code if sent is not None else 1006)
            self.transport.close()
            self._lingering()

    def pause_writing(self) -> None:
        self.session.pause()

    def resume_writing(self) -> None:
        self.session.resume()

    def eof_received(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self.session.lost()

    # -- from the hub, in JSON --------------------------------------------------------------------------------------

    def _write_text(self, data: bytes) -> None:
        self.transport.write(b"".join(map(jsonwire.frames, jsonwire.payloads(data))))

    def _write_texts(self, lines: Iterable[bytes]) -> None:
        self._write_text(b"".join(lines))

    # -- from the hub -----------------------------------------------------------------------------------------------

    def buffered(self) -> int:
        return self.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; the client has a while to read it and to answer."""
        if self._conn.state is State.OPEN and not self.transport.is_closing():
            self._conn.send_close(code, reason.encode()[:123].decode(errors="ignore"))
            self.transport.write(b"".join(self._conn.data_to_send()))
        self._lingering()

    def _lingering(self) -> None:
        if self._linger is None:
            loop = asyncio.get_running_loop()
            self._linger = loop.call_later(self._hub.limits.linger, self.transport.abort)

    # -- from uvicorn -----------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """The server shuts down: close, with the delay after which the client reconnects."""
        if not self.session.closed:
            self.session.drain(self._hub.drain_delay())
            self.session.close(messages.CLOSE_DRAINED, "drained: come back")
