"""Reads a task out of an answer of the gateway, in any of its forms. Must not know how the answer came."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from kirin_batch.gateway.answers import Done, Failed, Result, Running
from kirin_batch.gateway.fault import read_fault

__all__ = ["read_task"]

_TYPES: Mapping[object, Literal["image", "video"]] = {
    "image": "image",
    "image_url": "image",
    "video": "video",
    "video_url": "video",
}
_ID_CHARACTERS = 512
_COST = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?", re.ASCII)  # more would be no price, and 1e999999 a million digits
_64_BITS = 2**64


def read_task(body: object) -> Running | Done | Failed | None:
    """Read the task, bare or wrapped in `data`; None where there is no id.

    Whatever is neither completed nor failed is still running.
    """
    task = _find(body)
    if task is None:
        return None
    task_id = str(task["id"])
    match str(task.get("status")).strip().lower():
        case "completed":
            contents = tuple(_contents(task.get("output")))
            return Done(task_id, tuple(_results(contents)), _cost(task.get("usage")), _element_id(contents))
        case "failed":
            fault = read_fault(task)
            return Failed(task_id, fault.code, fault.message or "the gateway gives no reason")
        case _:
            return Running(task_id, _progress(task.get("progress")))


def _find(body: object) -> Mapping[str, Any] | None:
    places = (body, body.get("data")) if isinstance(body, dict) else ()
    return next((place for place in places if isinstance(place, dict) and _is_id(place.get("id"))), None)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _ID_CHARACTERS and value.isprintable() and " " not in value
    return isinstance(value, int) and not isinstance(value, bool)


def _progress(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def _contents(output: object) -> Iterator[Mapping[str, Any]]:
    """Several results come as several contents, several groups, or both."""
    for group in _listed(output):
        yield from _listed(group.get("content", group))


def _listed(value: object) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _results(contents: tuple[Mapping[str, Any], ...]) -> Iterator[Result]:
    for content in contents:
        kind, url = content.get("type"), content.get("url")
        if isinstance(kind, str) and kind in _TYPES and isinstance(url, str) and _is_address(url):
            yield Result(_TYPES[kind], url)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return url.isprintable() and " " not in url and parts.scheme in {"http", "https"} and bool(parts.hostname)


def _cost(usage: object) -> Decimal | None:
    """USD, from a decimal string or a number (whose shortest form is what the gateway meant)."""
    cost = usage.get("cost") if isinstance(usage, dict) else None
    if isinstance(cost, bool) or not isinstance(cost, str | int | float):
        return None
    text = cost.strip() if isinstance(cost, str) else f"{Decimal(str(cost)):f}"
    return Decimal(text) if _COST.fullmatch(text) else None


def _element_id(contents: tuple[Mapping[str, Any], ...]) -> int | None:
    """A subject is told in a text of JSON with `element_id`, a 64-bit integer (page "custom elements")."""
    return next((found for content in contents if (found := _element_id_in(content.get("text"))) is not None), None)


def _element_id_in(text: object) -> int | None:
    try:
        told = orjson.loads(text) if isinstance(text, str) else text
    except orjson.JSONDecodeError:
        return None
    value = told.get("element_id") if isinstance(told, dict) else None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _64_BITS else None
