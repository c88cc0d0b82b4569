"""The five pages, statement by statement: a request that keeps the rule, and one that the page refuses."""

from collections.abc import Mapping
from typing import TypeAlias

import pytest
from sandbox_wire import BASE64, PICTURE, base64_image

from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.refusals import RequestRefusedError
from kirin_batch.sandbox.rules import rules_of
from kirin_batch.sandbox.rules.fields import is_address

Changes: TypeAlias = Mapping[str, object]
Row: TypeAlias = tuple[str, Changes, Changes, str]
"""A statement, a change of the base request that keeps it, one that breaks it, and the parameter that is named."""

GONE = object()
"""In a row: the parameter is left out."""

SHOT = {"index": 1, "prompt": "it runs", "duration": "5"}
SHOTS = {"multi_shot": True, "shot_type": "customize", "prompt": GONE, "multi_prompt": [SHOT]}

BASE: Mapping[Model, Changes] = {
    Model.IMAGE_V2: {"prompt": "a fox"},
    Model.IMAGE_V2_1: {"subject_image_list": [{"subject_image": PICTURE}]},
    Model.IMAGE_V3: {"prompt": "a fox"},
    Model.VIDEO_V3: {"image": PICTURE, "prompt": "it walks"},
    Model.SUBJECT: {
        "element_name": "Hero",
        "element_description": "A fox in a red scarf",
        "element_frontal_image": PICTURE,
        "element_refer_list": [{"image_url": f"{PICTURE}?side"}],
    },
}
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")
TAGS = [{"tag_id": f"o_10{number}"} for number in range(1, 9)]


def times(count: int, **item: object) -> list[dict[str, object]]:
    return [dict(item) for _ in range(count)]


def shots(*seconds: str, **changes: object) -> dict[str, object]:
    """A request of several shots with these durations."""
    parts = [{"index": index, "prompt": "it runs", "duration": value} for index, value in enumerate(seconds, start=1)]
    return {**SHOTS, "multi_prompt": parts, **changes}


def request_of(model: Model, changes: Changes) -> dict[str, object]:
    return {name: value for name, value in {**BASE[model], **changes}.items() if value is not GONE}


def refused_parameter(model: Model, changes: Changes) -> str:
    with pytest.raises(RequestRefusedError) as caught:
        rules_of(model).check(request_of(model, changes))
    assert (caught.value.status, caught.value.code) == (400, "1201")
    return caught.value.message.partition(":")[0]


V2: list[Row] = [
    ("prompt is required", {}, {"prompt": GONE}, "prompt"),
    ("prompt is not empty", {"prompt": "x"}, {"prompt": ""}, "prompt"),
    ("prompt to 2500", {"prompt": "\U0001f98a" * 2500}, {"prompt": "x" * 2501}, "prompt"),
    ("prompt is text", {"prompt": "7"}, {"prompt": 7}, "prompt"),
    ("negative to 2500", {"negative_prompt": "x" * 2500}, {"negative_prompt": "x" * 2501}, "negative_prompt"),
    ("negative beside an image", {"image": PICTURE, "negative_prompt": "x"}, {"image": 1}, "image"),
    ("n from 1", {"n": 1}, {"n": 0}, "n"),
    ("n to 9", {"n": 9}, {"n": 10}, "n"),
    ("n is whole", {"n": 2}, {"n": 2.0}, "n"),
    ("n is no text", {"n": 3}, {"n": "3"}, "n"),
    ("n is no boolean", {"n": 1}, {"n": True}, "n"),
    ("no watermark", {}, {"watermark_info": {"enabled": True}}, "watermark_info"),
    *[(f"ratio {ratio}", {"aspect_ratio": ratio}, {"aspect_ratio": f"{ratio}0"}, "aspect_ratio") for ratio in RATIOS],
    ("ratio is never auto", {}, {"aspect_ratio": "auto"}, "aspect_ratio"),
]

V2_1: list[Row] = [
    ("subjects are required", {}, {"subject_image_list": GONE}, "subject_image_list"),
    (
        "one subject",
        {"subject_image_list": times(1, subject_image=PICTURE)},
        {"subject_image_list": []},
        "subject_image_list",
    ),
    (
        "four subjects",
        {"subject_image_list": times(4, subject_image=PICTURE)},
        {"subject_image_list": times(5, subject_image=PICTURE)},
        "subject_image_list",
    ),
    ("subjects are a list", {}, {"subject_image_list": PICTURE}, "subject_image_list"),
    ("a subject is an object", {}, {"subject_image_list": [PICTURE]}, "subject_image_list[0]"),
    ("a subject has an image", {}, {"subject_image_list": [{}]}, "subject_image_list[0].subject_image"),
    (
        "a subject has no more",
        {},
        {"subject_image_list": times(1, subject_image=PICTURE, x=1)},
        "subject_image_list[0].x",
    ),
    ("prompt is optional, to 2500", {"prompt": "x" * 2500}, {"prompt": "x" * 2501}, "prompt"),
    ("scene", {"scene_image": PICTURE}, {"scene_image": ""}, "scene_image"),
    ("style", {"style_image": PICTURE}, {"style_image": None}, "style_image"),
    ("n to 9", {"n": 9}, {"n": 10}, "n"),
    ("n from 1", {"n": 1}, {"n": 0}, "n"),
    *[(f"ratio {ratio}", {"aspect_ratio": ratio}, {"aspect_ratio": f"{ratio}0"}, "aspect_ratio") for ratio in RATIOS],
    (
        "watermark on",
        {"watermark_info": {"enabled": True}},
        {"watermark_info": {"enabled": "true"}},
        "watermark_info.enabled",
    ),
    ("watermark off", {"watermark_info": {"enabled": False}}, {"watermark_info": False}, "watermark_info"),
    ("no custom watermark", {}, {"watermark_info": {"enabled": True, "text": "x"}}, "watermark_info.text"),
    ("no negative prompt", {}, {"negative_prompt": "x"}, "negative_prompt"),
]

V3: list[Row] = [
    ("prompt is required", {}, {"prompt": GONE}, "prompt"),
    ("prompt to 2500", {"prompt": "x" * 2500}, {"prompt": "x" * 2501}, "prompt"),
    (
        "placeholder",
        {"prompt": "<<<image_2>>>", "image_list": times(2, image=PICTURE)},
        {"prompt": "<<<image_2>>>", "image_list": times(1, image=PICTURE)},
        "prompt",
    ),
    (
        "placeholders from 1",
        {"prompt": "<<<image_1>>>", "image_list": times(1, image=PICTURE)},
        {"prompt": "<<<image_0>>>", "image_list": times(1, image=PICTURE)},
        "prompt",
    ),
    ("placeholder without images", {"prompt": "image_1"}, {"prompt": "<<<image_1>>>"}, "prompt"),
    ("ten images", {"image_list": times(10, image=PICTURE)}, {"image_list": times(11, image=PICTURE)}, "image_list"),
    (
        "ten subjects",
        {"element_list": times(10, element_id=1)},
        {"element_list": times(11, element_id=1)},
        "image_list",
    ),
    (
        "ten together",
        {"image_list": times(4, image=PICTURE), "element_list": times(6, element_id=1)},
        {"image_list": times(5, image=PICTURE), "element_list": times(6, element_id=1)},
        "image_list",
    ),
    (
        "an image is not empty",
        {"image_list": times(1, image=PICTURE)},
        {"image_list": times(1, image="")},
        "image_list[0].image",
    ),
    ("an image is there", {"image_list": []}, {"image_list": [{}]}, "image_list[0].image"),
    (
        "a subject is 64 bits",
        {"element_list": times(1, element_id=2**63 - 1)},
        {"element_list": times(1, element_id=2**63)},
        "element_list[0].element_id",
    ),
    (
        "a subject is a number",
        {"element_list": times(1, element_id=1)},
        {"element_list": times(1, element_id="1")},
        "element_list[0].element_id",
    ),
    ("a subject is named", {"element_list": []}, {"element_list": [{}]}, "element_list[0].element_id"),
    *[
        (f"resolution {name}", {"resolution": name}, {"resolution": name.upper()}, "resolution")
        for name in ("1k", "2k", "4k")
    ],
    ("resolution 3k", {}, {"resolution": "3k"}, "resolution"),
    ("single", {"result_type": "single"}, {"result_type": "double"}, "result_type"),
    ("a series has no n", {"result_type": "series"}, {"result_type": "series", "n": 1}, "n"),
    (
        "a single has no series_amount",
        {"result_type": "single", "n": 1},
        {"result_type": "single", "series_amount": 4},
        "series_amount",
    ),
    ("the default is single", {"n": 2}, {"series_amount": 4}, "series_amount"),
    (
        "series from 2",
        {"result_type": "series", "series_amount": 2},
        {"result_type": "series", "series_amount": 1},
        "series_amount",
    ),
    (
        "series to 9",
        {"result_type": "series", "series_amount": 9},
        {"result_type": "series", "series_amount": 10},
        "series_amount",
    ),
    ("n from 1", {"n": 1}, {"n": 0}, "n"),
    ("n to 9", {"n": 9}, {"n": 10}, "n"),
    *[
        (f"ratio {ratio}", {"aspect_ratio": ratio}, {"aspect_ratio": f"{ratio}0"}, "aspect_ratio")
        for ratio in (*RATIOS, "auto")
    ],
    ("watermark", {"watermark_info": {"enabled": True}}, {"watermark_info": [{"enabled": True}]}, "watermark_info"),
]

VIDEO: list[Row] = [
    ("a first frame", {}, {"image": GONE}, "image"),
    ("a last frame", {"image": GONE, "image_tail": PICTURE}, {"image_tail": ""}, "image_tail"),
    ("a frame is not empty", {}, {"image": ""}, "image"),
    ("two URLs", {"image_tail": PICTURE}, {"image_tail": BASE64}, "image_tail"),
    ("two Base64", {"image": BASE64, "image_tail": BASE64}, {"image": BASE64, "image_tail": PICTURE}, "image_tail"),
    ("multi_shot is a boolean", {"multi_shot": False}, {"multi_shot": "false"}, "multi_shot"),
    ("one shot has a prompt", {}, {"prompt": GONE}, "prompt"),
    ("one shot's prompt is not empty", {}, {"prompt": ""}, "prompt"),
    ("prompt to 2500", {"prompt": "x" * 2500}, {"prompt": "x" * 2501}, "prompt"),
    ("one shot has no shot_type", {}, {"shot_type": "customize"}, "shot_type"),
    ("one shot has no multi_prompt", {"multi_shot": False}, {"multi_prompt": [SHOT]}, "multi_prompt"),
    ("shots have no prompt", SHOTS, {**SHOTS, "prompt": "x"}, "prompt"),
    ("shots have no empty prompt", SHOTS, {**SHOTS, "prompt": ""}, "prompt"),
    ("shots have a type", SHOTS, {**SHOTS, "shot_type": GONE}, "shot_type"),
    ("shots' type is customize", SHOTS, {**SHOTS, "shot_type": "intelligence"}, "shot_type"),
    ("shots are there", SHOTS, {**SHOTS, "multi_prompt": GONE}, "multi_prompt"),
    ("one shot at least", SHOTS, {**SHOTS, "multi_prompt": []}, "multi_prompt"),
    ("six shots at most", shots(*"111111", duration="6"), shots(*"1111111", duration="7"), "multi_prompt"),
    (
        "a shot to 512",
        {**SHOTS, "multi_prompt": [{**SHOT, "prompt": "x" * 512}]},
        {**SHOTS, "multi_prompt": [{**SHOT, "prompt": "x" * 513}]},
        "multi_prompt[0].prompt",
    ),
    ("a shot has a prompt", SHOTS, {**SHOTS, "multi_prompt": [{**SHOT, "prompt": ""}]}, "multi_prompt[0].prompt"),
    (
        "a shot has an index",
        SHOTS,
        {**SHOTS, "multi_prompt": [{"prompt": "x", "duration": "5"}]},
        "multi_prompt[0].index",
    ),
    ("an index is a number", SHOTS, {**SHOTS, "multi_prompt": [{**SHOT, "index": "1"}]}, "multi_prompt[0].index"),
    ("a shot takes a second", shots("1", "4"), shots("0", "5"), "multi_prompt[0].duration"),
    (
        "a shot's duration is text",
        SHOTS,
        {**SHOTS, "multi_prompt": [{**SHOT, "duration": 5}]},
        "multi_prompt[0].duration",
    ),
    ("a shot's duration is whole", SHOTS, shots("2.5", "2.5"), "multi_prompt[0].duration"),
    ("a shot is no longer than the film", shots("5"), shots("6"), "multi_prompt[0].duration"),
    ("shots fill the film", shots("2", "3"), shots("2", "2"), "multi_prompt"),
    ("shots fit the film", shots("3", "4", duration="7"), shots("4", "4", duration="7"), "multi_prompt"),
    ("negative to 2500", {"negative_prompt": "x" * 2500}, {"negative_prompt": "x" * 2501}, "negative_prompt"),
    (
        "three subjects",
        {"element_list": times(3, element_id=1)},
        {"element_list": times(4, element_id=1)},
        "element_list",
    ),
    *[(f"sound {name}", {"sound": name}, {"sound": name == "on"}, "sound") for name in ("on", "off")],
    *[(f"mode {name}", {"mode": name}, {"mode": name.upper()}, "mode") for name in ("std", "pro")],
    *[(f"{seconds} s", {"duration": str(seconds)}, {"duration": seconds}, "duration") for seconds in range(3, 16)],
    ("3 s at least", {"duration": "3"}, {"duration": "2"}, "duration"),
    ("15 s at most", {"duration": "15"}, {"duration": "16"}, "duration"),
    ("watermark", {"watermark_info": {"enabled": False}}, {"watermark_info": {"enabled": 1}}, "watermark_info.enabled"),
]

SUBJECT: list[Row] = [
    *[(f"{name} is required", {}, {name: GONE}, name) for name in BASE[Model.SUBJECT]],
    ("name to 20", {"element_name": "x" * 20}, {"element_name": "x" * 21}, "element_name"),
    ("name is not empty", {"element_name": "x"}, {"element_name": ""}, "element_name"),
    (
        "description to 100",
        {"element_description": "x" * 100},
        {"element_description": "x" * 101},
        "element_description",
    ),
    ("one reference", {}, {"element_refer_list": []}, "element_refer_list"),
    (
        "three references",
        {"element_refer_list": times(3, image_url=f"{PICTURE}?side")},
        {"element_refer_list": times(4, image_url=f"{PICTURE}?side")},
        "element_refer_list",
    ),
    ("a reference has an image", {}, {"element_refer_list": [{"url": PICTURE}]}, "element_refer_list[0].image_url"),
    (
        "references differ",
        {"element_refer_list": times(1, image_url=BASE64)},
        {"element_refer_list": times(1, image_url=PICTURE)},
        "element_refer_list[0].image_url",
    ),
    (
        "references differ by content",
        {"element_frontal_image": BASE64, "element_refer_list": times(1, image_url=base64_image(300, 300, red=1))},
        {"element_frontal_image": BASE64, "element_refer_list": times(1, image_url=BASE64)},
        "element_refer_list[0].image_url",
    ),
    ("all tags", {"tag_list": TAGS}, {"tag_list": [{"tag_id": "o_109"}]}, "tag_list[0].tag_id"),
    ("a tag has an id", {"tag_list": []}, {"tag_list": [{}]}, "tag_list[0].tag_id"),
    *[
        (f"no {name}", {}, {name: "x"}, name)
        for name in ("reference_type", "element_image_list", "element_video_list", "element_voice_id")
    ],
]

SHARED: list[Row] = [
    ("callback", {"callback_url": "https://ci.example/hook"}, {"callback_url": "hook"}, "callback_url"),
    ("callback is a URL", {"callback_url": "http://localhost:8080"}, {"callback_url": "http://["}, "callback_url"),
    ("own id", {"external_task_id": "a" * 64}, {"external_task_id": ""}, "external_task_id"),
    ("own id is text", {"external_task_id": "7"}, {"external_task_id": 7}, "external_task_id"),
    ("no other parameter", {}, {"promt": "a fox"}, "promt"),
    ("no model among params", {}, {"model": "kirin_v2_image"}, "model"),
]
PAGES: dict[Model, list[Row]] = {
    Model.IMAGE_V2: V2,
    Model.IMAGE_V2_1: V2_1,
    Model.IMAGE_V3: V3,
    Model.VIDEO_V3: VIDEO,
    Model.SUBJECT: SUBJECT,
}
CASES = [
    pytest.param(model, *row[1:], id=f"{model}: {row[0]}") for model, rows in PAGES.items() for row in (*rows, *SHARED)
]


@pytest.mark.parametrize(("model", "accepted", "refused", "names"), CASES)
def test_a_statement_of_a_page_holds(model: Model, accepted: Changes, refused: Changes, names: str) -> None:
    rules_of(model).check(request_of(model, accepted))
    assert refused_parameter(model, refused) == names


@pytest.mark.parametrize(
    ("url", "is_url"),
    [
        ("https://ci.example", True),
        ("HTTP://user:word@CI.example:8443/a%20b?c=d#e", True),
        ("https://füchse.example/狐?a=[b]", True),
        ("http://[2001:db8::1]:80/", True),
        ("http://xn--", True),
        ("http://ci.example/a b", False),
        ("http://ci.example/\x85", False),
        ("http://:80", False),
        ("http://@/", False),
        ("http://?x", False),
        ("http://ci.example:port", False),
        ("http://a]b", False),
        ("https:/ci.example", False),
    ],
)
def test_a_url_is_judged_by_its_syntax(url: str, is_url: bool) -> None:  # noqa: FBT001 - a case of the table
    assert is_address(url) == is_url


@pytest.mark.parametrize("seconds", ["05", "0005", " 5", "5.0", "+5", "\u0665"])
def test_the_seconds_of_a_shot_are_written_as_the_page_writes_them(seconds: str) -> None:
    assert refused_parameter(Model.VIDEO_V3, shots(seconds)) == "multi_prompt[0].duration"


def test_a_parameter_that_a_page_rules_out_is_said_to_be_unsupported() -> None:
    with pytest.raises(RequestRefusedError, match="element_voice_id: is not supported"):
        rules_of(Model.SUBJECT).check({"element_voice_id": "x"})
