"""What changed between two requests is named parameter by parameter, and nothing that did not."""

import json
from typing import Any

import pytest

from kirin_batch.changes import Change, changes_text, find_changes

IMAGE, OTHER = "1" * 64, "2" * 64
FOX = {"file": "fox.png", "sha256": IMAGE}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"n": 1}, {"n": 2}, "n: 1 → 2"),
        ({"n": 1}, {"n": 1.0}, "n: 1 → 1.0"),
        ({"on": True}, {"on": 1}, "on: true → 1"),
        ({"ratio": "16:9"}, {"ratio": "9:16"}, "ratio: 16:9 → 9:16"),
        ({}, {"n": 2}, "n: 2 added"),
        ({"n": 2}, {}, "n: 2 removed"),
        ({"a": ""}, {"a": " x"}, 'a: "" → " x"'),
        ({"list": [{"image": "a"}, "b"]}, {"list": [{"image": "c"}]}, "list[0].image: a → c; list[1]: b removed"),
        ({"camera": {"pan": {"x": 1}}}, {"camera": {"pan": {"x": 2}}}, "camera.pan.x: 1 → 2"),
        ({"image": FOX}, {"image": {**FOX, "sha256": OTHER}}, "image: fox.png changed"),
        ({"image": FOX}, {"image": {"file": "cat.png", "sha256": OTHER}}, "image: fox.png → cat.png"),
        ({"image": FOX}, {"image": "https://b.example/c.png"}, "image: fox.png → https://b.example/c.png"),
        (
            {"image": {"sha256": IMAGE, "bytes": 5}},
            {"image": {"sha256": OTHER, "bytes": 6}},
            "image: the image changed",
        ),
        ({"image": FOX}, {"image": {"file": "moved.png", "sha256": IMAGE}}, ""),
        ({"image": FOX}, {"image": {"sha256": IMAGE, "bytes": 5}}, ""),
        ({"mode": "std"}, {}, ""),
        ({}, {"mode": "std"}, ""),
        ({"mode": "pro"}, {"mode": "std"}, "mode: pro → std"),
        ({"mode": "pro"}, {}, "mode: pro → std"),
        ({}, {"mode": "pro"}, "mode: std → pro"),
        ({"a": "old \x1b[31m\n"}, {"a": "new \x1b[31m\n"}, r"a: [-old-]{+new+} \x1b[31m\n"),
    ],
)
def test_each_change_is_told_and_only_those(old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    assert changes_text(find_changes(old, new, defaults={"mode": "std"})) == told


FOLDERS = "folder/" * 12


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "z" * 70 + " ", f'"" → "{"z" * 39}…{"z" * 19} "'),
        (f"https://a.example/{FOLDERS}1.png", f"https://a.example/{FOLDERS}2.png", "/folder/[-1-]{+2+}.png"),
        (FOX | {"file": f"{FOLDERS}1/{FOLDERS}"}, {"file": f"{FOLDERS}2/{FOLDERS}", "sha256": OTHER}, "/[-1-]{+2+}/f"),
        (int(f"{'7' * 45}1{'7' * 45}"), int(f"{'7' * 45}2{'7' * 45}"), "777[-1-]{+2+}777"),
    ],
)
def test_long_values_that_differ_do_not_look_the_same(old: object, new: object, told: str) -> None:
    assert told in changes_text(find_changes({"a": old}, {"a": new}, defaults={}))


def test_a_change_has_its_place_and_both_values_for_programs() -> None:
    (change,) = find_changes({"l": [{"a/b": "x" * 900}]}, {"l": [{"a/b": "y"}]}, defaults={})
    assert change.as_json() == {"parameter": "/l/0/a~1b", "name": "l[0].a/b", "from": "x" * 900, "to": "y"}
    assert Change("model", "one", "other").as_json()["parameter"] is None


def test_many_changes_and_long_ones_stay_a_line() -> None:
    old, new = ({f"name{number}": letter * 5000 for number in range(300)} for letter in "ab")
    told = changes_text(find_changes(old, new, defaults={}))
    assert len(told) < 600
    words = changes_text(find_changes({"p": "a b " * 2000}, {"p": "c d " * 2000 + "x"}, defaults={}))
    assert len(words) < 300
    assert changes_text(find_changes(dict(list(old.items())[:9]), {}, defaults={})).endswith("and 3 more")


def test_a_value_that_somebody_nested_without_end_is_cut() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    (change,) = find_changes({"a": deep}, {"a": 1}, defaults={})
    assert len(json.dumps(change.as_json())) < 300
    assert changes_text((change,)).startswith("a: [[[")
