"""`--log-file`: a JSON object a line for every request and decision, and nothing secret in any of them."""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from job_samples import picture
from studio import KEY, Studio, open_studio

from kirin_batch.cli.log_file import open_log
from kirin_batch.cli.run_log import RunLog
from kirin_batch.scheduler.observer import KindMeasures, Measures, Stage

PROMPT = "A fox that nobody may ever hear of"


@pytest.fixture(autouse=True)
def closed_log() -> Iterator[None]:
    """What a test logs to is closed behind it."""
    yield
    open_log(None)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text("version: 1\npoll: {min: 0.05, max: 0.1}\n")
        studio.prompts(one=PROMPT, two=PROMPT.replace("fox", "hen"))
        yield studio


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Every line of a log; each is one JSON object."""
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def logged(studio: Studio, *arguments: str) -> list[dict[str, Any]]:
    """What a run adds to the log."""
    file = studio.root / "log.jsonl"
    before = file.read_bytes().count(b"\n") if file.exists() else 0
    studio.run("run", "--log-file", str(file), *arguments)
    return lines_of(file)[before:]


def test_each_request_that_the_gateway_saw_is_one_line(studio: Studio) -> None:
    requests = [line for line in logged(studio) if line["event"] == "request"]
    methods = Counter(line["method"] if "path" in line else "download" for line in requests)
    books = studio.books
    assert methods == {"POST": books.creates, "GET": books.queries, "download": len(studio.downloads)}
    assert (books.creates, len(studio.downloads)) == (2, 2)
    assert all(line["seconds"] >= 0 and line["status"] in {200, 404} for line in requests)
    assert all(line["bytes_sent"] > 0 for line in requests if line["method"] == "POST")


def test_each_line_has_its_time_level_and_event(studio: Studio) -> None:
    begin = datetime.now(UTC) - timedelta(milliseconds=1)  # a line has whole ones
    lines = logged(studio)
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert begin <= min(times) <= max(times) <= datetime.now(UTC)
    assert all(len(line["time"]) == len("2026-01-31T12:00:00.000Z") for line in lines)
    assert Counter(line["level"] for line in lines).keys() == {"debug", "info"}
    assert [line["event"] for line in (lines[0], lines[-1])] == ["run_began", "run_ended"]


def test_a_run_tells_what_it_decided_and_how_it_ended(studio: Studio) -> None:
    lines = logged(studio, "--job", "one")
    steps = [(line["stage"], line.get("cost", line.get("detail"))) for line in lines if line["event"] == "job"]
    assert list(dict.fromkeys(stage for stage, _ in steps)) == ["creating", "running", "downloading", "completed"]
    assert steps[-1] == ("completed", "0.0140")
    assert lines[0]["working"] == 1
    assert (lines[-1]["spent"], lines[-1]["kinds"]["image"]["completed"]) == ("0.0140", 1)


def test_canaries_and_the_others_begin_and_end_each_for_themselves(studio: Studio) -> None:
    lines = [line for line in logged(studio, "--canary", "1") if line["event"].startswith("run_")]
    assert [line["event"] for line in lines] == ["run_began", "run_ended"] * 2
    assert [line["kinds"]["image"]["completed"] for line in lines[1::2]] == [1, 1]


def test_a_log_is_gone_on_with_and_a_second_run_finds_what_the_first_made(studio: Studio) -> None:
    first = logged(studio)
    (studio.root / "kirin.lock").unlink()
    (studio.root / ".kirin" / "journal.jsonl").unlink(missing_ok=True)
    second = logged(studio)
    found = [{line["found"] for line in lines if line.get("stage") == "running"} for lines in (first, second)]
    assert found == [{False}, {True}]
    assert len(lines_of(studio.root / "log.jsonl")) == len(first) + len(second)


def repeating(request: web.Request) -> web.Response:
    """A gateway that says all it was told."""
    message = f"401: {request.headers['Authorization']}"
    return web.json_response({"error": {"code": "401", "message": message}}, status=401)


def parroting(request: web.Request) -> web.Response | None:
    """A gateway that refuses a prompt by its words."""
    error = {"code": "1201", "message": f"what is {PROMPT}?"}
    return web.json_response({"error": error}, status=400) if request.method == "POST" else None


@pytest.mark.parametrize("answer", [None, repeating, parroting])
def test_neither_key_nor_prompt_nor_signature_is_in_a_log(studio: Studio, answer: Any) -> None:  # noqa: ANN401 - a gateway's answer, or None
    studio.answer = answer
    assert len(logged(studio, "-v", "--job", "one")) > 2
    text = (studio.root / "log.jsonl").read_text()
    assert [secret for secret in (KEY, "nobody may", "Authorization", "?") if secret in text] == []


def test_a_proxy_that_refuses_is_told_without_its_password(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRIN_BASE_URL", "http://gateway.test")
    monkeypatch.setenv("http_proxy", studio.url.replace("://", "://me:swordfish@"))
    requests = [line for line in logged(studio) if line["event"] == "request"]
    assert requests
    assert "swordfish" not in (studio.root / "log.jsonl").read_text()
    assert KEY not in (studio.root / "log.jsonl").read_text()


def test_a_text_is_told_without_what_its_urls_keep_secret(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    open_log(file)
    told = "no: http://me:sesame@cdn.example/a.png?sign=abc&x=1 nor HTTPS://cdn.example#frag, sorry\n\x1b[31m\udcff"
    logging.getLogger("kirin_batch.outputs").debug("%s", told)
    (line,) = lines_of(file)
    assert line["message"] == "no: http://cdn.example/a.png nor HTTPS://cdn.example sorry\n\x1b[31m\udcff"
    assert (line["event"], line["source"]) == ("note", "kirin_batch.outputs")
    assert file.read_bytes().isascii()
    assert b"\x1b" not in file.read_bytes()


def test_many_threads_log_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    open_log(file)
    logger = logging.getLogger("kirin_batch.gateway")
    facts = {"fields": {"path": "x" * 300}}
    threads = [threading.Thread(target=logger.debug, args=("request",), kwargs={"extra": facts}) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["path"] for line in lines_of(file)] == ["x" * 300] * 50


def test_a_log_that_cannot_go_on_ends_and_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_log(tmp_path / "log.jsonl")
    logger, closed = logging.getLogger("kirin_batch"), (tmp_path / "other").open("a")
    closed.close()
    (to_file,) = (handler for handler in logger.handlers if isinstance(handler, logging.FileHandler))
    stream = to_file.setStream(closed)
    assert stream
    stream.close()
    for _ in range(2):
        logger.info("job", extra={"fields": {"job": "s:a"}})
    assert capsys.readouterr().err == f"note: {tmp_path}/log.jsonl cannot be written any more: the log ends here\n"


def test_warnings_are_lines_and_are_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log.jsonl"
    open_log(file)
    for _ in range(2):
        logging.getLogger("kirin_batch.lockfile").warning("%s holds a conflict", "kirin.lock")
    assert capsys.readouterr().err == "note: kirin.lock holds a conflict\n"
    assert [(line["level"], line["message"]) for line in lines_of(file)] == [
        ("warning", "kirin.lock holds a conflict")
    ] * 2


def test_without_a_file_nothing_is_made_for_the_log() -> None:
    open_log(None)
    looks: list[int] = []

    def measure() -> Measures:
        looks.append(1)
        return standing(10)

    log = RunLog()
    log.began(1, working=1, measure=measure)
    log.stepped(picture("s:a"), Stage.RUNNING, "")
    log.ended()
    assert looks == []
    assert not logging.getLogger("kirin_batch.gateway").isEnabledFor(logging.INFO)


def test_a_log_tells_when_limits_shrink_and_grow_and_which_reasons_there_are_to_wait(tmp_path: Path) -> None:
    open_log(tmp_path / "log.jsonl")
    limits = iter([10, 10, 5, 6, 6])
    log, job = RunLog(), picture("s:a")
    log.began(1, working=1, measure=lambda: standing(next(limits)))
    log.stepped(job, Stage.CREATING, "")
    log.stepped(job, Stage.WAITING, "no slot left")
    log.stepped(replace(job, params={"prompt": PROMPT}), Stage.RETRYING, f"overloaded by {PROMPT[:20]}")
    log.ended()
    log.ended()
    told = [{name: line[name] for name in line.keys() - {"time", "level"}} for line in lines_of(tmp_path / "log.jsonl")]
    step = {"event": "job", "job": "s:a", "model": "pictures"}
    assert told[:-1] == [
        {"event": "run_began", "jobs": 1, "working": 1, "limits": {"image": 10}},
        {**step, "stage": "creating"},
        {**step, "stage": "waiting", "detail": "no slot left"},
        {"event": "limit", "kind": "image", "before": 10, "slots": 5},
        {**step, "stage": "retrying", "detail": "overloaded by [params]"},
        {"event": "limit", "kind": "image", "before": 5, "slots": 6},
    ]
    assert told[-1]["event"] == "run_ended"


def standing(limit: int) -> Measures:
    """Where a run stands that may use so many slots for images."""
    kind = KindMeasures(waiting=0, in_flight=1, completed=0, failed=0, slots_in_use=1, slot_limit=limit)
    return Measures(kinds={"image": kind}, spent=Decimal(0), reserved=Decimal(0), seconds_left=None)
