"""A project whose jobs all have their results, and commands about it, asked as if ten seconds later than they are.

Nothing is kept of files that changed within two seconds: whoever asks from the future need not wait for that.
"""

import hashlib
import io
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from spec_projects import draw

from kirin_batch.__main__ import run_program
from kirin_batch.commands.workspace import open_project, open_workspace
from kirin_batch.lockfile import save_lockfile
from kirin_batch.naming import output_path
from kirin_batch.recall import Call, recall
from kirin_batch.records import Output, Record, Status

__all__ = ["SPEC", "Answer", "CachedProject"]

SPEC = """\
version: 1
defaults: {model: kirin_v2_image}
jobs:
  hero: {params: {prompt: A fox}}
  poster: {params: {prompt: "A poster, ${{ env.MOOD }}"}}
  copy: {params: {prompt: The fox again, image: ../pictures/fox.png}}
"""
_LATER_NS = 10_000_000_000
_PICTURE = b"\x89PNG\r\n\x1a\n of a test"


@dataclass(frozen=True, slots=True)
class Answer:
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str


class CachedProject:
    """Commands are asked in this process; `environment` sets the variable MOOD, which a spec takes."""

    def __init__(self, root: Path, environment: pytest.MonkeyPatch) -> None:
        self.root = root.resolve()
        self._environment = environment
        self.write("kirin.yaml", "namespace: test\nenv: [MOOD]\n")
        self.write("specs/film.yaml", SPEC)
        draw(self.root / "pictures" / "fox.png")
        self.set_mood("at dawn")
        self.make_results()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def set_mood(self, mood: str) -> None:
        self._environment.setenv("MOOD", mood)

    def make_results(self) -> None:
        """Record a result for every job, as if a run had made it."""
        workspace = open_workspace(open_project(self.root))
        records = {}
        for job in workspace.specs.jobs.values():
            path = output_path(job.output_stem, index=1, ext=".png")
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(_PICTURE)
            sha256, day = hashlib.sha256(_PICTURE).hexdigest(), "2026-01-31T12:00:00Z"
            output = Output("https://r.example/1.png", "image", path=path, sha256=sha256, bytes=len(_PICTURE))
            records[job.id] = Record(
                job=job.id,
                model=job.model,
                status=Status.COMPLETED,
                digest=job.digest,
                external_task_id=job.external_task_id,
                created_at=day,
                finished_at=day,
                task_id=f"task-{job.id}",
                cost="0.028",
                outputs=(output,),
            )
        save_lockfile(self.root / "kirin.lock", records)

    def ask(self, *words: str, later_ns: int = _LATER_NS) -> Answer:
        """What a command answers, at once or anew."""
        out, err = _pipe(), _pipe()
        with redirect_stdout(out), redirect_stderr(err):
            code = run_program(self.whole(*words), begun_ns=time.time_ns() + later_ns)
        return Answer(code, _read(out), _read(err))

    def is_kept(self, *words: str) -> bool:
        """Whether the command would be answered at once."""
        call = Call.of(self.whole(*words), time.time_ns())
        with redirect_stdout(_pipe()), redirect_stderr(_pipe()):
            return call is not None and recall(call) is not None

    def whole(self, *words: str) -> list[str]:
        """The words of a command line about this project."""
        return [*words, "--project", str(self.root)]


def _pipe() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


def _read(pipe: io.TextIOWrapper) -> str:
    pipe.seek(0)
    return pipe.read()
