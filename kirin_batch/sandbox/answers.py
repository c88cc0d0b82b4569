"""What a query is told about a task, in the shapes that the gateway uses. Which one comes is drawn from the seed."""

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import orjson

from kirin_batch.sandbox.draws import draw
from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.rules.subject import TAGS
from kirin_batch.sandbox.tasks import Task

__all__ = ["Json", "answer_for"]

Json: TypeAlias = dict[str, object]
"""A JSON object of an answer."""

MESSAGES = {
    "006001094": "Task resource insufficient",
    "006001095": "Task response error",
    "006001099": "Task creation error",
}


def answer_for(task: Task, *, now: float, epoch: float) -> Json:
    """The task as the gateway shows it at `now`; `epoch` is the wall clock's time at the clock's zero."""
    status = task.status(now)
    answer: Json = {
        "id": task.id,
        "status": status,
        "model": task.model,
        "created_at": int(epoch + task.created_at),
    }
    progress = task.progress(now)
    if progress is not None:
        answer["progress"] = progress
    if status == "failed" and task.failure:
        answer["error"] = {"code": task.failure, "error_message": MESSAGES[task.failure]}
    if status == "completed":
        answer |= {"output": _output(task), "usage": _usage(task)}
    return answer


def _usage(task: Task) -> Json:
    usage: Json = {"cost": str(task.price.cost), "discount": 1}
    if draw(task.seed, "usage").random() < 1 / 2:
        usage |= {"quantity": task.price.quantity, "unit_price": str(task.price.unit)}
    return usage


def _output(task: Task) -> list[Json]:
    match task.model:
        case Model.SUBJECT:
            return [{"content": [{"type": "text", "url": "", "text": _subject(task)}]}]
        case Model.VIDEO_V3:
            return [{"content": [_film_content(task)]}]
        case _:
            return _groups(task, [_picture_content(task, url) for url in task.results])


def _groups(task: Task, contents: list[Json]) -> list[Json]:
    """All contents in one group, each in its own, or the first apart from the others."""
    match draw(task.seed, "groups").choice(("one", "each", "split")):
        case "one":
            return [{"content": contents}]
        case "each":
            return [{"content": [content]} for content in contents]
        case _:
            return [{"content": part} for part in (contents[:1], contents[1:]) if part]


def _picture_content(task: Task, url: str) -> Json:
    return {"type": "image", "url": url, "jobId": task.id}


def _film_content(task: Task) -> Json:
    dice = draw(task.seed, "film")
    seconds = str(task.params.get("duration", "5"))
    return {
        "type": dice.choice(("video", "video_url")),
        "url": task.results[0],
        "duration": dice.choice((seconds, int(seconds))),
        "jobId": task.id,
    }


def _subject(task: Task) -> str:
    """Page kirin_custom_elements, Response Format. Images come back as URLs, as the vendor keeps copies."""
    subject: Json = {
        "element_id": task.element_id,
        "element_name": task.params["element_name"],
        "element_description": task.params["element_description"],
        "element_frontal_image": _link(task.params["element_frontal_image"]),
        "element_refer_list": [{"image_url": _link(item["image_url"])} for item in _items(task, "element_refer_list")],
        "tag_list": [_tag(str(item["tag_id"])) for item in _items(task, "tag_list")],
        "owned_by": task.user,
        "final_unit_deduction": str(task.price.cost),
    }
    return orjson.dumps(subject).decode()


def _items(task: Task, name: str) -> list[Mapping[str, object]]:
    items = task.params.get(name, [])
    return items if isinstance(items, list) else []


def _link(image: object) -> str:
    return str(image) if urlsplit(str(image)[:2048]).scheme in {"http", "https"} else ""


def _tag(tag_id: str) -> Json:
    return {"id": tag_id, "name": TAGS[tag_id], "description": TAGS[tag_id]}
