"""A job, resolved and fingerprinted: all that a plan and a run need to know of it. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kirin_batch.pointers import Pointer

__all__ = ["Job", "Link", "LinkedText", "LocalFile"]


@dataclass(frozen=True, slots=True)
class Link:
    """What of another job stands here: `field` is `url`, `urls`, `file`, `element_id` or `task_id`; `index` from 0."""

    job: str
    field: str
    index: int = 0

    def __str__(self) -> str:
        name = f"urls[{self.index}]" if self.field == "urls" else self.field
        return f"${{{{ jobs.{self.job}.{name} }}}}"


@dataclass(frozen=True, slots=True)
class LinkedText:
    """A value of params that is known when other jobs are done; a single link keeps its type (an integer, say)."""

    parts: tuple[str | Link, ...]

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """An image on disk: its absolute path, and the SHA-256 of the content that was checked."""

    path: Path
    sha256: str


@dataclass(slots=True, kw_only=True)  # not frozen, which takes ten times as long: `Final` holds it as well
class Job:
    """One generation.

    `id` is `SPEC:NAME[axis=value,…]`; `params` are as the request will carry them, but for the places in `links`
    (values of other jobs) and `files` (local images, sent as Base64), where params hold the text of the spec. `needs`
    are the ids of the jobs that must be done before. `kind` and `slots` say what of the account's concurrency a task
    takes; `result_type` (`image`, `video`, `text` for a subject) and `result_count` what it yields. `fixed_task_id`:
    the spec gives the external_task_id itself. `spec_file` is relative to the project's root.
    """

    id: Final[str]
    spec: Final[str]
    spec_file: Final[str]
    model: Final[str]
    kind: Final[str]
    slots: Final[int]
    params: Final[Mapping[str, Any]]
    digest: Final[str]
    external_task_id: Final[str]
    result_type: Final[str] = "image"
    result_count: Final[int] = 1
    take: Final[int] = 1
    tags: Final[tuple[str, ...]] = ()
    needs: Final[tuple[str, ...]] = ()
    links: Final[Mapping[Pointer, LinkedText]] = field(default_factory=dict)
    files: Final[Mapping[Pointer, LocalFile]] = field(default_factory=dict)
    output_stem: Final[str] = ""
    fixed_task_id: Final[bool] = False
