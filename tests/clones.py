"""Clones of one project, as people and kills leave them, and a small model of what each of them has paid for.

The model knows requests by what stands in the spec (`Request`), never by the program's digest. It takes the gateway's
side from the sandbox's books, and the clone's side from what is on its disk.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from killable import Ended, call
from studio import Studio, served_picture

from kirin_batch.disk import PART_SUFFIX
from kirin_batch.identity import external_task_id
from kirin_batch.journal import load_records
from kirin_batch.lockfile import load_lockfile
from kirin_batch.records import Record, Status
from kirin_batch.sandbox.tasks import Task, user_of

__all__ = ["FAILING", "REFUSED", "SETTINGS", "Account", "Clone", "Forecast", "Request", "Scene", "mark_conflict"]

SETTINGS = "version: 1\npoll: {min: 0.01, max: 0.02}\n"
FAILING, REFUSED = "fail-006001094", "forbidden-content"
_ATTEMPTS = 2  # `retries` is 1


@dataclass(frozen=True, slots=True)
class Scene:
    """What a person means by one job, whatever they call it: no two scenes ever ask for the same."""

    name: str
    text: str = "one"
    count: int = 1
    take: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What a job asks for; `after` is the request whose result it refers to."""

    prompt: str
    count: int
    take: int
    after: "Request | None" = None

    @property
    def attempts(self) -> int:
        """How many tasks it comes to."""
        return 0 if REFUSED in self.prompt else _ATTEMPTS if FAILING in self.prompt else 1

    @property
    def status(self) -> Status:
        """How its job stands in the end."""
        if self.after and self.after.status is not Status.COMPLETED:
            return Status.BLOCKED
        return Status.COMPLETED if self.attempts == 1 else Status.FAILED


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run to the end has to make, and how each job stands after it, by name."""

    tasks: Counter[tuple[Request, int]]
    statuses: Mapping[str, str]

    @property
    def code(self) -> int:
        return 0 if set(self.statuses.values()) <= {Status.COMPLETED} else 1


@dataclass(slots=True)
class Account:
    """One user of the sandbox, with clones that share it. `asked` tells the request and attempt of every id seen."""

    studio: Studio
    key: str
    asked: dict[str, tuple[Request, int]] = field(default_factory=dict)
    digests: dict[str, Request] = field(default_factory=dict)

    def tasks(self) -> dict[str, Task]:
        """All tasks of the account by external_task_id, of which none has two."""
        tasks = list(self.studio.books.of_user(user_of(self.key)))
        by_id = {str(task.external_id): task for task in tasks}
        assert len(by_id) == len(tasks), "an external_task_id has two tasks"
        return by_id

    def learn(self, request: Request, digest: str, name: str) -> None:
        """Note under which ids a job may be sent; one digest is one request, on every machine and for ever."""
        assert self.digests.setdefault(digest, request) == request
        for attempt in range(1, _ATTEMPTS + 1):
            self.asked[external_task_id("", f"film:{name}", digest, attempt)] = request, attempt

    def results(self) -> set[str]:
        """The SHA-256 of every result of the account."""
        return {_served(url) for task in self.tasks().values() for url in task.results}


@dataclass(slots=True)
class Clone:
    """One checkout. `sent` are ids of tasks that it made, found or was told of since it last lost its records.

    `edited` are the SHA-256 of files that a person changed, `strangers` those of files whose records were lost.
    """

    root: Path
    account: Account
    scenes: dict[str, Scene]
    sent: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        (self.root / "specs").mkdir(parents=True)
        (self.root / "kirin.yaml").write_text(SETTINGS)
        self.write(self.scenes)

    @property
    def lockfile(self) -> Path:
        return self.root / "kirin.lock"

    @property
    def journal(self) -> Path:
        return self.root / ".kirin" / "journal.jsonl"

    def write(self, scenes: Mapping[str, Scene]) -> None:
        """Write the spec; "last" refers to "first" where both are there."""
        self.scenes = dict(scenes)
        lines = ["version: 1", "defaults: {model: kirin_v2_image}", "jobs:" if scenes else "jobs: {}"]
        for key, scene in scenes.items():
            params: dict[str, object] = {"prompt": f"{key} {scene.text}", "n": scene.count}
            if key == "last" and "first" in scenes:
                params["image"] = f"${{{{ jobs.{scenes['first'].name}.url }}}}"
            lines.append(f"  {scene.name}: {json.dumps({'take': scene.take, 'params': params})}")
        (self.root / "specs" / "film.yaml").write_text("\n".join([*lines, ""]))

    def change(self, key: str, scene: Scene) -> None:
        """Write the spec with another scene in the place of one."""
        self.write(self.scenes | {key: scene})

    def requests(self) -> dict[str, Request]:
        """What each job asks for, by name."""
        made: dict[str, Request] = {}
        for key, scene in self.scenes.items():
            after = made.get("first") if key == "last" else None
            made[key] = Request(f"{key} {scene.text}", scene.count, scene.take, after)
        return {self.scenes[key].name: request for key, request in made.items()}

    def call(self, *arguments: str, kill_at: int | None = None) -> Ended:
        return call(self.root, *arguments, kill_at=kill_at, KIRIN_API_KEY=self.account.key)

    def records(self) -> dict[str, Record]:
        """What is recorded by job; raises where lockfile or journal cannot be trusted."""
        load_lockfile(self.lockfile)
        return load_records(self.lockfile, self.journal)

    def recorded(self) -> set[str]:
        """All ids that are recorded, of tasks that are or may be."""
        return {task.external_task_id for record in self.records().values() for task in _tasks(record)}

    def forecast(self) -> Forecast:
        """What a run to the end has to make, by the records on disk, the spec and the gateway's books."""
        planned = self.account.studio.run("plan", "-C", str(self.root), "--format", "json")
        assert planned.code == 0, planned.err
        rows = {row["job"].removeprefix("film:"): row for row in planned.json["jobs"] if row["action"] != "orphan"}
        requests = self.requests()
        assert set(rows) == set(requests)
        needed: Counter[tuple[Request, int]] = Counter()
        for name, request in requests.items():
            digest = rows[name]["digest"]
            self.account.learn(request, digest, name)
            if request.status is not Status.BLOCKED:
                needed.update(self._lacking(name, request, digest, rows[name]["external_task_id"]))
        return Forecast(needed, {name: str(request.status) for name, request in requests.items()})

    def _lacking(self, name: str, request: Request, digest: str, planned_id: str) -> list[tuple[Request, int]]:
        """The attempts at a request of which neither this clone nor, under the job's own id, the gateway has a task.

        No two scenes ask for the same: whatever name had a task of the request does not ask for it any more. But a name
        with an intent goes on with that.
        """
        tasks, record = self.account.tasks(), self.records().get(f"film:{name}")
        is_intent = record is not None and record.digest == digest and record.task_id is None
        known = {task.external_task_id for task in _tasks(record)} if record and is_intent else self.recorded()
        held = {self.account.asked[id_][1] for id_ in known & tasks.keys() if self.asks(id_, request)}
        own = {attempt: external_task_id("", f"film:{name}", digest, attempt) for attempt in range(1, _ATTEMPTS + 1)}
        planned = self.account.asked.get(planned_id)
        if planned and planned[0] == request:
            own[planned[1]] = planned_id  # an intent of a job that was renamed keeps its id
        first = max(held, default=0) + 1
        return [(request, number) for number in range(first, request.attempts + 1) if own[number] not in tasks]

    def asks(self, id_: str, request: Request) -> bool:
        return id_ in self.account.asked and self.account.asked[id_][0] == request

    def lose(self, *paths: Path) -> None:
        """Remove lockfile or journal: what was recorded there alone is forgotten."""
        for path in paths:
            path.unlink(missing_ok=True)
        self.sent &= self.recorded()
        self.strangers |= set(self.files().values())

    def join(self, other: "Clone", *, merged: bytes) -> None:
        """Take a lockfile that also holds what the other clone's lockfile did."""
        known = {task.external_task_id for record in load_lockfile(other.lockfile).values() for task in _tasks(record)}
        self.sent |= other.sent & known
        self.lockfile.write_bytes(merged)

    def files(self) -> dict[str, str]:
        """The SHA-256 of each file among the outputs, and of what was put aside for the user."""
        folders = (self.root / "outputs", self.root / ".kirin" / "replaced")
        paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def check_files(self) -> None:
        """What lies there is results and what a person made of them; nothing of the latter is gone."""
        whole = {path: sha256 for path, sha256 in self.files().items() if not path.endswith(PART_SUFFIX)}
        assert self.edited <= set(whole.values())
        assert set(whole.values()) <= self.edited | self.account.results()

    def check_results(self) -> None:
        """After a run to the end: no leftovers, and each result of a job is on disk, if nobody changed it."""
        assert list(self.root.rglob(f"*{PART_SUFFIX}")) == []
        records = load_lockfile(self.lockfile)
        assert not self.journal.exists() or self.journal.read_bytes() == b""
        for name, request in self.requests().items():
            if request.status is Status.COMPLETED:
                self._check_result(records[f"film:{name}"], request)

    def _check_result(self, record: Record, request: Request) -> None:
        task = self.account.tasks()[record.external_task_id]
        assert (record.task_id, self.account.asked[record.external_task_id]) == (task.id, (request, 1))
        assert [output.sha256 for output in record.outputs] == [_served(url) for url in task.results]
        for output in record.outputs:
            assert output.path is not None
            on_disk = hashlib.sha256((self.root / output.path).read_bytes()).hexdigest()
            assert on_disk in {output.sha256} | self.edited | self.strangers, output.path


def mark_conflict(ours: bytes, theirs: bytes) -> bytes:
    """Two lockfiles as git leaves them without a driver: what differs stands between marks, the rest stands once."""
    left, right = ours.splitlines(), theirs.splitlines()
    most = min(len(left), len(right))
    head = next((number for number in range(most) if left[number] != right[number]), most)
    tail = next((number for number in range(most - head) if left[-1 - number] != right[-1 - number]), most - head)
    both = [b"<<<<<<< HEAD", *left[head : len(left) - tail], b"=======", *right[head : len(right) - tail]]
    return b"\n".join([*left[:head], *both, b">>>>>>> theirs", *left[len(left) - tail :], b""])


def _tasks(record: Record) -> tuple[Record, ...]:
    return (*record.earlier, record)


@cache
def _served(url: str) -> str:
    return hashlib.sha256(served_picture(urlsplit(url).path)).hexdigest()
