"""Measures requests with large images, all at once: as they are sent, and built in memory, in turns.

Usage: python benchmarks/bodies.py [--bodies N] [--megabytes N] [--rounds N]. For each way a fresh process sends to a
server on loopback, itself a process, and tells how much its memory grew at most, the longest stall of its event loop,
and what it took. The image lies in a temporary folder (TMPDIR says where).
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from own_process import served_by

from kirin_batch.bodies import RequestBuilder
from kirin_batch.encoded_file import EncodedFile
from kirin_batch.gateway.answers import Running
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.jobs import Job, LocalFile
from kirin_batch.models import Catalog

CHECKOUT = Path(__file__).resolve().parent.parent
TASK = b'{"id": "t", "status": "in_progress"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(TASK), TASK)
PARAMS = {"image": "image.png", "prompt": "go"}
TICK_SECONDS = 0.001
MEMORY = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Sender:
    """What makes requests and what sends them."""

    builder: RequestBuilder
    gateway: HttpGateway


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to send all bodies."""

    extra_megabytes: float
    stall_milliseconds: float
    seconds: float
    cpu_seconds: float


async def streamed(sender: Sender, file: EncodedFile) -> None:
    """Send the image as the program does: checked, then encoded in pieces while it is sent."""
    params = await sender.builder.build(job_of(file), "kb-1")
    if isinstance(params, str):
        raise RuntimeError(params)  # noqa: TRY004 - the reason why there are none
    await create(sender, params)


async def in_memory(sender: Sender, file: EncodedFile) -> None:
    """Send the image as a text that was made before, off the loop."""

    def encode() -> str:
        data = file.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise RuntimeError("the image changed")
        return base64.b64encode(data).decode()

    await create(sender, {**PARAMS, "image": await asyncio.to_thread(encode), "external_task_id": "kb-1"})


async def create(sender: Sender, params: Mapping[str, object]) -> None:
    """Ask for one task. Raises RuntimeError where that does not go well."""
    answer = await sender.gateway.create("kirin_v3_i2v", params)
    if answer != Running("t"):
        raise RuntimeError(str(answer))


def job_of(file: EncodedFile) -> Job:
    """A job that sends the image."""
    return Job(
        id="film:clip",
        spec="film",
        spec_file="specs/film.yaml",
        model="kirin_v3_i2v",
        kind="video",
        slots=1,
        params=PARAMS,
        digest="0" * 64,
        external_task_id="kb-1",
        files={("image",): LocalFile(file.path, file.sha256)},
    )


WAYS: dict[str, Callable[[Sender, EncodedFile], Coroutine[None, None, None]]] = {
    "streamed": streamed,
    "in memory": in_memory,
}


async def measure(way: str, url: str, image: Path, *, bodies: int) -> Cost:
    """Send so many bodies at once, after a small one that loads what all need."""
    send, file, small = WAYS[way], known(image), known(image.with_suffix(".small"))
    async with HttpGateway(GatewaySettings(url, Secret("sk-benchmark"))) as gateway:
        sender = Sender(RequestBuilder(image.parent, {}, Catalog({})), gateway)
        await send(sender, small)
        before, begin, begin_cpu = peak_bytes(), perf_counter(), process_time()
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(longest_stall())
            async with asyncio.TaskGroup() as sending:
                for _ in range(bodies):
                    sending.create_task(send(sender, file))
            took = perf_counter() - begin, process_time() - begin_cpu
            watch.cancel()
    return Cost((peak_bytes() - before) / 1e6, 1000 * STALLS[-1], *took)


def known(path: Path) -> EncodedFile:
    """The file as it is."""
    with path.open("rb") as file:
        return EncodedFile(path, hashlib.file_digest(file, "sha256").hexdigest(), file.tell())


STALLS = [0.0]
"""The longest so far, in seconds."""


async def longest_stall() -> None:
    """Find out how much later than asked for the event loop comes back."""
    while True:
        begin = perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        STALLS[-1] = max(STALLS[-1], perf_counter() - begin - TICK_SECONDS)


def peak_bytes() -> int:
    """The most memory that this process ever had; from where there is no /proc, its parent's counts too."""
    if MEMORY.exists():
        return int(MEMORY.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def serve() -> None:
    """Take whatever comes until stdin is closed; the first line is the base URL."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                while left:
                    left -= len(await reader.read(min(left, 1 << 20)))
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def environment() -> dict[str, str]:
    """What the children of this process find."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), os.environ.get("PYTHONPATH", "")))}


def cost_of(way: str, url: str, image: Path, *, bodies: int) -> Cost:
    """Let a process of its own measure."""
    command = [sys.executable, __file__, "--measure", way, url, str(image), "--bodies", str(bodies)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - as above
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Cost(**json.loads(done.stdout))


def compare(bodies: int, megabytes: float, *, rounds: int) -> None:
    """Print what the ways take, each against what is built in memory."""
    found: dict[str, list[Cost]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder, served_by(__file__, environment()) as url:
        image = Path(folder) / "image.png"
        image.write_bytes(os.urandom(round(megabytes * 1e6 * 3 / 4)))
        image.with_suffix(".small").write_bytes(os.urandom(200_000))
        for _ in range(rounds):
            for way, costs in found.items():
                costs.append(cost_of(way, url, image, bodies=bodies))
    print(f"{bodies} bodies of {megabytes:g} MB at once, median of {rounds}")
    typical = {
        way: [median(getattr(cost, name) for cost in costs) for name in Cost.__slots__] for way, costs in found.items()
    }
    for way, figures in typical.items():
        ratios = [mine / max(theirs, 1e-9) for mine, theirs in zip(figures, typical["in memory"], strict=True)]
        (extra, stall, seconds, cpu), (by_extra, by_stall, by_seconds, by_cpu) = figures, ratios
        print(
            f"  {way:<10} {extra:7.1f} MB extra {by_extra:5.2f} x, longest stall {stall:6.1f} ms {by_stall:5.2f} x,"
            f" {seconds:5.2f} s {by_seconds:5.2f} x, {cpu:5.2f} s CPU {by_cpu:5.2f} x"
        )


def main(arguments: Sequence[str]) -> None:
    """Print the comparison, or be one of its children."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--bodies", type=int, default=8)
    parser.add_argument("--megabytes", type=float, default=13.0, help="of one body")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        asyncio.run(serve())
    elif chosen.measure:
        way, url, image = chosen.measure
        print(json.dumps(asdict(asyncio.run(measure(way, url, Path(image), bodies=chosen.bodies)))))
    else:
        compare(chosen.bodies, chosen.megabytes, rounds=chosen.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
