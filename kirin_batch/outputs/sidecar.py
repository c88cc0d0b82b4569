"""Sidecars: what a result is, as JSON in a file of its name and `.json` beside it. They are notes, never results.

What they tell is in the lockfile too; a sidecar goes where its file goes, and is written anew with it. No key comes
into one, and no image: a text that is Base64 is told by its SHA-256.
"""

import hashlib
import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import orjson

from kirin_batch.disk import write_atomic
from kirin_batch.identity import IGNORED_PARAMS
from kirin_batch.jobs import Job, LocalFile
from kirin_batch.models import decode_base64
from kirin_batch.pointers import Pointer
from kirin_batch.records import Record

__all__ = ["is_sidecar_of", "move_sidecar", "public_params", "public_values", "sidecar_path", "write_sidecars"]

logger = logging.getLogger("kirin_batch.outputs")

_LONGEST = 1024 * 1024  # bytes; what is larger is none of ours
_LEAST_BASE64 = 256  # characters; shorter texts of letters and digits are words
_SECRET = re.compile(r"(^|_)(api_?key|token|secret|password|credentials?)$", re.IGNORECASE)
# A user with a password before the host, and what follows a question mark: where signed URLs carry their signature.
_URL_SECRETS = re.compile(r"(https?://)(?:[^/@\s]*@)?([^?#\s]*)(?:[?#]\S*)?", re.IGNORECASE)


def sidecar_path(file: Path) -> Path:
    """Where the sidecar of a result lies."""
    return file.with_name(f"{file.name}.json")


def is_sidecar_of(path: Path, *, sha256: str) -> bool:
    """Whether a file is the sidecar of the result with this content, as far as anybody can tell."""
    said = _read(path)
    return said is not None and said["sha256"] == sha256


def _read(path: Path) -> dict[str, Any] | None:
    """What a sidecar says; None for a file that is none."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST:
            return None
        said = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return said if isinstance(said, dict) and {"version", "job", "sha256"} <= said.keys() else None


def move_sidecar(source: Path, target: Path, *, sha256: str | None) -> None:
    """Take the sidecar of a result along that has moved from `source` to `target`. Raises OSError."""
    if sha256 and is_sidecar_of(sidecar_path(source), sha256=sha256) and not sidecar_path(target).exists():
        sidecar_path(source).replace(sidecar_path(target))


def write_sidecars(root: Path, job: Job, record: Record, *, secrets: Collection[str] = ()) -> None:
    """Write a sidecar beside each result of a task that is on disk; `secrets` as for `public_params`.

    A file of that name which is no sidecar is somebody's own, and stays. Raises OSError.
    """
    params = public_params(job, secrets=secrets)
    for number, output in enumerate(record.outputs, 1):
        if output.path is None or not (root / output.path).is_file():
            continue
        document = _document(job, record, params, number)
        data = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        path = sidecar_path(root / output.path)
        if not path.exists():
            write_atomic(path, data)
        elif _read(path) is None:
            logger.warning("%s is no sidecar of ours, and is left as it is", path.relative_to(root).as_posix())
        elif path.read_bytes() != data:
            write_atomic(path, data)


def _document(job: Job, record: Record, params: Mapping[str, Any], number: int) -> dict[str, Any]:
    output = record.outputs[number - 1]
    sandbox = {"sandbox": True} if record.sandbox else {}
    return {
        "version": 1,
        "job": job.id,
        "spec": job.spec_file,
        "model": job.model,
        "digest": record.digest,
        "take": record.take,
        "attempt": record.attempt,
        "params": params,
        "task_id": record.task_id,
        "external_task_id": record.external_task_id,
        "cost": record.cost,
        "created_at": record.created_at,
        "finished_at": record.finished_at,
        "result": number,
        "results": len(record.outputs),
        "type": output.type,
        "sha256": output.sha256,
        "bytes": output.bytes,
        "warnings": [warning.as_json() for warning in record.warnings],
        **sandbox,
    }


def public_params(job: Job, *, secrets: Collection[str] = ()) -> dict[str, Any]:
    """The params of a job as others may see them, without `secrets` wherever they stand in a text.

    An image in Base64 is told by its content, a local file as the spec names it with its content, what another job
    gives as the reference to it. URLs come without what a signature or a password may stand in.
    """
    return public_values(job.params, files=job.files, secrets=secrets)


def public_values(
    params: Mapping[str, Any], *, files: Mapping[Pointer, LocalFile], secrets: Collection[str]
) -> dict[str, Any]:
    """As `public_params`, for params without their job; `files` are the local ones among them."""
    kept = {name: value for name, value in params.items() if name not in IGNORED_PARAMS}
    return {name: _public((name,), value, files, secrets) for name, value in kept.items()}


def _public(at: Pointer, value: Any, files: Mapping[Pointer, LocalFile], secrets: Collection[str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _public((*at, key), item, files, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_public((*at, index), item, files, secrets) for index, item in enumerate(value)]
    if _SECRET.search(str(at[-1])):
        return "[secret]"
    if at in files:
        return {"file": value, "sha256": files[at].sha256}
    return _public_text(value, secrets) if isinstance(value, str) else value


def _public_text(text: str, secrets: Collection[str]) -> str | dict[str, Any]:
    if len(text) >= _LEAST_BASE64 and (content := decode_base64(text)) is not None:
        return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return _URL_SECRETS.sub(r"\1\2", text)
