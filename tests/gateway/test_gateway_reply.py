"""Each row of the gateway's table of answers, and each form of an error body, is told from its status and body."""

import json
from datetime import UTC, datetime

import pytest
from gateway_wire import KEY
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.gateway.answers import Answer, Broken, Busy, Denied, Failed, Missing, Refused, Running, Unknown
from kirin_batch.gateway.reply import Reply, presentable, read_reply, retry_after_seconds
from kirin_batch.gateway.secret import Secret

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TASK = {"id": "t", "status": "in_progress"}
TAKEN = "external_task_id already exists"


def read(status: int, body: object = b"", *, retry_after: str | None = None, is_create: bool = True) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_reply(Reply(status, content, retry_after, is_create=is_create), now=NOW)


FORMS = {
    "error object": {"error": {"code": "1201", "message": "prompt is too long"}},
    "error_message": {"error": {"code": 1201, "error_message": "prompt is too long"}},
    "bare error": {"error": "prompt is too long"},
    "bare message": {"message": "prompt is too long"},
    "code beside": {"code": 1201, "message": "prompt is too long", "request_id": "r"},
    "status object": {"status": {"code": 400, "message": "prompt is too long", "error_code": 1201}, "data": None},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_error_body_is_read(form: str) -> None:
    code = "" if form.startswith("bare") else "1201"
    assert read(400, FORMS[form]) == Refused(code, "prompt is too long")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<!DOCTYPE html><html>no</html>", "an HTML page"),
        (b"no", "no"),
        (b'"no"', "no"),
        (b"\xff", "�"),
        (b"", "HTTP 400"),
        (b"[]", "HTTP 400"),
        (b"null", "HTTP 400"),
        (b'{"message": 5}', "HTTP 400"),
    ],
)
def test_a_body_that_is_no_error_object_still_has_words(body: bytes, message: str) -> None:
    assert read(400, body) == Refused("", message)


@pytest.mark.parametrize(
    ("status", "code", "message", "taken"),
    [
        (400, 1201, TAKEN, True),
        (400, 1201, "duplicate external_task_id", True),
        (400, 1201, "External Task ID must be unique per user", True),
        (400, 1201, "external_task_id is taken", True),
        (409, "", TAKEN, True),
        (200, 1201, TAKEN, True),
        (400, 1201, "external_task_id is longer than 64 characters", False),
        (400, 1201, "element_name already exists", False),
        (400, 1301, "content policy", False),
        (413, "", "too large", False),
        (422, 9999, "what is this", False),
        (404, 1203, "element not found", False),
    ],
)
def test_a_request_that_never_passes_is_refused(status: int, code: object, message: str, *, taken: bool) -> None:
    names_id = "task" in message.lower() and "id" in message.lower()
    assert read(status, {"code": code, "message": message}) == Refused(str(code), message, taken, names_id)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_let_in_is_denied_with_advice(status: int) -> None:
    said = read(status, {"error": {"code": 1002, "message": "bad key"}})
    advice = "check KIRIN_API_KEY and what the key is allowed to do"
    assert said == Denied(status, "1002", f"the gateway refused (HTTP {status}, code 1002, bad key): {advice}")


@pytest.mark.parametrize(
    ("status", "code"),
    [(402, ""), (402, 40201), (400, 40208), (429, 1101), (429, 1102), (429, "1102"), (200, 1102)],
)
def test_a_balance_that_is_used_up_is_denied_with_advice(status: int, code: object) -> None:
    said = read(status, {"status": {"code": code, "message": "arrears"}, "data": None}, retry_after="5")
    assert isinstance(said, Denied)
    assert (said.status, said.code, "top it up" in said.message) == (status, str(code), True)


@pytest.mark.parametrize(
    ("body", "parallel"),
    [
        ({"code": 1302, "message": "too fast"}, False),
        ({"code": 1303, "message": "parallel task over resource pack limit"}, True),
        ({"error": "parallel task over resource pack limit"}, True),
        ({"status": {"code": 429, "error_code": 1303, "message": "wait"}}, True),
        ({"message": "wait"}, False),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_too_much_at_once_is_busy(body: object, *, parallel: bool) -> None:
    said = read(429, body, retry_after="7")
    assert isinstance(said, Busy)
    assert (said.retry_after, said.parallel, bool(said.message)) == (7.0, parallel, True)


@pytest.mark.parametrize("body", [{"error": {"code": 1203}}, {"message": "not found"}, b"<html>", b""])
def test_a_query_for_what_is_not_there_is_missing(body: object) -> None:
    assert read(404, body, is_create=False) == Missing()


def test_1203_is_missing_after_a_query_whatever_the_status() -> None:
    assert read(400, {"code": 1203, "message": "x"}, is_create=False) == Missing()


def test_a_create_at_an_address_that_is_not_there_is_missing() -> None:
    assert read(404, b"<html>") == Missing()


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_task_in_any_success_is_told(status: int) -> None:
    assert read(status, TASK) == Running("t")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b""), (200, {}), (200, b'{"id": "t", "sta'), (200, b"<html>login</html>"), (204, b""), (200, {"id": ""})]
    + [(200, {"status": "in_progress"}), (200, {"code": 0, "message": "success"}), (200, b"[" * 5000)]
    + [(status, TASK) for status in (100, 301, 302, 307, 500, 502, 503, 504, 599, 700, 0)]
    + [(status, b"<html>") for status in (408, 425, 499, 500, 502)],
)
def test_what_does_not_tell_of_the_task_is_unknown(status: int, body: object) -> None:
    said = read(status, body)
    assert isinstance(said, Unknown)
    assert f"HTTP {status}" in said.reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("999999", 3600.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30.0),
        ("Fri, 02 Jan 2026 03:04:35 -0000", 30.0),
        ("Fri, 02 Jan 2026 04:04:15 +0100", 10.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("Fri, 99 Jan 2026 99:99:99 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_garbage(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


def test_texts_for_people_are_one_line_without_key_and_control_characters() -> None:
    said = presentable(Unknown(f"a\x1b[31m  red\r\nline {KEY}\u202e"), secret=Secret(KEY))
    assert said == Unknown("a [31m red line [key]")


def test_a_long_text_is_cut_after_the_key_is_taken_out() -> None:
    said = presentable(Failed("t", "c" * 99, "x" * 490 + KEY + "y" * 99), secret=Secret(KEY))
    assert isinstance(said, Failed)
    assert (len(said.code), len(said.message), said.message[-11:]) == (64, 500, "x[key]yyyy…"[-11:])


@pytest.mark.parametrize("answer", [Missing(), Running("t"), Broken("r"), Busy(None, "1302", "m")])
def test_an_answer_that_needs_no_cleaning_stays(answer: Answer) -> None:
    assert presentable(answer, secret=Secret(KEY)) == answer


STATUSES = st.integers(0, 999)
WORDS = st.sampled_from(["error", "status", "code", "error_code", "message", "error_message", "data", "id", "output"])
KEYS = WORDS | st.sampled_from(["content", "type", "url", "text", "usage", "cost", "progress"]) | st.text(max_size=3)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = SCALARS | st.sampled_from(["completed", "failed", "image", KEY, "https://h/1", 1201, 1303, 6001094])
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5))


def check_any(status: int, body: bytes, retry_after: str | None, *, is_create: bool) -> None:
    secret = Secret(KEY)
    reply = Reply(status, secret.redact_body(body), retry_after, is_create=is_create)
    said = presentable(read_reply(reply, now=NOW), secret=secret)
    assert isinstance(said, Answer)
    assert KEY not in repr(said)


@given(STATUSES, st.binary(max_size=200), st.none() | st.text(max_size=20), st.booleans())
def test_any_bytes_are_some_answer(status: int, body: bytes, retry_after: str | None, is_create: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    check_any(status, body, retry_after, is_create=is_create)


@given(STATUSES | st.just(200), JSON, st.booleans())
def test_any_json_is_some_answer_without_the_key(status: int, body: object, is_create: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    check_any(status, json.dumps(body).encode(), None, is_create=is_create)
