"""Edits of valid requests, each one step across one edge of the pages: what is wrong then, and at which parameter."""

import base64
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from request_strategies import Request, base64_of

__all__ = ["EDITS", "HEAVY", "LINK", "SHOT", "SQUARE", "WRONG_FILES", "WRONG_IMAGES", "WRONG_RATIOS", "Edit"]

Edit: TypeAlias = Callable[[Request], str]
"""Changes a valid request in place and gives the JSON pointer of the parameter that is wrong from then on."""

MB = 1024 * 1024
LINK = "https://pictures.example/further.png"
SQUARE = base64_of("PNG", (300, 300), "white")
HEAVY = "../pictures/heavy.png"
WRONG_FILES: Mapping[str, str] = {
    "../pictures/renamed.png": base64_of("GIF", (300, 300), "red"),
    HEAVY: base64.b64encode(base64.b64decode(SQUARE).ljust(10 * MB + 1, b"\0")).decode(),
}
"""Pictures that no request may carry, as Base64 by their path."""
SHOT = {"index": 1, "prompt": "it runs", "duration": "5"}
WRONG_SECONDS = ("0", "16", "1.5", "-1", "01", "five", "")
SUBJECT = ("element_name", "element_description", "element_frontal_image", "element_refer_list")
UNSUPPORTED = {
    "reference_type": "image_refer",
    "element_image_list": [],
    "element_video_list": [LINK],
    "element_voice_id": "a",
}
WRONG_RATIOS = {"wide": base64_of("PNG", (751, 300), "red"), "tall": base64_of("JPEG", (300, 751), "red")}
WRONG_IMAGES = {
    "low": base64_of("PNG", (400, 299), "red"),
    "narrow": base64_of("JPEG", (299, 400), "red"),
    "no PNG or JPEG": base64_of("WEBP", (300, 300), "red"),
    "a renamed GIF": "../pictures/renamed.png",
    "prefixed": f"data:image/png;base64,{SQUARE}",
    "empty": "",
    "Base64 of no picture": "AAAA",
    "Base64 with a line break": f"{SQUARE[:76]}\n{SQUARE[76:]}",
    "no URL": "pictures.example",
    "a URL of files": "file:///fox.png",
    "a number": 5,
    "a list": [LINK],
}


def put(name: str, value: object, *, at: str = "") -> Edit:
    """Give a parameter a value, of which the part at `at` is wrong."""

    def edit(request: Request) -> str:
        request[name] = value
        return f"/{name}{at}"

    return edit


def drop(name: str) -> Edit:
    def edit(request: Request) -> str:
        del request[name]
        return f"/{name}"

    return edit


def make_room(request: Request) -> None:
    """Leave out references, which may be as many as there may be, and the names of them."""
    request.pop("element_list", None)
    if request.pop("image_list", None):
        request["prompt"] = "a fox"


def put_in(names: str, key: str, value: object, *, beside: Mapping[str, object] = MappingProxyType({})) -> Edit:
    """Change a member of the first item of a list, which gets one where it has none."""

    def edit(request: Request) -> str:
        if not request.get(names):
            make_room(request)
            request[names] = [dict(beside)]
        request[names][0] = {**request[names][0], key: value}
        return f"/{names}/0/{key}"

    return edit


def drop_in(names: str, key: str) -> Edit:
    def edit(request: Request) -> str:
        pointer = put_in(names, key, None)(request)
        del request[names][0][key]
        return pointer

    return edit


def fill(names: str, item: Mapping[str, object], count: int) -> Edit:
    """Make a list have so many items, the first of them as they were."""

    def edit(request: Request) -> str:
        request[names] = (request.get(names, []) + [dict(item) for _ in range(count)])[:count]
        return f"/{names}"

    return edit


def frame(name: str, value: object) -> Edit:
    """Give a film one frame alone, and a wrong one."""

    def edit(request: Request) -> str:
        request.pop("image", None)
        request.pop("image_tail", None)
        return put(name, value)(request)

    return edit


def no_frame(request: Request) -> str:
    request.pop("image", None)
    request.pop("image_tail", None)
    return ""


def mixed_frames(request: Request) -> str:
    request.update(image=LINK, image_tail=SQUARE)
    return "/image"


def eleven_references(request: Request) -> str:
    images = request.get("image_list", [])
    request["element_list"] = [{"element_id": number} for number in range(1, 12 - len(images))]
    return "/image_list" if len(images) >= len(request["element_list"]) else "/element_list"


def one_placeholder_too_far(request: Request) -> str:
    request["prompt"] = f"<<<image_{len(request.get('image_list', [])) + 1}>>>{request['prompt']}"[:2500]
    return "/prompt"


def shots_too_long(request: Request) -> str:
    shots = request["multi_prompt"]
    shots[0]["duration"] = str(int(shots[0]["duration"]) + 1)
    return "/multi_prompt" if int(shots[0]["duration"]) <= 15 else "/multi_prompt/0/duration"


def shots_too_short(request: Request) -> str:
    total = int(request.get("duration", 5))
    request["multi_prompt"] = [{"index": 1, "prompt": "it runs", "duration": str(total - 1)}]
    return "/multi_prompt"


def shots_for_another_film(request: Request) -> str:
    request["duration"] = "4" if request.get("duration", "5") != "4" else "6"
    return "/multi_prompt"


def seven_shots(request: Request) -> str:
    request["duration"] = "7"
    request["multi_prompt"] = [{"index": index, "prompt": "it runs", "duration": "1"} for index in range(1, 8)]
    return "/multi_prompt"


def the_same_image(request: Request) -> str:
    request["element_refer_list"][-1] = {"image_url": request["element_frontal_image"]}
    return f"/element_refer_list/{len(request['element_refer_list']) - 1}/image_url"


def the_same_picture_in_a_file(request: Request) -> str:
    request["element_frontal_image"] = base64_of("PNG", (300, 300), "black")
    request["element_refer_list"] = [{"image_url": "../pictures/other square.png"}]
    return "/element_refer_list/0/image_url"


def images(label: str, place: Callable[[object], Edit], *, any_ratio: bool = False) -> dict[str, Edit]:
    """Every wrong image, each put in by `place`."""
    wrong = WRONG_IMAGES if any_ratio else {**WRONG_IMAGES, **WRONG_RATIOS}
    return {f"{label}: {name}": place(image) for name, image in wrong.items()}


def count(name: str, least: int, most: int) -> dict[str, Edit]:
    values = {"below": least - 1, "above": most + 1, "a text": str(least), "no whole number": 2.5, "a boolean": True}
    return {f"{name}: {label}": put(name, value) for label, value in values.items()}


def options(name: str, *others: object) -> dict[str, Edit]:
    return {f"{name}: {value!r}": put(name, value) for value in ("", [], *others)}


def length(name: str, most: int) -> dict[str, Edit]:
    return {f"{name}: too long": put(name, "é" * (most + 1)), f"{name}: no text": put(name, ["a"])}


def element_ids() -> dict[str, Edit]:
    wrong = {"beyond 64 bits": 2**63, "a text": "1", "no whole number": 1.5, "null": None}
    edits = {f"element_id: {label}": put_in("element_list", "element_id", value) for label, value in wrong.items()}
    more = put_in("element_list", "name", "fox", beside={"element_id": 7})
    return {**edits, "element_id: none": drop_in("element_list", "element_id"), "element_list: a name": more}


SHARED: Mapping[str, Edit] = {
    "callback_url: no URL": put("callback_url", "hook"),
    "callback_url: empty": put("callback_url", ""),
    "callback_url: another scheme": put("callback_url", "ftp://ci.example"),
    "external_task_id: empty": put("external_task_id", ""),
    "external_task_id: a list": put("external_task_id", []),
    "unknown": put("seed", 1),
}
WATERMARK: Mapping[str, Edit] = {
    "watermark_info: a list": put("watermark_info", [{"enabled": True}]),
    "watermark_info: one's own": put("watermark_info", {"text": "mine"}, at="/text"),
    "watermark_info: a text": put("watermark_info", {"enabled": "true"}, at="/enabled"),
}
IMAGE_V2: Mapping[str, Edit] = {
    **SHARED,
    "prompt: none": drop("prompt"),
    "prompt: empty": put("prompt", ""),
    **length("prompt", 2500),
    **length("negative_prompt", 2500),
    **images("image", partial(put, "image")),
    "image: more than 10 MB": put("image", HEAVY),
    **count("n", 1, 9),
    **options("aspect_ratio", "auto", "16:10", "16x9"),
    "watermark_info: of other models": put("watermark_info", {"enabled": True}),
}
IMAGE_V2_1: Mapping[str, Edit] = {
    **SHARED,
    **WATERMARK,
    **length("prompt", 2500),
    "subject_image_list: none": drop("subject_image_list"),
    "subject_image_list: empty": put("subject_image_list", []),
    "subject_image_list: five": fill("subject_image_list", {"subject_image": LINK}, 5),
    "subject_image_list: no objects": put("subject_image_list", [LINK], at="/0"),
    "subject_image: none": drop_in("subject_image_list", "subject_image"),
    **images("subject_image", partial(put_in, "subject_image_list", "subject_image")),
    **images("scene_image", partial(put, "scene_image")),
    **images("style_image", partial(put, "style_image")),
    **count("n", 1, 9),
    **options("aspect_ratio", "auto", "1:2"),
}
IMAGE_V3: Mapping[str, Edit] = {
    **SHARED,
    **WATERMARK,
    "prompt: none": drop("prompt"),
    "prompt: empty": put("prompt", ""),
    **length("prompt", 2500),
    "prompt: a placeholder too far": one_placeholder_too_far,
    "eleven references": eleven_references,
    "eleven images": fill("image_list", {"image": LINK}, 11),
    "image_list: no list": put("image_list", {"image": LINK}),
    "image: none": drop_in("image_list", "image"),
    **images("image", partial(put_in, "image_list", "image")),
    **element_ids(),
    **options("resolution", "8k", "4K"),
    **options("result_type", "Single"),
    **options("aspect_ratio", "16:10", "Auto"),
}
FILM: Mapping[str, Edit] = {
    **SHARED,
    **WATERMARK,
    "no frame": no_frame,
    "a URL and Base64": mixed_frames,
    **images("image", partial(frame, "image")),
    **images("image_tail", partial(frame, "image_tail"), any_ratio=True),
    **length("negative_prompt", 2500),
    "element_list: four": fill("element_list", {"element_id": 7}, 4),
    **element_ids(),
    **options("sound", "On"),
    **options("mode", "4k"),
    **options("duration", "2", "16", "5.5", "05"),
    "multi_shot: a text": put("multi_shot", "true"),
}
EDITS: Mapping[str, Mapping[str, Edit]] = {
    "image v2": IMAGE_V2,
    "image v2.1": IMAGE_V2_1,
    "image v3": {
        **IMAGE_V3,
        **count("n", 1, 9),
        "series_amount: no series": put("series_amount", 4),
    },
    "series": {
        **IMAGE_V3,
        **count("series_amount", 2, 9),
        "n: a series": put("n", 1),
    },
    "film": {
        **FILM,
        "prompt: none": drop("prompt"),
        "prompt: empty": put("prompt", ""),
        **length("prompt", 2500),
        "shot_type: one shot": put("shot_type", "customize"),
        "multi_prompt: one shot": put("multi_prompt", [SHOT]),
    },
    "film of shots": {
        **FILM,
        "prompt: shots": put("prompt", "it runs"),
        "shot_type: none": drop("shot_type"),
        **options("shot_type", "intelligence"),
        "multi_prompt: none": drop("multi_prompt"),
        "multi_prompt: empty": put("multi_prompt", []),
        "multi_prompt: seven": seven_shots,
        "multi_prompt: too long": shots_too_long,
        "multi_prompt: too short": shots_too_short,
        "multi_prompt: of another film": shots_for_another_film,
        "index: none": drop_in("multi_prompt", "index"),
        "shot's prompt: none": drop_in("multi_prompt", "prompt"),
        "shot's duration: none": put("multi_prompt", [{"index": 1, "prompt": "it runs"}], at="/0/duration"),
        "index: a text": put_in("multi_prompt", "index", "1"),
        "shot's prompt: empty": put_in("multi_prompt", "prompt", ""),
        "shot's prompt: too long": put_in("multi_prompt", "prompt", "é" * 513),
        **{f"shot's duration: {told!r}": put_in("multi_prompt", "duration", told) for told in WRONG_SECONDS},
        "a shot: its camera": put_in("multi_prompt", "camera", "pan"),
    },
    "subject": {
        **SHARED,
        **{f"{name}: none": drop(name) for name in SUBJECT},
        **{f"{name}: empty": put(name, "") for name in SUBJECT[:2]},
        **length("element_name", 20),
        **length("element_description", 100),
        **images("element_frontal_image", partial(put, "element_frontal_image")),
        **images("image_url", partial(put_in, "element_refer_list", "image_url")),
        "image_url: none": drop_in("element_refer_list", "image_url"),
        "element_refer_list: empty": put("element_refer_list", []),
        "element_refer_list: four": fill("element_refer_list", {"image_url": LINK}, 4),
        "element_refer_list: the same image": the_same_image,
        "element_refer_list: the same picture": the_same_picture_in_a_file,
        "tag_id: another": put("tag_list", [{"tag_id": "o_109"}], at="/0/tag_id"),
        "tag_id: none": put("tag_list", [{"tag_id": "o_101"}, {}], at="/1/tag_id"),
        **{name: put(name, value) for name, value in UNSUPPORTED.items()},
    },
}
"""The edits of each kind of requests in `BASES`, by what they do."""
