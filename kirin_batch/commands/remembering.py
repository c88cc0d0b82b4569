"""Keeps what a command said where nothing was left to do, with all that it rests on, for `recall` to say it again.

What it rests on is looked at after it was read. That is safe because nothing is kept that changed in the two seconds
before the command began, or since: a change in between shows in the times of the file or of its folder.
Projects with links among what is read are left alone, but where `allow_outside` is set and links may lead anywhere.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISLNK

from kirin_batch.caches import FOLDER, program_state, settled_before
from kirin_batch.commands.workspace import Workspace
from kirin_batch.errors import KirinError
from kirin_batch.naming import fill_output_template
from kirin_batch.pointers import value_at
from kirin_batch.recall import Call, Kept, asked_call, key_of
from kirin_batch.records import Record
from kirin_batch.witness import Identity, identify, inner_folders, kind_at, listing

__all__ = ["remember"]


class _UnfitError(Exception):
    """What an answer rests on may have changed while it was made, or is more than `recall` can look at."""


def remember(workspace: Workspace, *, records: Iterable[Record] | None = None) -> None:
    """Leave word that what this command says may be said again while nothing changes.

    Only for an answer after which nothing is left to do. `records` are those whose results it rests on, None where it
    rests on no record at all. Does nothing where anything stands against it: a cache is never needed.
    """
    call, project = asked_call.get(), workspace.project
    if call is None or call.root != str(project.root) or not workspace.specs.files:
        return
    with suppress(OSError, KirinError, _UnfitError):
        project.make_state_folder()
        (project.root / FOLDER).mkdir(exist_ok=True)
        call.rests_on = _Witness(workspace, call).kept(records)


class _Witness:
    """Looks at all that an answer rests on, and refuses what is too young to be told apart from its next change."""

    def __init__(self, workspace: Workspace, call: Call) -> None:
        self._workspace = workspace
        self._settings = workspace.project.settings
        self._call = call
        self._root = str(workspace.project.root)
        self._follows = self._settings.allow_outside
        self._settled_ns = settled_before(f"{self._root}/{FOLDER}", call.begun_ns)

    def kept(self, records: Iterable[Record] | None) -> Kept:
        """What an answer rests on, before it is said. Raises OSError and _UnfitError."""
        found, names = self._workspace.specs.found, self._settings.env
        rests = {*found.files, *self._images(), *self._schemas()}
        state, kinds = ["kirin.yaml"], dict(found.kinds)
        if records is not None:
            rests.update(output.path for record in records for output in record.outputs if output.path)
            state += ["kirin.lock", ".kirin/latencies.json"]
        if self._call.words[0] == "run":
            kinds[".kirin/manifest.json"] = "."  # which it would write otherwise
        ways: dict[str, frozenset[str]] = {}
        if not self._follows:
            there, absent = self._places()
            ways = self._ways(there | {name.rpartition("/")[0] for name in rests})
            kinds |= absent
        files: dict[str, Identity | None] = {name: self._identity(name) for name in rests}
        return Kept(
            key_of(self._call, names),
            names=names,
            follows=self._follows,
            program=self._program(),
            # A run that was killed leaves word of itself, and maybe parts of results, which the next one removes.
            empty=() if records is None else (".kirin/journal.jsonl", ".kirin/run.json"),
            kinds=kinds,
            folders={**found.folders, **self._schema_folders()},
            ways=ways,
            files=files | {name: self._identity_if_there(name) for name in state},
        )

    def _images(self) -> Iterator[str]:
        """The local images of jobs."""
        for job in self._workspace.specs.jobs.values():
            for pointer, file in job.files.items():
                name = self._image(f"{self._root}/{job.spec_file}", str(value_at(job.params, pointer)))
                # Where its spec lies behind a link, `..` leads up from where that leads to.
                if self._follows and os.path.realpath(f"{self._root}/{name}") != str(file.path):
                    raise _UnfitError(f"{name} is not what its spec means")
                yield name

    def _image(self, spec: str, text: str) -> str:
        """An image as its spec names it, where that does not lead up again behind a folder, which may be a link."""
        steps = Path(text).parts
        up = [step for step in steps if step == ".."]
        whole = os.path.normpath(f"{os.path.dirname(spec)}/{text}")  # noqa: PTH120 - there may be thousands
        if Path(text).is_absolute() or list(steps[: len(up)]) != up:
            raise _UnfitError(f"{text} is reached in a roundabout way")
        return os.path.relpath(whole, self._root)

    def _schemas(self) -> Iterator[str]:
        for folder, names in self._schema_folders().items():
            yield from (f"{folder}{name[1:]}" for name in names if name.endswith(".schema.json"))

    def _schema_folders(self) -> dict[str, frozenset[str]]:
        """The project's own folders of schemas, and what is in them."""
        found = {}
        for folder in {f"{os.path.normpath(folder)}/" for folder in self._settings.schemas}:
            self._settled(_status(f"{self._root}/{folder}"), folder)
            found[folder] = listing(self._root, folder)
        return found

    def _program(self) -> dict[str, Identity]:
        state = program_state()
        for path, (*_, mtime_ns, ctime_ns) in state.items():
            if max(mtime_ns, ctime_ns) >= self._settled_ns:
                raise _UnfitError(f"{path} is too young")
        return state

    def _ways(self, folders: set[str]) -> dict[str, frozenset[str]]:
        """The folders on the way from the root to those, by the one that each lies in. None of them may be a link."""
        ways: dict[str, set[str]] = {}
        left = folders
        while left:
            for folder in left - {""}:
                above, _, name = folder.rpartition("/")
                ways.setdefault(above, set()).add(name)
            left = {folder.rpartition("/")[0] for folder in left if folder}
        for above, inner in ways.items():
            path = f"{self._root}/{above}"
            self._settled(_status(path), above)
            if not inner <= inner_folders(path):
                raise _UnfitError(f"a folder in {above} is a link")
        return {above: frozenset(inner) for above, inner in ways.items()}

    def _places(self) -> tuple[set[str], dict[str, str]]:
        """The folders of results, as far as they are there, and the first on each way that is not.

        Where results would go is looked at before they are there: a link may lead them out of the project.
        """
        sample = fill_output_template(
            self._settings.outputs, dict.fromkeys(("spec", "job", "model", "digest", "take"), "x")
        )
        stems = [job.output_stem for job in self._workspace.specs.jobs.values() if job.result_type != "text"]
        known: dict[str, str] = {}
        there: set[str] = set()
        for folder in {stem.rpartition("/")[0] for stem in (sample, *stems)}:
            way = ""
            for step in folder.split("/"):
                place = f"{way}/{step}" if way else step
                if place not in known:
                    known[place] = kind_at(f"{self._root}/{place}")
                kind = known[place]
                if step == ".." or kind not in {"", "/"}:
                    raise _UnfitError(f"{place} leads elsewhere")
                if not kind:
                    break
                way = place
            there.add(way)
        return there, {place: kind for place, kind in known.items() if not kind}

    def _identity(self, name: str) -> Identity:
        path = f"{self._root}/{name}"
        return self._settled(_status(path) if self._follows else os.lstat(path), name)

    def _identity_if_there(self, name: str) -> Identity | None:
        return self._identity(name) if os.path.lexists(f"{self._root}/{name}") else None

    def _settled(self, status: os.stat_result, name: str) -> Identity:
        if max(status.st_mtime_ns, status.st_ctime_ns) >= self._settled_ns:
            raise _UnfitError(f"{name} is too young")
        if S_ISLNK(status.st_mode):
            raise _UnfitError(f"{name} is a link")
        return identify(status)


def _status(path: str) -> os.stat_result:
    return os.stat(path)  # noqa: PTH116 - a Path for each of thousands would take longer than the look
