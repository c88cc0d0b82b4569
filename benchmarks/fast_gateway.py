"""A gateway that costs as little as one in Python can, so that on a small machine the client is what is measured.

Usage: python benchmarks/fast_gateway.py [--queries N] [--bytes N]. Serves on loopback until stdin is closed; the first
line on stdout is the base URL. A task completes at its N-th query, its result is a PNG of about so many bytes; no slot
is counted. `GET /counts` tells in JSON what was asked so far, and the CPU seconds that the answers took.
"""

import argparse
import asyncio
import json
import re
import struct
import sys
import time
import zlib
from collections import Counter
from random import Random

GENERATION = "/model/v1/generation"
TASK = f"{GENERATION}/task/"
EXTERNAL_ID = re.compile(rb'"external_task_id": ?"([^"]*)"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"
PIXELS_WIDE = 128


class Tasks:
    """Every task there is, by both its ids, and what was asked."""

    def __init__(self, *, queries: int, picture: bytes) -> None:
        self.base_url = ""
        self.counts: Counter[str] = Counter()
        self._queries = queries
        self._left: list[int] = []  # queries until it completes, by the number in the task's id
        self._by_external_id: dict[str, int] = {}
        head = f'HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nETag: "1"\r\nContent-Length: {len(picture)}\r\n\r\n'
        self._picture = head.encode() + picture

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """The whole answer to one request."""
        if method == "POST" and path == GENERATION:
            return self._create(body)
        if path.startswith(TASK):
            return self._query(path.removeprefix(TASK))
        if path.startswith("/results/"):
            self.counts["downloads"] += 1
            return self._picture
        if path == "/counts":
            return told(200, {**self.counts, "cpu_seconds": time.process_time()})
        return told(404, {"error": "nothing is there"})

    def _create(self, body: bytes) -> bytes:
        self.counts["creates"] += 1
        number = len(self._left)
        if found := EXTERNAL_ID.search(body):
            external_id = found[1].decode()
            if external_id in self._by_external_id:
                return told(400, {"error": {"code": "1201", "message": "external_task_id is already in use"}})
            self._by_external_id[external_id] = number
        self._left.append(self._queries)
        return told(200, {"id": f"task-{number}", "status": "in_progress", "model": "any", "created_at": 1_700_000_000})

    def _query(self, id_: str) -> bytes:
        name, _, rest = id_.partition("-")
        number = int(rest) if name == "task" else self._by_external_id.get(id_)
        if number is None:
            self.counts["lookups in vain"] += 1
            return told(404, {"error": {"code": "1203", "message": "no such task"}})
        self.counts["queries"] += 1
        self._left[number] -= 1
        if self._left[number] > 0:
            return told(200, {"id": f"task-{number}", "status": "in_progress", "progress": 0.5})
        content = {"type": "image", "url": f"{self.base_url}/results/{number}.png", "jobId": f"task-{number}"}
        done = {"id": f"task-{number}", "status": "completed", "output": [{"content": [content]}]}
        return told(200, {**done, "usage": {"cost": "0.0280", "discount": 1}})


class Talk(asyncio.Protocol):
    """One connection, which stays open."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        while (end := self._received.find(HEAD_END)) >= 0:
            head = self._received[:end]
            body_begin = end + len(HEAD_END)
            length = int(found[1]) if (found := LENGTH.search(head)) else 0
            if len(self._received) < body_begin + length:
                return
            body = self._received[body_begin : body_begin + length]
            self._received = self._received[body_begin + length :]
            method, path, _ = head[: head.find(b"\r\n")].decode().split(" ")
            self._transport.write(self._tasks.answer(method, path, body))


def told(status: int, value: object) -> bytes:
    """An answer of JSON."""
    body = json.dumps(value, separators=(",", ":"))
    return (
        f"HTTP/1.1 {status} Words\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def noise(size_bytes: int) -> bytes:
    """A PNG of about so many bytes that nothing makes smaller: random colours, not compressed."""
    rows = max(1, size_bytes // (PIXELS_WIDE * 3))
    random = Random(1)  # noqa: S311 - colours, no secret
    pixels = b"".join(b"\0" + random.randbytes(PIXELS_WIDE * 3) for _ in range(rows))
    head = struct.pack(">IIBBBBB", PIXELS_WIDE, rows, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


async def serve(tasks: Tasks) -> None:
    """Serve until stdin is closed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Talk(tasks), "127.0.0.1", 0, backlog=4096)
    async with server:
        tasks.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        print(tasks.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--queries", type=int, default=3, help="queries until a task completes")
    parser.add_argument("--bytes", type=int, default=50_000, help="of a result")
    chosen = parser.parse_args()
    asyncio.run(serve(Tasks(queries=chosen.queries, picture=noise(chosen.bytes))))


if __name__ == "__main__":
    main()
