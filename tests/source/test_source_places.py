"""Where values and keys are written: block, flow, aliases, merges, unicode, and paths that lead nowhere."""

import pytest

from kirin_batch.source import Place, Places, YamlError, load_yaml

SPEC = """\
version: 1
base: &base {model: m, "über😀": [a, {b: 1}]}
jobs:
  hero:
    <<: *base
    params:
      prompt: |
        a fox
      list:
      - one
      - {two: 2}
    empty:
  clip: *base
"""
SPEC_PLACES = [
    ((), (1, 1), (1, 1)),
    (("version",), (1, 10), (1, 1)),
    (("base",), (2, 7), (2, 1)),
    (("base", "model"), (2, 21), (2, 14)),
    (("base", "über😀"), (2, 33), (2, 24)),
    (("base", "über😀", 1, "b"), (2, 41), (2, 38)),
    (("jobs", "hero"), (5, 5), (4, 3)),
    (("jobs", "hero", "model"), (2, 21), (2, 14)),
    (("jobs", "hero", "über😀", 0), (2, 34), (2, 34)),
    (("jobs", "hero", "params", "prompt"), (7, 15), (7, 7)),
    (("jobs", "hero", "params", "list", 0), (10, 9), (10, 9)),
    (("jobs", "hero", "params", "list", 1), (11, 9), (11, 9)),
    (("jobs", "hero", "params", "list", 1, "two"), (11, 15), (11, 10)),
    (("jobs", "hero", "empty"), (12, 11), (12, 5)),
    (("jobs", "clip"), (2, 7), (13, 3)),
    (("jobs", "clip", "model"), (2, 21), (2, 14)),
]
NOWHERE = [
    (("nope",), (1, 1), (1, 1)),
    (("jobs", "nope", "deeper"), (4, 3), (3, 1)),
    (("jobs", "hero", "params", "nope"), (7, 7), (6, 5)),
    (("jobs", "hero", "params", "list", 7), (10, 7), (9, 7)),
    (("version", "nope"), (1, 10), (1, 1)),
    (("jobs", "hero", "params", 0), (7, 7), (6, 5)),
]


@pytest.mark.parametrize(("path", "value", "key"), SPEC_PLACES)
def test_values_and_keys_are_found_where_they_are_written(
    path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    places = Places.of(SPEC.encode())
    assert (places.value(path), places.key(path)) == (value, key)


@pytest.mark.parametrize(("path", "value", "key"), NOWHERE)
def test_a_path_that_leads_nowhere_gives_the_nearest_parent(
    path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    places = Places.of(SPEC.encode())
    assert (places.value(path), places.key(path)) == (value, key)


@pytest.mark.parametrize("text", ["", "# nothing\n", "5", "[]"])
def test_every_path_in_a_text_without_values_has_a_place(text: str) -> None:
    places = Places.of(text.encode())
    assert places.value(("a", 0)) == places.key(("a", 0)) == Place(1, 1)


@pytest.mark.parametrize("stamp", ["\n", "\r\n", "\r"])
def test_all_three_line_breaks_count(stamp: str) -> None:
    places = Places.of(stamp.join(["a: 1", "", "b:", "  ü\u2028: x"]).encode())
    assert places.value(("b", "ü\u2028")) == (4, 7)
    assert places.key(("b",)) == (3, 1)


def test_an_earlier_source_of_a_merge_wins_as_in_the_value() -> None:
    text = b"a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc:\n  <<: [*a, *b]\n  z: 4\nd: &l [*b, *a]\ne: {<<: *l, y: 5}\n"
    places = Places.of(text)
    assert load_yaml(text) == {
        "a": {"x": 1}, "b": {"x": 2, "y": 3}, "c": {"z": 4, "x": 1, "y": 3}, "d": [{"x": 2, "y": 3}, {"x": 1}],
        "e": {"y": 5, "x": 2},
    }  # fmt: skip
    assert [places.key(("c", key)) for key in "xyz"] == [(1, 8), (2, 14), (5, 3)]
    assert [places.value(("e", key)) for key in "xy"] == [(2, 11), (7, 16)]


def test_keys_may_be_aliases_and_have_anchors() -> None:
    places = Places.of(b"a: &a 007\n&k key: *k\nb: {*a : x, 1.50: y}\n")
    assert places.value(("key",)) == (2, 1)
    assert places.value(("b", "007")) == (3, 10)
    assert places.key(("b", "1.50")) == (3, 13)


def test_values_with_anchors_and_tags_start_with_them() -> None:
    places = Places.of(b"a: &x !!str 5\nb: &y\n  c: 1\n")
    assert (places.value(("a",)), places.value(("b",)), places.value(("b", "c"))) == ((1, 4), (2, 4), (3, 6))


@pytest.mark.parametrize(
    "text", ["a: [", "a: *x", "&a [*a]", "? [a]\n: 1", "<<: 1", "a: 1\n---\n", "[" * 101 + "]" * 101, "a: \xff\0"]
)
def test_a_text_that_does_not_load_has_no_places(text: str) -> None:
    with pytest.raises(YamlError) as loading:
        load_yaml(text.encode())
    with pytest.raises(YamlError) as finding:
        Places.of(text.encode())
    assert str(finding.value) == str(loading.value)


def test_the_limits_of_loading_hold_for_places() -> None:
    assert Places.of(b"[[1]]", max_depth=2, max_bytes=5).value((0, 0)) == (1, 3)
    with pytest.raises(YamlError, match="deeper than 1 level"):
        Places.of(b"[[1]]", max_depth=1)
    with pytest.raises(YamlError, match="5 bytes, more than the 4"):
        Places.of(b"[[1]]", max_bytes=4)
