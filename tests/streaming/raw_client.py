"""A WebSocket client made of a socket: it can say what no library would."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import zlib
from typing import Any, NamedTuple

import msgpack

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
TIMEOUT = 60.0  # of a busy machine


class Frame(NamedTuple):
    fin: bool
    rsv: int
    opcode: int
    data: bytes

    @property
    def code(self) -> int:
        """The code of a close frame; 1005 where there is none."""
        return int.from_bytes(self.data[:2], "big") if self.data else 1005


def masked(data: bytes, mask: bytes) -> bytes:
    whole = mask * (len(data) // 4 + 1)
    return (int.from_bytes(data, "big") ^ int.from_bytes(whole[: len(data)], "big")).to_bytes(len(data), "big")


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes([bit | len(data)])
    elif len(data) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(data))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(data))
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + masked(data, key)


def deflated(data: bytes, wbits: int = 12) -> bytes:
    packer = zlib.compressobj(wbits=-wbits)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data: bytes, wbits: int = 15) -> bytes:
    return zlib.decompressobj(wbits=-wbits).decompress(data + b"\x00\x00\xff\xff")


class Refused(Exception):
    """The server answered with something else than 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class RawClient:
    """One connection; reads block for up to a minute."""

    def __init__(
        self,
        port: int,
        path: str = "/stream",
        *,
        headers: dict[str, str] | None = None,
        deflate: str = "",
        rcvbuf: int = 0,
        early: bytes = b"",
    ) -> None:
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._values: list[Any] = []
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {
            "Host": f"127.0.0.1:{port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            **({"Sec-WebSocket-Extensions": deflate} if deflate else {}),
            **(headers or {}),
        }
        head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        try:
            self.sock.sendall(head.encode() + early)
            self._read_response(key)
        except BaseException:
            self.sock.close()
            raise

    def _read_response(self, key: str) -> None:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._buffer = bytearray(rest)
        number = int(status.split()[1])
        if number != 101:
            while len(self._buffer) < int(self.headers.get("content-length", "0")):
                self._more()
            raise Refused(number, self.headers, bytes(self._buffer))
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert self.headers["sec-websocket-accept"] == base64.b64encode(digest).decode()

    def _more(self) -> None:
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        self._buffer += data

    def _take(self, n: int) -> bytes:
        while len(self._buffer) < n:
            self._more()
        taken = bytes(self._buffer[:n])
        del self._buffer[:n]
        return taken

    # -- frames -----------------------------------------------------------------------------------------------------

    def write(self, data: bytes, chop: int = 0) -> None:
        """Write bytes, in pieces of `chop` that leave one by one."""
        for at in range(0, len(data), chop or max(len(data), 1)):
            self.sock.sendall(data[at : at + (chop or len(data))])

    def read(self) -> Frame:
        first, second = self._take(2)
        assert not second & 0x80, "a server must not mask"
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._take(8))[0]
        return Frame(bool(first & 0x80), first >> 4 & 7, first & 0x0F, self._take(length))

    def read_end(self) -> None:
        """Expect the end of the stream."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionResetError):
            return

    def closed(self) -> int:
        """Read up to the close frame, answer it, and see the connection end; its code."""
        while True:
            try:
                found = self.read()
            except (EOFError, ConnectionResetError):
                return 1006
            if found.opcode == CLOSE:
                try:
                    self.write(frame(CLOSE, found.data[:2]))
                except OSError:
                    pass
                self.read_end()
                return found.code

    # -- the hub's protocol -----------------------------------------------------------------------------------------

    def say(self, *message: Any) -> None:
        """Send a message of the hub's protocol."""
        self.write(frame(BINARY, msgpack.packb(list(message))))

    def hear(self) -> Any:
        """Read the next message of the hub's protocol."""
        while not self._values:
            found = self.read()
            assert found.opcode == BINARY, f"expected data, got {found}"
            data = inflated(found.data) if found.rsv & 4 else found.data
            unpacker = msgpack.Unpacker(strict_map_key=False)
            unpacker.feed(data)
            self._values += unpacker
        return self._values.pop(0)

    def hear_kind(self, kind: int) -> Any:
        """Read up to the next message of a kind."""
        while True:
            message = self.hear()
            if message[0] == kind:
                return message

    def hear_subscribed(self) -> None:
        """Read up to the end of the answer to a subscription, which a busy server sends in parts."""
        while len(self.hear_kind(3)) > 3:
            pass

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
