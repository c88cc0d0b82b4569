"""A small project in a folder, a sandbox in a thread whose time a test holds, and the command line as people call it.

The results that the sandbox serves are small plain pictures, unless a test asks for the painted ones or for others.
"""

import asyncio
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from PIL import Image

import kirin_batch
from kirin_batch.cli.main import run_command_line
from kirin_batch.jobs import Job
from kirin_batch.journal import load_records
from kirin_batch.records import Record
from kirin_batch.sandbox import Books, Sandbox, SandboxSettings

__all__ = [
    "CHECKOUT",
    "KEY",
    "SUBJECT",
    "Ran",
    "Studio",
    "draw_picture",
    "job_named",
    "open_studio",
    "plain_picture",
    "served_picture",
]

CHECKOUT = Path(kirin_batch.__file__).parent.parent
KEY = "sk-studio-key-0123456789abcdef"
SUBJECT = """
    model: kirin_custom_elements
    params:
      element_name: Fox
      element_description: A fox in a red scarf
      element_frontal_image: https://pictures.example/fox.png
      element_refer_list: [{image_url: https://pictures.example/fox-side.png}]
"""
_LONG_SECONDS = 1e6  # longer than any task of the sandbox

Answering = Callable[[web.Request], web.StreamResponse | None]
Wrapping = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command told: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - a test reaches into it as it expects it to be
        return json.loads(self.out)

    @property
    def statuses(self) -> dict[str, str]:
        return {row["job"]: row["status"] for row in self.json["jobs"]}

    @property
    def actions(self) -> dict[str, str]:
        return {row["job"]: row["action"] for row in self.json["jobs"]}


@dataclass(slots=True)
class Studio:
    """A project in `root` and its sandbox.

    While `holds_time`, no task of the sandbox ends; else each has ended when it is next looked at. `answer` and
    `serve_result` may give another answer than the sandbox's own (None: its own), `wrap` stands around both: it may ask
    for an answer and lose it. `downloads` are paths with the headers that came along.
    """

    root: Path
    capsys: pytest.CaptureFixture[str]
    holds_time: bool = False
    paints: bool = False
    answer: Answering | None = None
    serve_result: Answering | None = None
    wrap: Wrapping | None = None
    image_slots: int = 10
    downloads: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sandbox: Sandbox = field(init=False)
    _now: Iterator[float] = field(default_factory=lambda: itertools.count(0.0, _LONG_SECONDS))
    _last: float = 0.0

    def clock(self) -> float:
        if not self.holds_time:
            self._last = next(self._now)
        return self._last

    @property
    def books(self) -> Books:
        return self.sandbox.books

    @property
    def url(self) -> str:
        return self.sandbox.base_url

    def spec(self, text: str, name: str = "film") -> Path:
        """Write a spec whose jobs are `text`, indented by two; texts that begin with `version` are taken whole."""
        path = self.root / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = text.startswith("version")
        path.write_text(text if whole else f"version: 1\ndefaults: {{model: kirin_v2_image}}\njobs:\n{text}\n")
        return path

    def prompts(self, **prompts: str) -> Path:
        """Write a spec with one plain image job for each name and prompt."""
        return self.spec("\n".join(f"  {name}: {{params: {{prompt: {prompt}}}}}" for name, prompt in prompts.items()))

    def run(self, *arguments: str) -> Ran:
        """Call a command in this process."""
        self.capsys.readouterr()
        code = run_command_line(arguments)
        told = self.capsys.readouterr()
        return Ran(code, told.out, told.err)

    def run_json(self, *arguments: str) -> Ran:
        """`run --format json`."""
        return self.run("run", "--format", "json", *arguments)

    def start(self, *arguments: str, terminal: int | None = None, **environment: str) -> "subprocess.Popen[str]":
        """Start a command as a process of its own, in the project's folder; `terminal`: the descriptor of one."""
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "kirin_batch", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            text=True,
        )

    @property
    def records(self) -> dict[str, Record]:
        """What the lockfile and the journal hold."""
        return load_records(self.root / "kirin.lock", self.root / ".kirin" / "journal.jsonl")

    def files(self) -> dict[str, bytes]:
        """All files of the project, by path."""
        found = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}

    def outputs(self) -> list[str]:
        """The paths of all files under outputs."""
        return [path for path in self.files() if path.startswith("outputs/")]

    def result(self, job: str) -> Path:
        """Where the first result of a job is."""
        path = self.records[job].outputs[0].path
        assert path is not None
        return self.root / path

    def serve(self, request: web.Request) -> web.StreamResponse | None:
        """A result as this studio serves it; None for the sandbox's own."""
        self.downloads.append((request.path, dict(request.headers)))
        if self.serve_result:
            return self.serve_result(request)
        if self.paints or request.path.endswith(".mp4"):
            return None
        return web.Response(body=served_picture(request.path))


def job_named(name: str, *, output_stem: str = "outputs/{index}", result_type: str = "image") -> Job:
    """A job with this id, of which nothing else matters but where its results go."""
    return Job(
        id=name,
        spec="film",
        spec_file="specs/film.yaml",
        model="kirin_v2_image",
        kind="image",
        slots=1,
        params={"prompt": "a"},
        digest="0" * 64,
        external_task_id=f"kb-{name}",
        result_type=result_type,
        output_stem=output_stem,
    )


def plain_picture(name: str, *, size: tuple[int, int] = (320, 320)) -> bytes:
    """A picture of one colour, which `name` decides; JPEG where it ends so, else PNG."""
    red, green, blue = hashlib.sha256(name.encode()).digest()[:3]
    file = io.BytesIO()
    Image.new("RGB", size, (red, green, blue)).save(file, "JPEG" if name.endswith(".jpg") else "PNG")
    return file.getvalue()


def served_picture(path: str) -> bytes:
    """What a studio serves there: of the shape that most jobs ask for. All end alike, because paths are reused."""
    return plain_picture(path.removesuffix(".jpg"), size=(1024, 576))


def draw_picture(path: Path, *, size: tuple[int, int] = (320, 320)) -> Path:
    """Draw a plain picture into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plain_picture(path.name, size=size))
    return path


@contextmanager
def open_studio(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    holds_time: bool = False,
    image_slots: int = 10,
) -> Iterator[Studio]:
    """A project in `root` whose gateway is a sandbox of its own, for as long as the block lasts."""
    studio = Studio(root, capsys, holds_time=holds_time, image_slots=image_slots)
    started, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(studio, started, ended)))
    thread.start()
    try:
        assert started.wait(10)
        monkeypatch.setenv("KIRIN_BASE_URL", studio.url)
        monkeypatch.setenv("KIRIN_API_KEY", KEY)
        yield studio
    finally:
        ended.set()
        thread.join(10)


async def _serve(studio: Studio, started: threading.Event, ended: threading.Event) -> None:
    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await (studio.wrap(request, handler) if studio.wrap else handler(request))

    @web.middleware
    async def gateway(request: web.Request, handler: Handler) -> web.StreamResponse:
        told = studio.answer(request) if studio.answer else None
        return told or await handler(request)

    @web.middleware
    async def results(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert hdrs.AUTHORIZATION not in request.headers
        return studio.serve(request) or await handler(request)

    settings = SandboxSettings(
        limits={"image": studio.image_slots}, middlewares=(around, gateway), result_middlewares=(around, results)
    )
    async with Sandbox(settings, clock=studio.clock) as studio.sandbox:
        started.set()
        await asyncio.to_thread(ended.wait)
