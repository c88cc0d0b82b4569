"""A live page as its readers meet it: the program in a process of its own, requests and events over loopback."""

import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from studio import Studio

__all__ = ["Answer", "Reader", "Served", "serving"]

_SECONDS = 30.0


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, at `url`."""

    url: str
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def token(self) -> str:
        return urlsplit(self.url).path.strip("/")

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)

    def ask(self, name: str = "", *, method: str = "GET", path: str | None = None, **headers: str) -> Answer:
        """Ask for a name below the token, or for a whole path; headers as keywords, `_` for `-`."""
        connection = self.connect()
        try:
            target = f"/{self.token}/{name}" if path is None else path
            connection.request(method, target, headers={key.replace("_", "-"): text for key, text in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    @contextmanager
    def reading(self, since: int = 0) -> Iterator["Reader"]:
        """The stream of events."""
        connection = self.connect()
        connection.request("GET", f"/{self.token}/events?since={since}")
        try:
            yield Reader(connection.getresponse())
        finally:
            connection.close()


@dataclass(slots=True)
class Reader:
    """A stream of events, read one at a time; `number` is that of the last one."""

    answer: http.client.HTTPResponse
    number: int = 0

    def events(self) -> Iterator[tuple[str, Any]]:
        """The events that come, by name."""
        name = ""
        for line in self.answer:
            key, _, text = line.decode().rstrip("\n").partition(": ")
            if key == "id":
                self.number = int(text)
            elif key == "event":
                name = text
            elif key == "data":
                yield name, json.loads(text)

    def until_completed(self, job: str) -> dict[str, Any]:
        """The row of a job that came with a result."""
        for name, told in self.events():
            for row in told["jobs"] if name == "jobs" else ():
                if row["job"] == job and row["tasks"] and row["tasks"][0]["results"]:
                    return dict(row)
        raise AssertionError(f"{job} never came")


@contextmanager
def serving(studio: Studio, *arguments: str) -> Iterator[Served]:
    """`ui`, or another command with a live page, until the end of the block."""
    process = studio.start(*(arguments or ("ui",)))
    stream = process.stderr if "--ui" in arguments else process.stdout
    assert stream
    try:
        line = next(line for line in stream if "http://" in line)
        yield Served(line[line.index("http://") :].strip(), process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=_SECONDS)
