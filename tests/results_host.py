"""A host of results on loopback that breaks off, forgets, changes its mind and lies, one turn a request.

It counts the bytes that it sent, so that a test can tell a download that went on from one that began anew.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from gateway_wire import answer

__all__ = ["Parts", "ResultsHost", "Turn", "host_results"]


class Parts(Enum):
    """What a request for a part gets."""

    SERVED = "what RFC 9110 wants: the part, or the whole where If-Range names another version"
    IGNORED = "the whole"
    REFUSED = "416"
    EARLIER = "a part that begins one byte too early, and says so"
    LATER = "a part that begins one byte too late, and says so"
    FIRST = "the first bytes, and says so"
    UNTOLD = "the part without a Content-Range"
    OF_MORE = "the part of a whole that is said to be a byte longer"
    FORCED = "the part of whatever version there is, with its own tag"


@dataclass(frozen=True, slots=True)
class Turn:
    """How one request is answered.

    `tag` is the ETag's text, None for none; after `sends` bytes of the body the connection ends. `status`: what it says
    instead of a result, 200 for a result.
    """

    content: bytes
    tag: str | None = '"v1"'
    sends: int | None = None
    parts: Parts = Parts.SERVED
    status: int = 200

    def answer(self, headers: Mapping[str, str]) -> bytes:
        """The answer, whole."""
        if self.status != 200:
            return answer(self.status)
        told = {"ETag": self.tag} if self.tag else {}
        wanted = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if wanted is None or self.parts is Parts.IGNORED:
            return answer(200, self.content, **told)
        if self.parts is Parts.SERVED and headers["if-range"] != self.tag:
            return answer(200, self.content, **told)
        return self._part(int(wanted[1]), told)

    def _part(self, first: int, told: Mapping[str, str]) -> bytes:
        size = len(self.content)
        first = {Parts.EARLIER: first - 1, Parts.LATER: first + 1, Parts.FIRST: 0}.get(self.parts, first)
        if self.parts is Parts.REFUSED or first >= size:
            return answer(416, Content_Range=f"bytes */{size}")
        place = f"bytes {first}-{size - 1}/{size + (self.parts is Parts.OF_MORE)}"
        more = {} if self.parts is Parts.UNTOLD else {"Content_Range": place}
        return answer(206, self.content[first:], **told, **more)


@dataclass(slots=True)
class ResultsHost:
    """`turns` are taken in order, the last one again and again; `requests` are headers with names in lower case."""

    turns: tuple[Turn, ...]
    url: str = ""
    requests: list[Mapping[str, str]] = field(default_factory=list)
    sent_bytes: int = 0

    @property
    def ranges(self) -> list[str | None]:
        """What part each request asked for."""
        return [headers.get("range") for headers in self.requests]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        self.requests.append({name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)})
        turn = self.turns[min(len(self.requests), len(self.turns)) - 1]
        head, end, body = turn.answer(self.requests[-1]).partition(b"\r\n\r\n")
        writer.write(head + end + body[: turn.sends])
        self.sent_bytes += len(body[: turn.sends])
        writer.close()


@asynccontextmanager
async def host_results(*turns: Turn) -> AsyncIterator[ResultsHost]:
    """Host results on a port of its own."""
    host = ResultsHost(turns)
    server = await asyncio.start_server(host.talk, "127.0.0.1", 0)
    async with server:
        host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/result"
        yield host
