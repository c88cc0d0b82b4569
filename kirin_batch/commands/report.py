"""`report`: the gallery of what is recorded. Reads, beside a run too, and writes only the gallery and its previews."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kirin_batch import __version__
from kirin_batch.clock import SystemClock
from kirin_batch.commands.entries import allowed_paths, make_entry
from kirin_batch.commands.status import status_rows
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import KirinError
from kirin_batch.journal import load_records
from kirin_batch.project import Project
from kirin_batch.report.asked import load_asked
from kirin_batch.report.content import Entry, Files, describe, paths_of
from kirin_batch.report.folder import INDEX, lay_out, pack, require_free
from kirin_batch.report.page import render_page
from kirin_batch.report.previews import Look, Previews

__all__ = ["Report", "ReportOptions", "write_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Where the gallery goes: `out` (default `.kirin/report`), and `zip` where it is to be packed as well.

    `copies`: results go along in the folder; None: they do where `out` is named, which is a folder to take elsewhere.
    """

    out: Path | None = None
    zip: Path | None = None
    copies: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written: the page, and what is in it. `missing` results are not on disk; `size` is in bytes.

    `page` is None where nothing is recorded that it could show: nothing was written then.
    """

    page: Path | None
    zip: Path | None
    jobs: int
    results: int
    missing: int
    without_preview: int
    previews_made: int
    previews_reused: int
    size: int

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`."""
        return {
            "report": str(self.page) if self.page else None,
            "zip": str(self.zip) if self.zip else None,
            "jobs": self.jobs,
            "results": self.results,
            "missing": self.missing,
            "without_preview": self.without_preview,
            "previews": {"made": self.previews_made, "reused": self.previews_reused},
            "bytes": self.size,
        }


def write_report(workspace: Workspace, selection: Selection, options: ReportOptions) -> Report:
    """Write the gallery of the selected jobs. Raises KirinError where a place is no good."""
    project = workspace.project
    folder = Path(os.path.abspath(options.out)) if options.out else project.state / "report"  # noqa: PTH100 - links stay
    require_free(folder)
    entries = list(_entries(workspace, selection))
    if not any(entry.tasks for entry in entries):
        return _nothing_shown(jobs=len(entries))
    project.make_state_folder()
    previews = Previews(project.state / "thumbnails")
    try:
        looks = previews.look_at(allowed_paths(project, paths_of(entries)))
    except OSError as error:
        raise KirinError(f"{error.filename} cannot be written: {error.strerror}") from error
    gallery = _Gallery(project, entries, looks, previews)
    copies = options.out is not None if options.copies is None else options.copies
    page = gallery.page(_packed if copies else _linked(folder))
    lay_out(folder, page, gallery.files(with_results=copies))
    if options.zip:
        pack(options.zip, gallery.page(_packed), gallery.files(with_results=True))
    return gallery.report(folder / INDEX, options.zip, len(page))


def _nothing_shown(*, jobs: int) -> Report:
    return Report(
        page=None,
        zip=None,
        jobs=jobs,
        results=0,
        missing=0,
        without_preview=0,
        previews_made=0,
        previews_reused=0,
        size=0,
    )


def _entries(workspace: Workspace, selection: Selection) -> Iterator[Entry]:
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    manifest = load_asked(project.manifest)
    for row in status_rows(workspace, selection):
        yield make_entry(workspace, row, records=records, manifest=manifest)


def _packed(path: Path, look: Look) -> str:
    return f"results/{look.sha256}{path.suffix.lower()}"


def _linked(folder: Path) -> Callable[[Path, Look], str]:
    def address(path: Path, look: Look) -> str:  # noqa: ARG001 - as every Address
        return quote(os.path.relpath(path, folder).replace(os.sep, "/"))

    return address


@dataclass(frozen=True, slots=True)
class _Gallery:
    """All that a page is made of."""

    project: Project
    entries: list[Entry]
    looks: Mapping[Path, Look]
    previews: Previews

    def page(self, address: Callable[[Path, Look], str]) -> bytes:
        """The page that finds results at these addresses."""
        files = Files.of(self.project.root, self.looks, address, self.entries)
        title = self.project.root.name or "kirin-batch"
        return render_page(describe(self.entries, files, title=title, version=__version__, now=SystemClock().now()))

    def files(self, *, with_results: bool) -> dict[str, Path]:
        """The sources of all that lies beside the page, by name."""
        shown = {path: look for path, look in self.looks.items() if look.thumbnail}
        found = {f"thumbnails/{look.sha256}.webp": self.previews.thumbnail(look.sha256) for look in shown.values()}
        if with_results:
            results = {self.project.root / output.path for output in self._outputs() if output.path}
            found |= {_packed(path, look): path for path, look in self.looks.items() if look.media and path in results}
        return found

    def report(self, page: Path, packed: Path | None, size: int) -> Report:
        """What is told of it."""
        places = [self.project.root / output.path if output.path else None for output in self._outputs()]
        looks = [self.looks.get(place) if place else None for place in places]
        return Report(
            page=page,
            zip=packed,
            jobs=len(self.entries),
            results=len(looks),
            missing=looks.count(None),
            without_preview=sum(look is not None and not look.thumbnail for look in looks),
            previews_made=self.previews.made,
            previews_reused=self.previews.reused,
            size=size,
        )

    def _outputs(self) -> Iterator[Any]:
        return (output for entry in self.entries for output in (entry.record.outputs if entry.record else ()))
