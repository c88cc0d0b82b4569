"""Any interleaving of runs, kills, interrupts, edits, losses and merges: the gateway's books balance after each step.

A step that fails is printed with all steps before it. To look for long, by hand:

    KIRIN_TEST_EXAMPLES=2000 .venv/bin/pytest -W error tests/durability/test_durability_machine.py
"""

import itertools
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from clones import FAILING, REFUSED, Account, Clone, Request, Scene, mark_conflict
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from killable import KILLED, Ended, start
from studio import Studio, open_studio

from kirin_batch.disk import PART_SUFFIX

EXAMPLES = int(os.environ.get("KIRIN_TEST_EXAMPLES", "32"))
SHARES = 2  # so many tests share the examples, that they may run side by side
STEPS = 12
INTERRUPTED = 130
SCENES = {"first": Scene("a"), "second": Scene("b", count=2), "last": Scene("c")}
MOMENTS = st.integers(0, 70)  # of kills; a run of three new jobs has about as many
NUMBERS = st.integers(0, 1)
KEYS = st.sampled_from(sorted(SCENES))
TEXTS = st.sampled_from(["one", "two", "one", "two", FAILING, REFUSED])
NAMES = st.sampled_from("abcde")


class Interleaving(RuleBasedStateMachine):
    """One or two clones of a project at one account."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.account = Account(studio, f"key-{folder.name}")
        self.clones = [Clone(self.folder / "0", self.account, dict(SCENES))]
        self.base = b""  # the lockfile that both clones last had in common
        self.duplicates = studio.books.duplicates

    def clone(self, number: int) -> Clone:
        return self.clones[number % len(self.clones)]

    def pair(self, number: int) -> tuple[Clone, Clone]:
        return self.clones[number], self.clones[1 - number]

    def new_tasks(self, clone: Clone, before: set[str]) -> Counter[tuple[Request, int]]:
        """What the gateway made since `before`, each task as it was asked for."""
        tasks = self.account.tasks()
        new = tasks.keys() - before
        clone.sent |= new | (clone.recorded() & tasks.keys())  # what it made, and what it found
        for id_ in new:
            request, _ = self.account.asked[id_]
            params = tasks[id_].params
            assert (params["prompt"], params.get("n", 1)) == (request.prompt, request.count)
        return Counter(self.account.asked[id_] for id_ in new)

    @initialize(moment=MOMENTS, is_pair=st.booleans())
    def begin(self, moment: int, *, is_pair: bool) -> None:
        """Most that can be lost is lost in a first run, and much between two clones."""
        if is_pair:
            self.clone_it(with_lockfile=False)
        self.run_and_kill(0, moment, holds_time=False)

    @rule(number=NUMBERS)
    def run_to_the_end(self, number: int) -> None:
        clone, studio = self.clone(number), self.account.studio
        forecast, before = clone.forecast(), set(self.account.tasks())
        ran = clone.call("run", "--format", "json")
        assert self.new_tasks(clone, before) == forecast.tasks
        assert ran.code == forecast.code, ran.err
        creates = studio.books.creates
        again = clone.call("run", "--format", "json")
        assert (again.code, studio.books.creates) == (ran.code, creates), again.err
        assert statuses(ran.out) == statuses(again.out) == forecast.statuses
        clone.check_results()

    @rule(number=NUMBERS, moment=MOMENTS, holds_time=st.booleans())
    def run_and_kill(self, number: int, moment: int, *, holds_time: bool) -> None:
        clone, studio = self.clone(number), self.account.studio
        forecast, before = clone.forecast(), set(self.account.tasks())
        studio.holds_time = holds_time
        killed = clone.call("run", kill_at=moment)
        studio.holds_time = False
        assert killed.code in {KILLED, forecast.code}, killed.err
        assert self.new_tasks(clone, before) <= forecast.tasks

    @rule(number=NUMBERS, moment=st.integers(1, 16), holds_time=st.booleans())
    def run_and_interrupt(self, number: int, moment: int, *, holds_time: bool) -> None:
        clone, studio = self.clone(number), self.account.studio
        forecast, before = clone.forecast(), set(self.account.tasks())
        studio.holds_time = holds_time
        ended = interrupt_at_request(clone, moment)
        studio.holds_time = False
        assert ended.code in {INTERRUPTED, forecast.code}, ended.err
        assert self.new_tasks(clone, before) <= forecast.tasks

    @rule(number=NUMBERS, key=KEYS, text=TEXTS, take=st.sampled_from([1, 1, 2]), runs=st.booleans())
    def edit(self, number: int, key: str, text: str, take: int, *, runs: bool) -> None:
        clone = self.clone(number)
        if key in clone.scenes:
            clone.change(key, replace(clone.scenes[key], text=text, take=take))
        if runs:
            self.run_to_the_end(number)

    @rule(number=NUMBERS, key=KEYS, name=NAMES, runs=st.booleans())
    def rename(self, number: int, key: str, name: str, *, runs: bool) -> None:
        clone = self.clone(number)
        if key in clone.scenes and name not in clone.requests():
            clone.change(key, replace(clone.scenes[key], name=name))
        if runs:
            self.run_to_the_end(number)

    @rule(number=NUMBERS, last=NAMES, runs=st.booleans())
    def shift_names(self, number: int, last: str, *, runs: bool) -> None:
        """Each scene gets the name of the next: where scenes are numbered, and one comes first; or in a circle."""
        clone = self.clone(number)
        names = [scene.name for scene in clone.scenes.values()]
        shifted = [*names[1:], last if last not in names[1:] else names[0]] if names else []
        clone.write(
            {key: replace(scene, name=name) for (key, scene), name in zip(clone.scenes.items(), shifted, strict=True)}
        )
        if runs:
            self.run_to_the_end(number)

    @rule(number=NUMBERS, key=KEYS, name=NAMES)
    def add_or_remove(self, number: int, key: str, name: str) -> None:
        clone = self.clone(number)
        if key in clone.scenes:
            clone.write({other: scene for other, scene in clone.scenes.items() if other != key})
        elif name not in clone.requests():
            scenes = clone.scenes | {key: Scene(name, count=SCENES[key].count)}
            clone.write({each: scenes[each] for each in SCENES if each in scenes})

    @rule(number=NUMBERS, index=st.integers(0, 9), deletes=st.booleans())
    def touch_an_output(self, number: int, index: int, *, deletes: bool) -> None:
        clone = self.clone(number)
        # Files of earlier tasks have names by their contents, which are others each time.
        own = (path for path in clone.files() if "/outputs/" in path and "/earlier/" not in path)
        files = [path for path in own if not path.endswith(PART_SUFFIX)]
        if not files:
            return
        path = files[index % len(files)]
        if deletes:
            Path(path).unlink()
        else:
            Path(path).write_bytes(os.urandom(16))
        now = set(clone.files().values())
        clone.edited = (clone.edited & now) | (set() if deletes else {clone.files()[path]})

    @rule(number=NUMBERS, what=st.sampled_from(["lockfile", "journal", "both"]))
    def lose(self, number: int, what: str) -> None:
        clone = self.clone(number)
        paths = {"lockfile": [clone.lockfile], "journal": [clone.journal], "both": [clone.lockfile, clone.journal]}
        clone.lose(*paths[what])
        self.base = b""

    @precondition(lambda self: len(self.clones) == 1)
    @rule(with_lockfile=st.booleans())
    def clone_it(self, *, with_lockfile: bool) -> None:
        first = self.clones[0]
        second = Clone(self.folder / "1", self.account, first.scenes)
        self.clones.append(second)
        if with_lockfile and first.lockfile.exists():
            self.base = first.lockfile.read_bytes()
            second.join(first, merged=self.base)

    @precondition(lambda self: len(self.clones) == 2)
    @rule(number=NUMBERS)
    def pull_the_specs(self, number: int) -> None:
        ours, theirs = self.pair(number)
        ours.write(theirs.scenes)

    @precondition(lambda self: len(self.clones) == 2)
    @rule(number=NUMBERS)
    def merge_both_ways(self, number: int) -> None:
        ours, theirs = self.pair(number)
        if not (ours.lockfile.exists() and theirs.lockfile.exists()):
            return
        merged, other_way = self.merge(ours, theirs), self.merge(theirs, ours)
        assert merged == other_way
        ours.join(theirs, merged=merged)
        theirs.join(ours, merged=merged)
        self.base = merged

    def merge(self, ours: Clone, theirs: Clone) -> bytes:
        """What the merge driver makes of two lockfiles."""
        places = [self.folder / name for name in ("base.lock", "ours.lock", "theirs.lock")]
        for place, data in zip(
            places, (self.base, ours.lockfile.read_bytes(), theirs.lockfile.read_bytes()), strict=True
        ):
            place.write_bytes(data)
        done = self.account.studio.run("lock", "merge", *map(str, places))
        assert done.code == 0, done.err
        return places[1].read_bytes()

    @precondition(lambda self: len(self.clones) == 2)
    @rule(number=NUMBERS)
    def merge_by_lines(self, number: int) -> None:
        ours, theirs = self.pair(number)
        if not (ours.lockfile.exists() and theirs.lockfile.exists()):
            return
        sides = ours.lockfile.read_bytes(), theirs.lockfile.read_bytes()
        if sides[0] != sides[1] and not any(b"<<<<<<<" in side for side in sides):
            ours.join(theirs, merged=mark_conflict(*sides))
            self.base = sides[1]

    @invariant()
    def no_task_is_lost(self) -> None:
        for clone in self.clones:
            assert clone.sent <= clone.recorded()
            clone.check_files()
        assert self.account.studio.books.duplicates == self.duplicates

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


def interrupt_at_request(clone: Clone, moment: int) -> Ended:
    """Run, and press Ctrl-C while the gateway has the run's `moment`-th request."""
    came, requests, studio = threading.Event(), itertools.count(1), clone.account.studio

    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if next(requests) == moment:
            came.set()
        return await handler(request)

    studio.wrap = count
    with start(clone.root, "run", KIRIN_API_KEY=clone.account.key) as begun:
        while not came.wait(0.005) and begun.process.exitcode is None:
            pass
        ended = begun.interrupt(0)
    studio.wrap = None
    return ended


def statuses(told: str) -> dict[str, str]:
    """The status of each job by name, as `run` told it."""
    return {row["job"].removeprefix("film:"): row["status"] for row in json.loads(told)["jobs"]}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    (tmp_path / "server").mkdir()
    with open_studio(tmp_path / "server", monkeypatch, capsys, image_slots=50) as studio:
        yield studio


@pytest.mark.soak
@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_nothing_is_paid_twice_and_nothing_is_lost(tmp_path: Path, studio: Studio, share: int) -> None:
    numbers = itertools.count()

    class Example(Interleaving):
        def __init__(self) -> None:
            super().__init__(studio, tmp_path / f"{share}-{next(numbers)}")

    run_state_machine_as_test(
        Example,
        settings=settings(
            max_examples=max(1, EXAMPLES // SHARES),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def account(studio: Studio) -> Account:
    return Account(studio, "key")


def run_and_count(clone: Clone) -> int:
    """How many tasks a run to the end makes."""
    before = len(clone.account.tasks())
    ran = clone.call("run")
    assert ran.code == 0, ran.err
    clone.check_files()
    return len(clone.account.tasks()) - before


def test_a_change_taken_back_while_the_job_is_renamed_costs_nothing(tmp_path: Path, account: Account) -> None:
    clone = Clone(tmp_path / "0", account, {"first": Scene("a")})
    assert run_and_count(clone) == 1
    clone.change("first", Scene("a", text="two"))
    assert run_and_count(clone) == 1
    clone.change("first", Scene("b"))
    assert run_and_count(clone) == 0
    assert clone.records()["film:b"].outputs[0].path == "outputs/film/b/1.png"
    clone.change("first", Scene("b", text="two"))
    assert run_and_count(clone) == 0


def test_a_lockfile_merged_over_the_journal_of_a_killed_run_loses_no_task(tmp_path: Path, account: Account) -> None:
    ours = Clone(tmp_path / "0", account, {"first": Scene("a")})
    theirs = Clone(tmp_path / "1", account, {"first": Scene("a", text="two")})
    assert (run_and_count(ours), run_and_count(theirs)) == (1, 1)
    for take in range(2, 40):  # a kill that comes between a record and the next folding leaves it in the journal
        ours.change("first", Scene("a", take=take))
        ours.call("run", kill_at=take)
        if ours.journal.read_bytes():
            break
    (tmp_path / "base.lock").touch()
    merged = account.studio.run("lock", "merge", str(tmp_path / "base.lock"), str(ours.lockfile), str(theirs.lockfile))
    assert (merged.code, ours.journal.read_bytes() == b"") == (0, False)
    assert account.tasks().keys() <= ours.recorded()
    ours.change("first", Scene("a", text="two"))
    assert run_and_count(ours) == 0
