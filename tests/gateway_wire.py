"""A scripted server on loopback that speaks bytes, so that it can also break off, talk nonsense or say nothing."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.settings import GatewaySettings

__all__ = ["KEY", "Break", "Sent", "Wire", "answer", "serve", "settings_for"]

KEY = "sk-a-key-for-tests-0123456789"


class Break(Enum):
    """What a script may hold instead of bytes to send."""

    RESET = "the connection is reset"
    SILENCE = "nothing is said until the client goes"
    CLOSE = "the connection is closed without a word"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - a test reaches into it as it expects it to be
        return json.loads(self.body)


@dataclass(slots=True)
class Wire:
    """The server: what it will say, one item a request and the last again and again, and what it was asked."""

    script: tuple[bytes | Break, ...]
    url: str = ""
    requests: list[Sent] = field(default_factory=list)
    talks: set[asyncio.Task[None]] = field(default_factory=set)
    open_now: int = 0
    open_most: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self.talks.add(talk)
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            self.requests.append(await _receive(reader))
            await _play(self.script[min(len(self.requests), len(self.script)) - 1], reader, writer)
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # the client has gone, or the test is over
        finally:
            self.open_now -= 1


async def _receive(reader: asyncio.StreamReader) -> Sent:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Sent(method, target, headers, body)


async def _play(item: bytes | Break, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    match item:
        case bytes():
            writer.write(item)
            await writer.drain()
        case Break.SILENCE:
            await reader.read()
        case Break.RESET:
            linger = struct.pack("ii", 1, 0)  # a close without a farewell: RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        case Break.CLOSE:
            pass


@asynccontextmanager
async def serve(*script: bytes | Break) -> AsyncIterator[Wire]:
    """Serve the script on a port of its own."""
    wire = Wire(script)
    server = await asyncio.start_server(wire.talk, "127.0.0.1", 0)
    async with server:
        wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield wire
        finally:
            for talk in wire.talks:
                talk.cancel()
            if wire.talks:
                await asyncio.wait(wire.talks, timeout=5)


def answer(status: int = 200, body: object = b"", **headers: str) -> bytes:
    """The bytes of an HTTP answer; what is no bytes is sent as JSON, `Retry_After` names the header Retry-After."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"Content-Length": str(len(content)), "Connection": "close"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Words", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def settings_for(
    wire: Wire | str, *, timeout_seconds: float = 5.0, requests_per_second: float | None = None, connections: int = 32
) -> GatewaySettings:
    """Settings for a scripted server, or for an address, with the key of the tests."""
    url = wire if isinstance(wire, str) else wire.url
    return GatewaySettings(url, Secret(KEY), timeout_seconds, requests_per_second, connections)
