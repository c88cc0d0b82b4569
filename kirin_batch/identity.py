"""What makes two requests the same: the digest of a job, and the external_task_id that is derived from it.

Both are promises: a digest that moves without need makes users pay again for what they have, an id that differs between
two machines lets them both pay. So the digest sees the request as the gateway would, whatever way the spec wrote it,
and `tests/test_identity.py` holds golden values of both.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from kirin_batch.pointers import Pointer, json_pointer

__all__ = ["IGNORED_PARAMS", "digest_of_request", "external_task_id"]

IGNORED_PARAMS = frozenset({"callback_url", "external_task_id"})
"""Params that say where to ring and how to look up, not what to make."""

_DIGEST_VERSION = 1


def digest_of_request(
    model: str, *, take: int, params: Mapping[str, Any], defaults: Mapping[str, Any], inputs: Mapping[Pointer, Any]
) -> str:
    """SHA-256 over canonical JSON of a request, as 64 hexadecimal digits.

    `inputs` replaces what stands in params at its pointers: the content of an image, the digest of another job. It is
    hashed beside the params, not among them, so that no text of a user's can pass for it. A param that says what is the
    documented default anyway counts as left out.
    """
    said = {
        name: _without_inputs(value, (name,), inputs) if inputs else value
        for name, value in params.items()
        if name not in IGNORED_PARAMS and not (name in defaults and defaults[name] == value)
    }
    placed = {json_pointer(pointer): value for pointer, value in inputs.items() if pointer[0] not in IGNORED_PARAMS}
    document = {"version": _DIGEST_VERSION, "model": model, "take": take, "params": said, "inputs": placed}
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _without_inputs(value: Any, at: Pointer, inputs: Mapping[Pointer, Any]) -> Any:  # noqa: ANN401 - any JSON value
    if at in inputs:
        return None
    if isinstance(value, dict):
        return {key: _without_inputs(item, (*at, key), inputs) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_inputs(item, (*at, index), inputs) for index, item in enumerate(value)]
    return value


def external_task_id(namespace: str, job: str, digest: str, attempt: int) -> str:
    """The id under which the gateway is asked for a job's task: `kb-` and 40 hexadecimal digits, on every machine."""
    parts = orjson.dumps([namespace, job, digest, attempt])
    return f"kb-{hashlib.sha256(parts).hexdigest()[:40]}"
