"""What a model tells of a request besides its faults: conversion, defaults, slots, results, images."""

from typing import Any

import pytest

from kirin_batch.models import Catalog, Model
from kirin_batch.source import PlainScalar, load_yaml

CATALOG = Catalog.load()


def model(name: str) -> Model:
    found = CATALOG.model(name)
    assert found
    return found


OMNI = model("kirin_v3_omni_image")
I2V = model("kirin_v3_i2v")
SUBJECT = model("kirin_custom_elements")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("duration: 5", {"duration": "5"}),
        ("prompt: 007", {"prompt": "007"}),
        ("prompt: True", {"prompt": "True"}),
        ("prompt: 1.50", {"prompt": "1.50"}),
        ("sound: on", {"sound": "on"}),
        ("multi_shot: True", {"multi_shot": True}),
        (
            "multi_prompt: [{index: 0x1, prompt: 12, duration: 5}]",
            {"multi_prompt": [{"index": 1, "prompt": "12", "duration": "5"}]},
        ),
        (
            "element_list: [{element_id: 12.0}, {element_id: 007}]",
            {"element_list": [{"element_id": 12}, {"element_id": 7}]},
        ),
        ("element_list: [{element_id: '12'}]", {"element_list": [{"element_id": "12"}]}),
        ("element_list: [{element_id: 1.5}]", {"element_list": [{"element_id": 1.5}]}),
        ("prompt: null", {"prompt": None}),
        ("prompt: [1.50]", {"prompt": [1.5]}),
        ("unknown: [007, {a: 1.50}, yes]", {"unknown": [7, {"a": 1.5}, "yes"]}),
    ],
)
def test_plain_scalars_become_what_the_schema_wants(text: str, expected: dict[str, Any]) -> None:
    assert I2V.coerce(load_yaml(text.encode())) == expected


def test_a_quoted_number_stays_text_and_is_refused_with_a_hint() -> None:
    params = OMNI.coerce({"prompt": "a fox", "n": "3"})
    assert [violation.message for violation in OMNI.check(params)] == [
        'n is the text "3": write it without quotes, a whole number is needed'
    ]


def test_text_of_params_is_the_same_whether_written_plain_or_quoted() -> None:
    plain = SUBJECT.coerce({"element_name": PlainScalar(7, "007")})
    assert plain == SUBJECT.coerce({"element_name": "007"})


@pytest.mark.parametrize(
    ("name", "params", "slots", "results"),
    [
        ("kirin_v2_image", {}, 1, 1),
        ("kirin_v2_image", {"n": 9}, 9, 9),
        ("kirin_v2_1_reference2image", {"n": 2}, 2, 2),
        ("kirin_v3_omni_image", {"n": 3}, 3, 3),
        ("kirin_v3_omni_image", {"result_type": "series"}, 4, 4),
        ("kirin_v3_omni_image", {"result_type": "series", "series_amount": 6}, 6, 6),
        ("kirin_v3_i2v", {"duration": "15"}, 1, 1),
        ("kirin_custom_elements", {}, 1, 1),
        ("kirin_v2_image", {"n": "many"}, 1, 1),
    ],
)
def test_a_task_takes_slots_and_yields_results(name: str, params: dict[str, Any], slots: int, results: int) -> None:
    assert (model(name).slots(params), model(name).result_count(params)) == (slots, results)


def test_kinds_and_results_are_those_of_the_pages() -> None:
    told = {name: (m.kind, m.result_type, m.result_fields) for name in CATALOG.names() if (m := model(name))}
    assert told == {
        "kirin_custom_elements": ("image", "text", ("element_id",)),
        "kirin_v2_1_reference2image": ("image", "image", ()),
        "kirin_v2_image": ("image", "image", ()),
        "kirin_v3_i2v": ("video", "video", ()),
        "kirin_v3_omni_image": ("image", "image", ()),
    }


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("kirin_custom_elements", {}),
        ("kirin_v2_1_reference2image", {"n": 1, "aspect_ratio": "16:9"}),
        ("kirin_v2_image", {"n": 1, "aspect_ratio": "16:9"}),
        ("kirin_v3_i2v", {"multi_shot": False, "sound": "off", "mode": "std", "duration": "5"}),
        (
            "kirin_v3_omni_image",
            {"resolution": "1k", "result_type": "single", "n": 1, "series_amount": 4, "aspect_ratio": "auto"},
        ),
    ],
)
def test_defaults_are_those_of_the_pages(name: str, defaults: dict[str, Any]) -> None:
    assert model(name).defaults() == defaults


def test_image_places_are_told_with_their_rules() -> None:
    params = {"image": "a.png", "image_tail": "b.png", "prompt": "c.png"}
    found = {pointer: rule.max_ratio for pointer, rule in I2V.image_pointers(params)}
    assert found == {("image",): 2.5, ("image_tail",): None}


def test_image_places_are_those_that_are_there_and_text() -> None:
    params = {"element_frontal_image": 5, "element_refer_list": [{"image_url": "a.png"}, {}, {"image_url": "b.jpg"}]}
    found = [pointer for pointer, _ in SUBJECT.image_pointers(params)]
    assert found == [("element_refer_list", 0, "image_url"), ("element_refer_list", 2, "image_url")]
