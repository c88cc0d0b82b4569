"""`ui`, and the page beside a run: follows what is recorded and puts it on the live page's board. Writes only previews.

Records are read again when their files have changed, once a second at most, and only while somebody looks. Rows are
made anew for jobs that changed; results are looked at in small batches, so that the first come soon.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kirin_batch import __version__
from kirin_batch.clock import SystemClock, timestamp
from kirin_batch.commands.entries import allowed_paths, make_entry
from kirin_batch.commands.rows import JobRow, total_cost
from kirin_batch.commands.status import status_rows
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import KirinError
from kirin_batch.jobs import Job
from kirin_batch.journal import load_records
from kirin_batch.records import Status
from kirin_batch.report.asked import load_asked
from kirin_batch.report.content import Entry, Files, describe, paths_of
from kirin_batch.report.previews import Look, Previews
from kirin_batch.scheduler.observer import Measures, Stage
from kirin_batch.ui.board import Board
from kirin_batch.ui.shelf import Shelf
from kirin_batch.ui.site import Site

__all__ = ["LivePage", "serve_records"]

_LOOK_SECONDS = 1.0  # between two looks at what is recorded
_LOOK_SHARE = 15  # looking takes at most one part of so many of the time
_HURRY_SHARE = 2  # while results wait to be looked at
_BATCH = 24  # jobs whose results are looked at before the first of them is shown
_LAST_SECONDS = 0.6  # to look at what came last, and then for pages that are open to fetch it
_COUNTED = {
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.IN_FLIGHT: "in_flight",
    Status.UNKNOWN: "in_flight",
    Status.BLOCKED: "waiting",
    Status.PENDING: "waiting",
}

Reopen = Callable[[], Workspace]
"""Reads the specs again."""

_State = tuple[int, int, int] | None  # of a file: it changes with it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Update:
    """What a look found: rows of the page that changed, all jobs in order, measures. `is_whole`: nothing is left."""

    rows: list[dict[str, Any]]
    order: tuple[str, ...]
    measures: dict[str, Any]
    is_whole: bool


class _Follower:
    """Looks at what is recorded. Specs are read again by `reopen`, if at all, when a run has made a new manifest."""

    def __init__(self, workspace: Workspace, selection: Selection, reopen: Reopen | None = None) -> None:
        self.shelf = Shelf(workspace.project.state / "thumbnails")
        self._workspace = workspace
        self._selection = selection
        self._reopen = reopen
        self._seen: tuple[_State, ...] = ()
        self._planned = _state(workspace.project.manifest)
        self._rows: dict[str, JobRow] = {}
        self._entries: dict[str, Entry] = {}
        self._told: set[str] = set()
        self._waiting: dict[str, None] = {}  # changed jobs, whose files are still to be looked at
        self._looking = threading.Lock()  # a look that was given up goes on in its thread

    def look(self, *, batch: int = _BATCH) -> _Update | None:
        """What changed since the last look, or was left by it; None for nothing.

        Raises KirinError where records or specs cannot be read, or previews not be written.
        """
        with self._looking:
            project = self._workspace.project
            state = tuple(map(_state, (project.lockfile, project.journal, project.manifest)))
            if state == self._seen and not self._waiting:
                return None
            changed = self._read_again(state[2]) if state != self._seen else []
            self._seen = state
            self._waiting.update(dict.fromkeys(changed))
            now = list(islice(self._waiting, batch))
            for job in now:
                del self._waiting[job]
            # What was shown before stays until its new results were looked at; what was not is shown without them.
            bare = [replace(self._entries[job], record=None, earlier=()) for job in self._waiting.keys() - self._told]
            self._told.update(self._rows)
            whole = [self._entries[job] for job in now]
            return _Update(
                rows=[*self._describe(bare, {}), *self._describe(whole, self._previewed(whole))],
                order=tuple(self._rows),
                measures=_recorded_measures(self._workspace, self._rows.values()),
                is_whole=not self._waiting,
            )

    def _read_again(self, planned: _State) -> list[str]:
        """Read rows and records; the jobs that are not as they were."""
        if self._reopen and planned != self._planned:
            self._workspace, self._planned = self._reopen(), planned
        workspace, project = self._workspace, self._workspace.project
        rows = {row.job: row for row in status_rows(workspace, self._selection)}
        changed = [job for job, row in rows.items() if row != self._rows.get(job)]
        self._rows = rows
        self._waiting = {job: None for job in self._waiting if job in rows}
        if changed:
            records, manifest = load_records(project.lockfile, project.journal), load_asked(project.manifest)
            made = {job: make_entry(workspace, rows[job], records=records, manifest=manifest) for job in changed}
            self._entries.update(made)
        return changed

    def _previewed(self, entries: list[Entry]) -> dict[Path, Look]:
        project = self._workspace.project
        paths = list(allowed_paths(project, paths_of(entries)))
        if not paths:
            return {}
        project.make_state_folder()
        try:
            # Each time a new one: its index is read once, and others may have added to it.
            looks = Previews(project.state / "thumbnails").look_at(paths)
        except OSError as error:
            raise KirinError(f"{error.filename} cannot be written: {error.strerror}") from error
        self.shelf.show(looks.values())
        return looks

    def _describe(self, entries: list[Entry], looks: Mapping[Path, Look]) -> list[dict[str, Any]]:
        files = Files.of(self._workspace.project.root, looks, self.shelf.address, entries)
        rows: list[dict[str, Any]] = describe(entries, files, title="", version="", now=SystemClock().now())["jobs"]
        return rows


def _state(path: Path) -> _State:
    try:
        state = path.stat()
    except OSError:
        return None  # whoever reads it says why
    return state.st_ino, state.st_mtime_ns, state.st_size


def _recorded_measures(workspace: Workspace, rows: Iterable[JobRow]) -> dict[str, Any]:
    """Measures as far as records tell them: of slots and of the time left they know nothing."""
    rows = list(rows)
    kinds: dict[str, dict[str, int]] = {}
    for row in rows:
        model = workspace.catalog.model(row.model)
        kind = kinds.setdefault(model.kind if model else "other", dict.fromkeys(_COUNTED.values(), 0))
        kind[_COUNTED[row.status]] += 1
    return {"kinds": kinds, "spent": str(total_cost(rows)), "is_run": False}


def _run_measures(measures: Measures) -> dict[str, Any]:
    return {
        "kinds": {name: asdict(kind) for name, kind in measures.kinds.items()},
        "spent": str(measures.spent),
        "reserved": str(measures.reserved),
        "seconds_left": None if measures.seconds_left is None else round(measures.seconds_left),
        "is_run": True,
    }


class _Page:
    """A board, who fills it, and the site that serves it. `of_run`: measures are the run's, and the end is told."""

    def __init__(self, workspace: Workspace, follower: _Follower, *, port: int, of_run: bool) -> None:
        self.board = Board()
        self._follower = follower
        self._of_run = of_run
        title = workspace.project.root.name or "kirin-batch"
        about = {"version": 1, "title": title, "program": f"kirin-batch {__version__}"}
        self.site = Site(
            self.board,
            follower.shelf,
            about=lambda: {**about, "written_at": timestamp(SystemClock()), "of_run": of_run},
            port=port,
        )

    async def look(self, *, batch: int = _BATCH) -> bool:
        """Put what changed on the board; whether that was all."""
        update = await asyncio.to_thread(partial(self._follower.look, batch=batch))
        if update is None:
            return True
        self.board.put(update.rows, order=update.order)
        if not self._of_run or self.board.measures is None:
            self.board.measure(update.measures)
        return update.is_whole

    async def follow(self) -> None:
        """Look again and again, while somebody reads."""
        clock = SystemClock()
        while True:
            await self.board.wait_for_reader()
            begin = clock.monotonic()
            try:
                is_whole = await self.look()
            except KirinError as error:
                is_whole = True
                self.board.warn(str(error))
            took = clock.monotonic() - begin
            if is_whole:
                await clock.sleep(max(_LOOK_SECONDS, took * _LOOK_SHARE))
            else:
                await clock.sleep(took * _HURRY_SHARE if self._of_run else 0)

    async def end(self) -> None:
        """Show what came last, as far as it is quickly done, say that this is all, and let pages fetch it."""
        if self.board.readers:
            with suppress(KirinError, TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    while not await self.look():
                        pass
            self.board.end()
            await asyncio.sleep(_LAST_SECONDS)


async def serve_records(
    workspace: Workspace,
    selection: Selection,
    *,
    reopen: Reopen,
    port: int,
    on_listening: Callable[[str], None],
    ended: asyncio.Event,
) -> None:
    """Serve what is recorded, and what a run in another process records, until `ended`.

    `on_listening` is told the URL. Raises KirinError where records cannot be read or the port not be opened.
    """
    page = _Page(workspace, _Follower(workspace, selection, reopen), port=port, of_run=False)
    await page.look(batch=0)
    async with page.site, asyncio.TaskGroup() as group:
        following = group.create_task(page.follow())
        on_listening(page.site.url)
        await ended.wait()
        following.cancel()
        page.board.end()


class LivePage:
    """The page of a run in this process: an observer, and a context manager that serves it from a thread of its own.

    So it answers while the run computes or asks the user, and the run waits for no browser. `on_listening` is told the
    URL. Entering raises KirinError where the port cannot be opened.
    """

    def __init__(
        self, workspace: Workspace, selection: Selection, *, port: int, on_listening: Callable[[str], None]
    ) -> None:
        self._url = ""
        self._on_listening = on_listening
        self._make_page = partial(_Page, workspace, _Follower(workspace, selection), port=port, of_run=True)
        self._thread = threading.Thread(target=self._serve_all, name="live page", daemon=True)
        self._is_ready = threading.Event()
        self._failure: KirinError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._board: Board | None = None
        self._measure: Callable[[], Measures] | None = None
        self._next_look: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_ready.wait()
        if self._failure:
            self._thread.join()
            raise self._failure
        self._on_listening(self._url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._next_look:
            self._next_look.cancel()
        self._show_measures()
        self._call(self._ended.set)
        self._thread.join()

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:  # noqa: ARG002 - see Observer
        """See Observer."""
        if self._next_look:
            self._next_look.cancel()  # of an earlier part of the run
        self._measure = measure
        self._look(asyncio.get_running_loop())

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer: what came of it is read from the records."""

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        # On the run's own loop: a run changes beneath whoever measures it elsewhere.
        self._show_measures()
        self._next_look = loop.call_later(_LOOK_SECONDS, self._look, loop)

    def _show_measures(self) -> None:
        if self._measure and self._board:
            self._call(partial(self._board.measure, _run_measures(self._measure())))

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the page has ended before the run, by a fault of its own: that is no fault of it
            if self._loop:
                self._loop.call_soon_threadsafe(function)

    def _serve_all(self) -> None:
        try:
            asyncio.run(self._serve())
        except KirinError as error:
            self._failure = error
        finally:
            self._is_ready.set()

    async def _serve(self) -> None:
        page = self._make_page()
        await page.look(batch=0)
        async with page.site as site:
            self._url, self._board, self._loop = site.url, page.board, asyncio.get_running_loop()
            self._is_ready.set()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(page.follow())
                await self._ended.wait()
                following.cancel()
            await page.end()
