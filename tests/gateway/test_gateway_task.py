"""A task is read from every form in which the gateway tells it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from kirin_batch.gateway.answers import Done, Failed, Result, Running
from kirin_batch.gateway.task import read_task

IMAGE = {"type": "image", "url": "https://cdn.example/1.png", "jobId": "j"}
FILM = {"type": "video_url", "url": "http://cdn.example/2.mp4", "duration": "5"}
RESULTS = (Result("image", "https://cdn.example/1.png"), Result("video", "http://cdn.example/2.mp4"))


def completed(**parts: object) -> dict[str, Any]:
    return {"id": "t", "status": "completed", "model": "m", "created_at": 1} | parts


def element(text: object) -> dict[str, Any]:
    return completed(output=[{"content": [{"type": "text", "url": "", "text": text}]}])


@pytest.mark.parametrize(
    "status", ["in_progress", "pending", "queued", "processing", "submitted", "a_new_word", "", None, 7]
)
def test_what_is_neither_completed_nor_failed_is_running(status: object) -> None:
    assert read_task({"id": "t", "status": status}) == Running("t")


@pytest.mark.parametrize(
    ("told", "progress"),
    [(0, 0.0), (0.25, 0.25), (1, 1.0), (None, None), ("half", None), (True, None), (-0.1, None), (45, None)],
)
def test_progress_is_a_share_or_unknown(told: object, progress: float | None) -> None:
    assert read_task({"id": "t", "status": "in_progress", "progress": told}) == Running("t", progress)


@pytest.mark.parametrize(
    "output",
    [
        [{"content": [IMAGE, FILM]}],
        [{"content": [IMAGE]}, {"content": [FILM]}],
        [{"content": [IMAGE]}, {"content": []}, None, {"content": FILM}],
        {"content": [IMAGE, FILM]},
        [IMAGE, FILM],
    ],
)
def test_results_come_as_contents_groups_or_both(output: object) -> None:
    assert read_task(completed(output=output)) == Done("t", RESULTS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        5,
        "file:///etc/passwd",
        "ftp://host/1",
        "data:image/png;base64,AA",
        "https://",
        "https://a b",
        "//h/1",
        "https://host/\n",
        "https://[::1",
        "javascript:1",
    ],
)
def test_an_address_that_is_no_http_is_left_out(url: object) -> None:
    output = [{"content": [{"type": "image", "url": url}, IMAGE]}]
    assert read_task(completed(output=output)) == Done("t", RESULTS[:1])


@pytest.mark.parametrize("kind", ["audio", "text", None, 3, ["image"]])
def test_a_content_of_another_type_is_no_result(kind: object) -> None:
    assert read_task(completed(output=[{"content": [{"type": kind, "url": "https://h/1"}]}])) == Done("t")


@pytest.mark.parametrize("output", [None, [], "text", 3, [[]], [{"content": "x"}]])
def test_a_completed_task_may_have_no_results(output: object) -> None:
    assert read_task(completed(output=output)) == Done("t")


@pytest.mark.parametrize(
    ("cost", "usd"),
    [
        ("0.0280", "0.0280"),
        (" 1 ", "1"),
        (0.028, "0.028"),
        (3, "3"),
        (1e-05, "0.00001"),
        (0, "0"),
        ("0", "0"),
        ("free", None),
        ("-1", None),
        (-1, None),
        ("1e999999", None),
        ("NaN", None),
        (True, None),
        ([], None),
    ],
)
def test_cost_is_an_exact_decimal_or_unknown(cost: object, usd: str | None) -> None:
    expected = Done("t", cost=None if usd is None else Decimal(usd))
    found = read_task(completed(usage={"cost": cost, "discount": 1}))
    assert (found, str(getattr(found, "cost", ""))) == (expected, str(usd))


@pytest.mark.parametrize("usage", [None, [], "0.1", {}])
def test_usage_may_be_absent_or_nonsense(usage: object) -> None:
    assert read_task(completed(usage=usage)) == Done("t")


@pytest.mark.parametrize(
    ("text", "element_id"),
    [
        ('{"element_id": 9223372036854775807, "element_name": "Hero"}', 2**63 - 1),
        ('{"element_id": 18446744073709551615}', 2**64 - 1),
        ('{"element_id": "853137284711231496"}', 853137284711231496),
        ({"element_id": 5}, 5),
        ('{"element_id": 18446744073709551616}', None),
        ('{"element_id": "99999999999999999999"}', None),
        ('{"element_id": -1}', None),
        ('{"element_id": true}', None),
        ('{"element_id": 1.5}', None),
        ('{"element_id": ', None),
        ("[1]", None),
        ("", None),
        (None, None),
    ],
)
def test_a_subject_gives_its_element_id_to_the_last_digit(text: object, element_id: int | None) -> None:
    assert read_task(element(text)) == Done("t", element_id=element_id)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": "006001094", "error_message": "no resource"}, "006001094", "no resource"),
        ({"code": "006001095", "message": "bad answer"}, "006001095", "bad answer"),
        ({"code": 6001099, "message": "not created"}, "006001099", "not created"),
        ({"code": 1301, "message": "policy"}, "1301", "policy"),
        ({"message": "only words"}, "", "only words"),
        ("bare words", "", "bare words"),
        ("006001094", "006001094", "the gateway gives no reason"),
        (6001094, "006001094", "the gateway gives no reason"),
        (None, "", "the gateway gives no reason"),
        ([], "", "the gateway gives no reason"),
        ({"code": True, "message": 5}, "", "the gateway gives no reason"),
    ],
)
def test_a_failed_task_tells_code_and_message_in_any_form(error: object, code: str, message: str) -> None:
    assert read_task({"id": "t", "status": "failed", "error": error}) == Failed("t", code, message)


@pytest.mark.parametrize("wrap", [lambda task: task, lambda task: {"status": {"code": 0}, "data": task}])
def test_a_task_may_be_wrapped_in_data(wrap: Callable[[object], object]) -> None:
    assert read_task(wrap(completed())) == Done("t")


@pytest.mark.parametrize("task_id", ["", None, True, 1.5, [], "two words", "line\nend", "x" * 513])
def test_without_an_id_there_is_no_task(task_id: object) -> None:
    assert read_task({"id": task_id, "status": "completed"}) is None


def test_an_id_may_be_a_number() -> None:
    assert read_task({"id": 2**60, "status": "Completed"}) == Done(str(2**60))


@pytest.mark.parametrize("body", [None, [], "text", 5, {}, {"data": None}, {"data": []}, [{"id": "t"}]])
def test_a_body_of_another_shape_is_no_task(body: object) -> None:
    assert read_task(body) is None
