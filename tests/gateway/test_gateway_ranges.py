"""When a download may go on where it broke off, by the headers alone."""

import pytest

from kirin_batch.gateway.answers import Begun
from kirin_batch.gateway.ranges import Stretch, read_rest, read_whole, rest_headers

NOON, NEXT_SECOND = "Mon, 05 Jan 2026 12:00:00 GMT", "Mon, 05 Jan 2026 12:00:01 GMT"
TAGGED = Begun(4, '"v1"', 9)
DATED = Begun(4, NOON)


@pytest.mark.parametrize(
    ("headers", "tag"),
    [
        ({"ETag": '"v1"'}, '"v1"'),
        ({"ETag": '""'}, '""'),
        ({"ETag": 'W/"v1"'}, None),
        ({"ETag": "v1"}, None),
        ({"ETag": '"v1", "v2"'}, None),
        ({"ETag": '"v\u00e9"'}, None),
        ({"ETag": 'W/"v1"', "Last-Modified": NOON, "Date": NEXT_SECOND}, None),
        ({"ETag": '"v1"', "Last-Modified": NOON, "Date": NEXT_SECOND}, '"v1"'),
        ({"Last-Modified": NOON, "Date": NEXT_SECOND}, NOON),
        ({"Last-Modified": NOON, "Date": NOON}, None),
        ({"Last-Modified": NOON}, None),
        ({"Last-Modified": "yesterday", "Date": NEXT_SECOND}, None),
        ({"Last-Modified": "Mon, 99 Jan 2026 12:00:00 GMT", "Date": NEXT_SECOND}, None),
        ({}, None),
    ],
)
def test_only_a_strong_validator_names_a_version(headers: dict[str, str], tag: str | None) -> None:
    assert read_whole(headers, 9) == Stretch(0, 9, 9, tag)


def test_what_is_packed_has_another_length_and_no_parts() -> None:
    assert read_whole({"ETag": '"v1"', "Content-Encoding": "gzip"}, 9) == Stretch()
    assert read_whole({"ETag": '"v1"', "Content-Encoding": "Identity"}, 9) == Stretch(0, 9, 9, '"v1"')


@pytest.mark.parametrize(
    ("begun", "headers", "length"),
    [
        (TAGGED, {"Content-Range": "bytes 4-8/9", "ETag": '"v1"'}, 5),
        (TAGGED, {"Content-Range": "bytes 4-8/9", "ETag": '"v1"'}, None),
        (Begun(4, '"v1"'), {"Content-Range": "bytes 4-8/9", "ETag": '"v1"'}, 5),
        (DATED, {"Content-Range": "bytes 4-8/9"}, 5),
        (DATED, {"Content-Range": "bytes 4-8/9", "Last-Modified": NOON}, 5),
    ],
)
def test_the_rest_of_the_same_version_goes_on(begun: Begun, headers: dict[str, str], length: int | None) -> None:
    assert read_rest(headers, length, begun) == Stretch(4, 9, 9, begun.tag)


@pytest.mark.parametrize(
    ("begun", "headers", "length"),
    [
        (TAGGED, {"ETag": '"v1"'}, 5),
        (TAGGED, {"Content-Range": "bytes 3-8/9", "ETag": '"v1"'}, 6),
        (TAGGED, {"Content-Range": "bytes 5-8/9", "ETag": '"v1"'}, 4),
        (TAGGED, {"Content-Range": "bytes 0-8/9", "ETag": '"v1"'}, 9),
        (TAGGED, {"Content-Range": "bytes 4-9/10", "ETag": '"v1"'}, 6),
        (TAGGED, {"Content-Range": "bytes 4-9/9", "ETag": '"v1"'}, 6),
        (TAGGED, {"Content-Range": "bytes 4-3/9", "ETag": '"v1"'}, 0),
        (TAGGED, {"Content-Range": "bytes 4-8/9", "ETag": '"v1"'}, 4),
        (TAGGED, {"Content-Range": "bytes 4-8/*", "ETag": '"v1"'}, 5),
        (TAGGED, {"Content-Range": "bytes */9", "ETag": '"v1"'}, 5),
        (TAGGED, {"Content-Range": "items 4-8/9", "ETag": '"v1"'}, 5),
        (TAGGED, {"Content-Range": "bytes 4-8/9", "ETag": '"v2"'}, 5),
        (TAGGED, {"Content-Range": "bytes 4-8/9", "ETag": 'W/"v1"'}, 5),
        (TAGGED, {"Content-Range": "bytes 4-8/9"}, 5),
        (TAGGED, {"Content-Range": "bytes 4-8/9", "ETag": '"v1"', "Content-Encoding": "gzip"}, 5),
        (DATED, {"Content-Range": "bytes 4-8/9", "Last-Modified": NEXT_SECOND}, 5),
    ],
)
def test_whatever_may_be_another_content_does_not_go_on(begun: Begun, headers: dict[str, str], length: int) -> None:
    assert read_rest(headers, length, begun) is None


def test_a_part_of_the_rest_goes_on_with_the_whole_in_mind() -> None:
    assert read_rest({"Content-Range": "bytes 4-6/9", "ETag": '"v1"'}, 3, TAGGED) == Stretch(4, 7, 9, '"v1"')


def test_the_rest_is_asked_for_on_the_condition_of_its_version() -> None:
    assert rest_headers(None) == {}
    assert rest_headers(TAGGED) == {"Range": "bytes=4-", "If-Range": '"v1"'}
    assert rest_headers(DATED) == {"Range": "bytes=4-", "If-Range": NOON}


@pytest.mark.parametrize(
    ("stretch", "size", "begun"),
    [
        (Stretch(0, 9, 9, '"v1"'), 4, TAGGED),
        (Stretch(0, None, None, '"v1"'), 4, Begun(4, '"v1"')),
        (Stretch(0, 9, 9, '"v1"'), 0, None),
        (Stretch(0, 9, 9), 4, None),
        (Stretch(4, 6, 9, '"v1"'), 7, None),
    ],
    ids=["some", "of nobody knows how much", "nothing", "no version", "more than was told"],
)
def test_what_is_kept_of_an_answer_that_breaks_off(stretch: Stretch, size: int, begun: Begun | None) -> None:
    assert stretch.begun(size) == begun
