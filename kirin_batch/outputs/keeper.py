"""The store of a project, for as long as a command uses it: brings results back, keeps new ones, and remembers which.

A store is a second place. What it fails to do is told, once, and costs nothing but the next try: no job fails by it.
What it holds is remembered in a file of the project, so that a run which has nothing to do asks nobody.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from kirin_batch.disk import PART_SUFFIX, flush_folder, make_folders, sha256_of_file, write_atomic
from kirin_batch.outputs.crew import Crew
from kirin_batch.outputs.replaced import IsRecorded, keep_copy
from kirin_batch.outputs.store import Store, StoreError, in_groups, key_of
from kirin_batch.project import Project
from kirin_batch.records import Output, Record, Status
from kirin_batch.scheduler.outcome import Recorder

__all__ = ["Keeper"]

_AT_ONCE = 16
_MOST_FAILURES = 3  # in a row; then the store is left alone, because each may take long

logger = logging.getLogger("kirin_batch.outputs")


class Keeper:
    """The store at `url` for the results of `project`; use as a context manager, whose end waits for nothing.

    `trusts_memory`: whether what an earlier command found in the store counts as being there. `kept` and `brought`
    count results. Raises UsageError where what the address needs is not installed.
    """

    def __init__(self, project: Project, url: str, *, trusts_memory: bool = True) -> None:
        self._project = project
        self._url = url
        self._store = Store(url)
        self._stored = _load_memory(project.stored, url) if trusts_memory else set()
        self._remembered = frozenset(self._stored)
        self._crew = Crew(_AT_ONCE)
        self._uploads: dict[str, Future[bool]] = {}
        self._damaged: set[str] = set()
        self._awaited: list[asyncio.Future[bool]] = []
        self._failures = 0
        self._is_stopped = False
        self._mark = secrets.token_hex(4)
        self.fault = ""
        self.kept = 0
        self.brought = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.close()

    def holds(self, output: Output) -> bool:
        """Whether the store is known to hold a result."""
        return key_of(output) in self._stored

    def look(self, outputs: Iterable[Output]) -> list[Future[bool]]:
        """Ask the store about results that it is not known to hold; the futures are True where it answered."""
        sizes = {key: output.bytes for output in outputs if (key := key_of(output)) and key not in self._stored}
        groups = in_groups(sorted(sizes))
        return [self._crew.call(partial(self._find, {key: sizes[key] for key in group})) for group in groups]

    async def bring(self, outputs: Iterable[Output], *, is_recorded: IsRecorded) -> int:
        """Put results that are not on disk where they were recorded, as far as the store has them; how many it had.

        A file that `is_recorded` does not know is copied before a result takes its place.
        """
        calls = [self._crew.call(partial(self._bring, output, is_recorded)) for output in outputs if key_of(output)]
        found = sum(await self._wait_for(calls))
        self.brought += found
        if self.fault:
            logger.warning("%s; what it may have is asked of the gateway", self.fault)
        return found

    def keep(self, output: Output) -> None:
        """Have a result that is on disk put into the store, unless it is there already."""
        key = key_of(output)
        if key and key not in self._stored and key not in self._uploads:
            self._uploads[key] = self._crew.call(partial(self._keep, output, key))

    async def keep_all(self, records: Iterable[Record]) -> None:
        """Keep all results that are on disk, and wait for the store to have them."""
        root, outputs = self._project.root, _worth_keeping(records)
        here = [
            output for output in outputs if not self.holds(output) and output.path and (root / output.path).is_file()
        ]
        if all(await self._wait_for(self.look(here))):
            for output in here:
                self.keep(output)
        self.kept += sum(await self._wait_for(self._uploads.values()))
        if self._is_stopped:
            return
        lacking = len({key for output in here if (key := key_of(output)) and key not in self._stored})
        if lacking and self.fault:
            told = f"{lacking} {'result is' if lacking == 1 else 'results are'} not in it"
            logger.warning("%s; %s, and the next run or fetch tries again", self.fault, told)

    def stop(self) -> None:
        """Wait for nothing more, from now on: what is not done is done by a later command."""
        self._is_stopped = True
        self._crew.close()
        for waiting in self._awaited:
            waiting.cancel()

    def save_memory(self) -> None:
        """Write down what the store is known to hold, where that has changed and can be written."""
        stored = frozenset(self._stored)  # as it is now: an upload that nobody waits for may still add to it
        if stored != self._remembered:
            with suppress(OSError):
                write_atomic(self._project.stored, "\n".join([self._url, *sorted(stored), ""]).encode())

    def recorder(self, ledger: Recorder) -> Recorder:
        """A recorder that also keeps the results of what it has recorded."""
        return _KeepingRecorder(ledger, self)

    async def _wait_for(self, calls: Iterable[Future[bool]]) -> list[bool]:
        """What the calls gave, or as many of them as had ended when it was to `stop`."""
        if self._is_stopped:
            return []
        self._awaited = [asyncio.wrap_future(call) for call in calls]
        if self._awaited:
            await asyncio.wait(self._awaited)
        return [call.result() for call in self._awaited if not call.cancelled()]

    # What follows runs in threads of the crew.

    def _find(self, sizes: Mapping[str, int | None]) -> bool:
        if self._is_given_up():
            return False
        try:
            found = self._store.find(sizes)
        except StoreError as error:
            return self._fail(error)
        whole = {key for key, size_bytes in found.items() if sizes[key] in {None, size_bytes}}
        self._stored.update(whole)
        self._damaged.update(found.keys() - whole)  # cut off, say: to be put there again
        return self._succeed()

    def _keep(self, output: Output, key: str) -> bool:
        file = self._project.root / str(output.path)
        if self._is_given_up() or not self._project.is_inside(file):
            return False
        try:
            if sha256_of_file(file) != output.sha256:
                return False  # somebody edited it: it is not the result
            self._store.put(file, key, replaces=key in self._damaged)
        except StoreError as error:
            return self._fail(error)
        except OSError:
            return False  # it is gone again
        self._stored.add(key)
        return self._succeed()

    def _bring(self, output: Output, is_recorded: IsRecorded) -> bool:
        target, key = self._project.root / str(output.path), str(key_of(output))
        if self._is_given_up() or not self._project.is_inside(target):
            return False
        part = target.with_name(f".{target.name}.{self._mark}{PART_SUFFIX}")
        self._stored.discard(key)
        try:
            make_folders(target.parent)
            if not self._store.get(key, part):
                return not self._succeed()
            if sha256_of_file(part) != output.sha256:
                self._damaged.add(key)
                return self._fail(StoreError(f"the store {self._url} holds something else as {key}"))
            self._place(part, output, is_recorded)
        except (StoreError, OSError) as error:
            return self._fail(error)
        finally:
            part.unlink(missing_ok=True)
        self._stored.add(key)
        return self._succeed()

    def _place(self, part: Path, output: Output, is_recorded: IsRecorded) -> None:
        root, name = self._project.root, str(output.path)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        keep_copy(root, name, successor=str(output.sha256), is_recorded=is_recorded)
        part.replace(root / name)
        flush_folder((root / name).parent)

    def _is_given_up(self) -> bool:
        return self._failures >= _MOST_FAILURES

    def _fail(self, error: Exception) -> bool:
        self._failures += 1
        self.fault = self.fault or str(error)
        return False

    def _succeed(self) -> bool:
        self._failures = 0
        return True


class _KeepingRecorder:
    """Has results kept as soon as they are recorded; what a sandbox made up is not worth it."""

    def __init__(self, ledger: Recorder, keeper: Keeper) -> None:
        self._ledger = ledger
        self._keeper = keeper

    async def record(self, record: Record) -> None:
        """See Recorder."""
        await self._ledger.record(record)
        for output in _worth_keeping([record]):
            self._keeper.keep(output)

    async def forget(self, job: str) -> None:
        """See Recorder."""
        await self._ledger.forget(job)


def _worth_keeping(records: Iterable[Record]) -> list[Output]:
    """The results that belong into a store: all that were on disk, but for what a sandbox made up."""
    real = (record for record in records if record.status is Status.COMPLETED and not record.sandbox)
    return [output for record in real for output in record.outputs if key_of(output)]


def _load_memory(file: Path, url: str) -> set[str]:
    """What the store of this address is known to hold; nothing where nothing can be read: then it is asked."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return set(lines[1:]) if lines[:1] == [url] else set()
