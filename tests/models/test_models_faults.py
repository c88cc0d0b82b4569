"""How faults are told: the messages, one per fault without its consequences, and values that are not known yet."""

import hashlib
from typing import Any

import pytest

from kirin_batch.models import Catalog, Model, Shape, Violation, stand_in
from kirin_batch.problems import Severity

CATALOG = Catalog.load()
U = "https://example.com/a.png"
SHOT = {"index": 1, "prompt": "walk"}


def model(name: str) -> Model:
    found = CATALOG.model(name)
    assert found
    return found


OMNI = model("kirin_v3_omni_image")
I2V = model("kirin_v3_i2v")
V2 = model("kirin_v2_image")
SUBJECT = model("kirin_custom_elements")


def messages(violations: list[Violation]) -> list[str]:
    return [violation.message for violation in violations]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prompt": "x" * 2612}, "prompt has 2612 characters: at most 2500"),
        ({"prompt": ""}, "prompt is empty"),
        ({}, "prompt is missing"),
        (
            {"prompt": "x", "aspect_ratio": "16:10"},
            'aspect_ratio is "16:10": use one of 16:9, 9:16, 1:1, 4:3, 3:4, 3:2, 2:3, 21:9, auto; did you mean 16:9?',
        ),
        ({"prompt": "x", "n": 10}, "n is 10: at most 9"),
        ({"prompt": "x", "n": None}, "n is null: a whole number is needed"),
        ({"prompt": "x", "n": [1]}, "n is [1]: a whole number is needed"),
        ({"prompt": "x", "resolution": {}}, "resolution is {}: text is needed"),
        ({"prompt": "x", "aspectRatio": "1:1"}, "aspectRatio is not a parameter here: did you mean aspect_ratio?"),
        (
            {"prompt": "x", "image_list": [{"image": U, "weight": 1}]},
            "image_list[0].weight is not a parameter here: known are image",
        ),
        (
            {"prompt": "x", "watermark_info": {"enabled": "true"}},
            'watermark_info.enabled is the text "true": write it without quotes, true or false is needed',
        ),
        (
            {"prompt": "<<<image_1>>>"},
            "prompt names <<<image_1>>>, but image_list has no image: add it there, or remove the name",
        ),
        (
            {"prompt": "<<<image_2>>>", "image_list": [{"image": U}]},
            "prompt names <<<image_2>>>, but image_list has 1: use <<<image_1>>>",
        ),
        (
            {"prompt": "<<<image>>>", "image_list": [{"image": U}] * 2},
            "prompt names <<<image>>>, but image_list has 2: use <<<image_1>>> to <<<image_2>>>",
        ),
        ({"prompt": "x", "image_list": [{"image": U}] * 11}, "11 reference images and subjects in all: at most 10"),
        (
            {"prompt": "x", "result_type": "series", "n": 2},
            "n does not go with result_type: series: use series_amount, or remove n",
        ),
        ([1], "the whole is [1]: a mapping is needed"),
    ],
)
def test_a_message_says_what_is_wrong_and_what_would_be_right(params: object, message: str) -> None:
    assert messages(OMNI.check(params)) == [message]


@pytest.mark.parametrize(
    "placeholder",
    ["<<<image_0>>>", "<<<image_01>>>", "<<<image_9999999>>>", "<<< image_1 >>>", "<<<image_x>>>", "<<<Image_1>>>"],
)
def test_a_placeholder_must_be_written_just_so(placeholder: str) -> None:
    violations = OMNI.check({"prompt": f"as {placeholder}", "image_list": [{"image": U}]})
    assert [violation.rule for violation in violations] == ["x-placeholders"]


def test_placeholders_are_not_judged_where_the_list_is_wrong() -> None:
    violations = OMNI.check({"prompt": "as <<<image_1>>>", "image_list": {"image": U}})
    assert [violation.rule for violation in violations] == ["type"]


def test_a_placeholder_is_told_once() -> None:
    assert len(OMNI.check({"prompt": "<<<image_1>>> beside <<<image_1>>>"})) == 1


def test_other_placeholders_are_left_alone() -> None:
    assert OMNI.check({"prompt": "as <<<element_1>>> and <<<image_1>>>", "image_list": [{"image": U}]}) == []


@pytest.mark.parametrize(
    ("shots", "duration", "message"),
    [
        (["3", "3"], None, "multi_prompt: the shots take 6 s of 5 s: give the shots 5 s in all or set duration: 6"),
        (["1", "1"], "5", "multi_prompt: the shots take 2 s of 5 s: give the shots 5 s in all"),
        (["15", "1"], "15", "multi_prompt: the shots take 16 s of 15 s: give the shots 15 s in all"),
    ],
)
def test_a_sum_offers_what_can_be_set(shots: list[str], duration: str | None, message: str) -> None:
    params: dict[str, Any] = {"image": U, "multi_shot": True, "shot_type": "customize"}
    params["multi_prompt"] = [{**SHOT, "duration": seconds} for seconds in shots]
    assert messages(I2V.check(params if duration is None else {**params, "duration": duration})) == [message]


@pytest.mark.parametrize("duration", [None, [], "", "NaN", "5,5"])
def test_a_sum_is_silent_where_a_part_is_no_number(duration: object) -> None:
    shots = [{**SHOT, "duration": duration}, {**SHOT, "duration": "1"}]
    violations = I2V.check({"image": U, "multi_shot": True, "shot_type": "customize", "multi_prompt": shots})
    assert {violation.pointer for violation in violations} == {("multi_prompt", 0, "duration")}


@pytest.mark.parametrize(
    ("params", "rules"),
    [
        ({"image": U, "promt": "x"}, ["additionalProperties"]),
        ({"imag": U, "prompt": "x"}, ["additionalProperties"]),
        ({"image": U, "prompt": "x", "multi_shot": True, "shot_type": "customize"}, ["not", "required"]),
        ({"image": U, "prompt": 5, "duration": [5]}, ["type", "type"]),
        ({"image": U, "multi_shot": 1, "shot_type": "customize", "multi_prompt": []}, ["minItems", "type"]),
        ({"image": 5, "image_tail": U, "prompt": "x"}, ["type"]),
        ({"image": U, "prompt": "x", "callback_url": ["x"], "duration": 5}, ["type", "type"]),
        (
            {"image": U, "prompt": "x", "multi_shot": True, "shot_type": "customize", "multi_prompt": "x"},
            ["not", "type"],
        ),
    ],
)
def test_consequences_of_a_fault_are_not_told(params: dict[str, Any], rules: list[str]) -> None:
    assert sorted(violation.rule for violation in I2V.check(params)) == rules


def test_unknown_missing_and_forbidden_parameters_are_shown_at_their_key() -> None:
    violations = I2V.check({"image": U, "sed": 1, "shot_type": "customize", "duration": "2"})
    assert {violation.pointer[0]: violation.key for violation in violations} == {
        "sed": True,
        "prompt": True,
        "shot_type": True,
        "duration": False,
    }


def test_a_warning_is_no_error() -> None:
    violations = V2.check({"prompt": "x", "image": U, "negative_prompt": "rain"})
    assert [violation.severity for violation in violations] == [Severity.WARNING]


def test_several_faults_of_one_list_are_all_told() -> None:
    violations = OMNI.check({"prompt": "x", "element_list": [{"element_id": "1"}, {}, {"element_id": 0}]})
    assert [violation.rule for violation in violations] == ["type", "required", "minimum"]


@pytest.mark.parametrize("field", ["url", "urls", "file"])
def test_a_reference_may_stand_for_any_image(field: str) -> None:
    params = {"image": stand_in(field), "prompt": "x"}
    assert I2V.check(params, skip={("image",)}) == []


def test_a_reference_may_stand_for_the_id_of_a_subject_but_not_for_text_of_it() -> None:
    params = {"prompt": "x", "element_list": [{"element_id": stand_in("element_id")}]}
    assert OMNI.check(params, skip={("element_list", 0, "element_id")}) == []
    wrong = {"prompt": "x", "element_list": [{"element_id": stand_in("url")}]}
    assert [v.rule for v in OMNI.check(wrong, skip={("element_list", 0, "element_id")})] == ["type"]


def test_an_unknown_value_is_not_judged_but_its_presence_and_its_neighbours_are() -> None:
    params = {"prompt": "x" * 3000, "resolution": "task", "element_list": [{"element_id": 1}] * 11, "n": 10}
    violations = OMNI.check(params, skip={("prompt",), ("resolution",)})
    assert sorted(violation.rule for violation in violations) == ["maximum", "x-total"]


def test_what_hangs_on_an_unknown_value_is_not_judged() -> None:
    params = {"prompt": "x", "result_type": "task", "series_amount": 3}
    assert OMNI.check(params, skip={("result_type",)}) == []


def test_an_unknown_duration_has_no_sum() -> None:
    shots = [{**SHOT, "duration": "task"}]
    params = {"image": U, "multi_shot": True, "shot_type": "customize", "multi_prompt": shots}
    assert I2V.check(params, skip={("multi_prompt", 0, "duration")}) == []


def test_a_url_of_another_job_does_not_go_with_a_local_file() -> None:
    params = {"image": stand_in("url"), "image_tail": "end.png", "prompt": "x"}
    assert [violation.rule for violation in I2V.check(params, skip={("image",)})] == ["x-same-form"]
    params["image"] = stand_in("file")
    assert I2V.check(params, skip={("image",)}) == []


def subject(front: str, other: str) -> dict[str, Any]:
    return {
        "element_name": "Hero",
        "element_description": "A fox",
        "element_frontal_image": front,
        "element_refer_list": [{"image_url": other}],
    }


def test_local_files_are_the_same_picture_by_content() -> None:
    front, other = ("element_frontal_image",), ("element_refer_list", 0, "image_url")
    digests = [hashlib.sha256(data).hexdigest() for data in (b"one", b"two")]
    params = subject("a.png", "b.png")
    assert SUBJECT.check(params, files={front: digests[0], other: digests[1]}) == []
    same = SUBJECT.check(params, files={front: digests[0], other: digests[0]})
    assert messages(same) == [
        "element_refer_list[0].image_url is the same picture as element_frontal_image: use another one"
    ]


def test_the_same_path_is_the_same_picture_and_two_references_may_differ() -> None:
    assert [v.rule for v in SUBJECT.check(subject("a.png", "a.png"))] == ["x-distinct-images"]
    unknown = {("element_frontal_image",), ("element_refer_list", 0, "image_url")}
    assert SUBJECT.check(subject(str(stand_in("file")), str(stand_in("file"))), skip=unknown) == []


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"minimum": 1}, 0, "the whole is 0: at least 1"),
        ({"allOf": [True, {"minimum": 1}]}, 0, "the whole is 0: at least 1"),
        (
            {"patternProperties": {"^a": {}}, "additionalProperties": False},
            {"a": 1, "b": 1},
            "b is not a parameter here: known are none",
        ),
        ({"exclusiveMinimum": 1}, 1, "the whole is 1: more than 1"),
        ({"exclusiveMaximum": 1}, 1, "the whole is 1: less than 1"),
        ({"multipleOf": 2}, 3, "the whole is 3: a multiple of 2 is needed"),
        ({"const": "a"}, "b", 'the whole is "b": "a" is the only value'),
        ({"enum": [1, 2]}, 3, "the whole is 3: use one of 1, 2"),
        ({"pattern": "^a"}, "b", 'the whole is "b": it must match ^a'),
        ({"minLength": 3}, "b", "the whole has 1 character: at least 3"),
        ({"minItems": 2}, [1], "the whole has 1 item: at least 2"),
        ({"uniqueItems": True}, [1, 1], "the whole has an item twice: each may stand once"),
        ({"minProperties": 1}, {}, "the whole has 0 keys: at least 1"),
        ({"maxProperties": 0}, {"a": 1}, "the whole has 1 key: at most 0"),
        (
            {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            "the whole fits none of the allowed forms, or more than one: 3",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 3, "the whole fits none of the allowed forms: 3"),
        ({"not": {"type": "string"}}, "x", "the whole is not allowed here"),
        ({"type": ["integer", "null"]}, "x" * 100, f'the whole is "{"x" * 58}…: a whole number or null is needed'),
        ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, 'b is "b": it must match ^a'),
        (
            {"patternProperties": {"^a": {"type": "string"}}, "additionalProperties": {"type": "null"}},
            {"ab": 1},
            "ab is 1: text is needed",
        ),
        ({"prefixItems": [{"type": "string"}]}, [1], "[0] is 1: text is needed"),
        ({"additionalProperties": {"type": "string", "x-message": "text, please"}}, {"a": 1}, "text, please"),
        ({"type": "number"}, float("nan"), "a number is not finite (.inf or .nan): no request can carry it"),
    ],
)
def test_other_keywords_of_json_schema_have_their_messages(schema: dict[str, Any], value: object, message: str) -> None:
    assert messages(Shape(schema).check(value)) == [message]


@pytest.mark.parametrize(
    ("schema", "value", "place"),
    [
        ({"contains": {"const": 1}}, [2], "the whole: "),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "the whole: "),
        ({"properties": {"a": {"items": {"items": False}}}}, {"a": [[1]]}, "a[0]: "),
    ],
)
def test_keywords_without_a_sentence_of_ours_name_their_place(
    schema: dict[str, Any], value: object, place: str
) -> None:
    [message] = messages(Shape(schema).check(value))
    assert message.startswith(place)


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 60 + "!", "it must match ^(a+)+$"),  # Python's own `re` would take years
        ({"pattern": "^a$"}, "a\n", "it must match ^a$"),
        ({"patternProperties": {"^a$": True}, "additionalProperties": False}, {"a\n": 1}, "is not a parameter here"),
        ({"patternProperties": {"^(a+)+$": {"type": "null"}}}, {"a" * 60: 1, "a" * 60 + "!": 1}, "null is needed"),
        (
            {"patternProperties": {"^a": True}, "additionalProperties": {"type": "null"}},
            {"ab": 1, "b": 1},
            "b is 1: null",
        ),
    ],
)
def test_what_a_pattern_says_is_told_as_the_gate_judges_it(schema: dict[str, Any], value: object, message: str) -> None:
    [told] = messages(Shape(schema).check(value))
    assert message in told
