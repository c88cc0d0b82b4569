"""`.kirin/manifest.json`: every job, resolved and fingerprinted, for people and tools.

Only the gallery reads it back, for jobs that no spec tells any more.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from kirin_batch.disk import write_atomic
from kirin_batch.errors import KirinError
from kirin_batch.jobs import Job
from kirin_batch.pointers import json_pointer

__all__ = ["save_manifest"]


def save_manifest(
    path: Path, jobs: Iterable[Job], root: Path, *, tell_params: Callable[[Job], Mapping[str, Any]]
) -> None:
    """Write the manifest (`schemas/manifest.schema.json`) in one step; `tell_params` cuts secrets out.

    Raises KirinError where the disk refuses.
    """
    ordered = sorted(jobs, key=lambda job: job.id)
    document = {"version": 1, "jobs": [_line(job, root, tell_params(job)) for job in ordered]}
    try:
        write_atomic(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise KirinError(f"{path} cannot be written: {error.strerror}. Nothing was sent") from error


def _line(job: Job, root: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "job": job.id,
        "spec": job.spec_file,
        "model": job.model,
        "kind": job.kind,
        "slots": job.slots,
        "params": params,
        "files": {
            json_pointer(pointer): {"path": _shown(file.path, root), "sha256": file.sha256}
            for pointer, file in job.files.items()
        },
        "links": {json_pointer(pointer): str(linked) for pointer, linked in job.links.items()},
        "needs": job.needs,
        "tags": job.tags,
        "take": job.take,
        "outputs": job.output_stem,
        "digest": job.digest,
        "external_task_id": job.external_task_id,
    }


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
