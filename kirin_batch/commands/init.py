"""`init`: the files of a new project, each written where none is; nothing that is there is ever overwritten."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kirin_batch import __version__
from kirin_batch.commands.lock import MERGE_ATTRIBUTE, add_merge_attribute
from kirin_batch.commands.workspace import load_catalog
from kirin_batch.disk import make_folders, write_atomic
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.models import schema_text
from kirin_batch.models.editor import spec_schema
from kirin_batch.project import load_project

__all__ = ["Change", "NewFile", "NewProject", "init_project"]

_SOURCES = Path(__file__).with_name("new_project")
_EXAMPLE = "specs/first.yaml"
_EDITOR = ".vscode/settings.json"
_IGNORED = ("/.kirin/", ".*.kirin-part", ".env")  # state, what a killed run left half written, and where keys lie
_PLAIN_FOLDER = re.compile(r"[\w./ -]+", re.ASCII)  # nothing that YAML, a shell or GitHub's expressions would read


class Change(StrEnum):
    """What became of a file: made, given the lines that it lacked, or left as it was."""

    WRITTEN = "written"
    EXTENDED = "extended"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file by its path below the project, a workflow below the repository; `note`: what is left to do by hand."""

    path: str
    change: Change
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project and its files, in the order in which people meet them. `repository`: the checkout that it lies in."""

    root: Path
    repository: Path | None
    files: tuple[NewFile, ...]


def init_project(folder: Path, *, github: bool = False) -> NewProject:
    """Make `folder` a project that runs at once, adding to what is there. `github`: with a workflow, in its repository.

    Raises UsageError where a workflow has no place, KirinError where the disk refuses or a kirin.yaml that is there is
    wrong.
    """
    root = folder.resolve()
    repository = next((place for place in (root, *root.parents) if (place / ".git").exists()), None)
    workflow = _workflow(root, repository) if github else None
    try:
        make_folders(root)
        texts = _texts(root)
        files = [_place(root, path, text) for path, text in texts.items()]
        files += [_extend_ignored(root), _extend_attributes(root)]
        if workflow:
            files.append(_place(repository or root, *workflow))
    except OSError as error:
        raise KirinError(f"{error.filename or root} cannot be written: {error.strerror}") from error
    return NewProject(root, repository, tuple(files))


def _texts(root: Path) -> Mapping[str, str]:
    """The whole files of a project by their paths. A folder that has specs gets no example."""
    catalog = load_catalog(load_project(root, is_root=True))
    specs = root / "specs"
    has_specs = specs.is_dir() and any(specs.iterdir()) and not (root / _EXAMPLE).exists()
    return {
        "kirin.yaml": _source("kirin.yaml"),
        **({} if has_specs else {_EXAMPLE: _source("first.yaml")}),
        "schemas/spec.schema.json": spec_schema(catalog),
        "schemas/project.schema.json": schema_text("project"),
        _EDITOR: _source("settings.json"),
    }


def _source(name: str) -> str:
    return (_SOURCES / name).read_text(encoding="utf-8")


def _place(root: Path, path: str, text: str) -> NewFile:
    place = root / path
    if place.exists() or place.is_symlink():
        wants_schemas = path == _EDITOR and place.is_file() and b"spec.schema.json" not in place.read_bytes()
        note = "its yaml.schemas may name schemas/spec.schema.json for specs/**/*.yaml" if wants_schemas else ""
        return NewFile(path, Change.KEPT, note)
    make_folders(place.parent)
    write_atomic(place, text.encode())
    return NewFile(path, Change.WRITTEN)


def _extend_ignored(root: Path) -> NewFile:
    path = root / ".gitignore"
    before = path.read_bytes() if path.exists() else b""
    known = {line.strip() for line in before.splitlines()}
    lacking = [line for line in _IGNORED if line.encode() not in known]
    if not lacking:
        return NewFile(path.name, Change.KEPT)
    gap = b"\n" if before and not before.endswith(b"\n") else b""
    write_atomic(path, before + gap + "".join(f"{line}\n" for line in lacking).encode())
    return NewFile(path.name, Change.EXTENDED if before else Change.WRITTEN)


def _extend_attributes(root: Path) -> NewFile:
    path = root / ".gitattributes"
    had_one = path.exists()
    if not add_merge_attribute(root):
        return NewFile(path.name, Change.KEPT, f"it has `{MERGE_ATTRIBUTE}`")
    return NewFile(path.name, Change.EXTENDED if had_one else Change.WRITTEN)


def _workflow(root: Path, repository: Path | None) -> tuple[str, str]:
    """Path and text of the workflow: whichever folder it is for, GitHub reads those at a repository's root alone."""
    folder = root.relative_to(repository or root).as_posix()
    if not _PLAIN_FOLDER.fullmatch(folder):
        raise UsageError(f"a workflow for {folder} cannot be written: choose a folder of plain letters, digits, . _ -")
    group = "-".join(_words(folder)) or "root"
    filled = {"@PROJECT@": json.dumps(folder), "@GROUP@": group, "@VERSION@": __version__}
    text = _source("workflow.yml")
    for mark, value in filled.items():
        text = text.replace(mark, value)
    return f".github/workflows/kirin{'' if folder == '.' else f'-{group}'}.yml", text


def _words(folder: str) -> Iterator[str]:
    return (word for word in re.split(r"\W+", folder) if word)
