"""The API key: where it comes from, what a wrong or missing one ends in, and that it shows nowhere."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from aiohttp import web
from studio import KEY, Studio, open_studio

from kirin_batch.cli.main import _tell
from kirin_batch.sandbox import user_of


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.prompts(one="a", two="forbidden-content")
        yield studio


def test_without_a_key_the_message_names_the_variable_and_the_sandbox(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIRIN_API_KEY")
    ran = studio.run("run")
    assert (ran.code, studio.records) == (4, {})
    assert "KIRIN_API_KEY" in ran.err
    assert "--sandbox" in ran.err
    assert studio.run("plan").code == 0


def test_a_wrong_key_makes_no_job_worse(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.run("run")
    before = studio.records
    studio.prompts(one="changed", two="new", three="c")
    monkeypatch.setenv("KIRIN_API_KEY", "wrong")
    ran = studio.run("run")
    assert (ran.code, studio.records) == (4, before)
    assert "check KIRIN_API_KEY" in ran.err


def test_the_key_may_come_from_a_file(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    file = studio.root.parent / f"{studio.root.name}.key"
    file.write_text("sk-another-key-0123456789\n")
    monkeypatch.delenv("KIRIN_API_KEY")
    monkeypatch.setenv("KIRIN_API_KEY_FILE", str(file))
    studio.run("run")
    assert {task.user for task in studio.books.tasks.values()} == {user_of("sk-another-key-0123456789")}


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff"], ids=["none", "empty", "two words", "no text"])
def test_a_file_that_holds_no_key_is_refused(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = studio.root / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.delenv("KIRIN_API_KEY")
    monkeypatch.setenv("KIRIN_API_KEY_FILE", str(file))
    ran = studio.run("run")
    assert (ran.code, studio.books.creates) == (4, 0)
    assert "KIRIN_API_KEY" in ran.err
    assert "words" not in ran.err


def test_the_key_is_nowhere_though_the_gateway_repeats_it(studio: Studio) -> None:
    def repeat(request: web.Request) -> web.Response | None:
        told = {"error": {"code": "1201", "message": f"what is {request.headers['Authorization']}?"}}
        return web.json_response(told, status=400) if request.method == "POST" else None

    log = studio.root / "log.txt"
    first = studio.run("run", "-v", "--log-file", str(log))
    studio.answer = repeat
    studio.prompts(one="c", two="d")
    second = studio.run("run", "--format", "json", "-v", "--log-file", str(log))
    assert (first.code, second.code) == (1, 1)
    assert "[key]" in second.out
    assert '"path": "/model/v1/generation", "status": 400' in log.read_text()
    told = [ran.out + ran.err for ran in (first, second, studio.run("show", "one"), studio.run("status"))]
    assert KEY not in "".join(told)
    assert [path for path, data in studio.files().items() if KEY.encode() in data] == []
    assert all(KEY not in str(headers) for _, headers in studio.downloads)


@pytest.mark.parametrize("from_file", [False, True], ids=["variable", "file"])
def test_a_bug_is_one_line_and_a_log_without_the_key(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, *, from_file: bool
) -> None:
    if from_file:
        (studio.root / "key").write_text(KEY)
        monkeypatch.delenv("KIRIN_API_KEY")
        monkeypatch.setenv("KIRIN_API_KEY_FILE", str(studio.root / "key"))
    studio.capsys.readouterr()
    try:
        raise ZeroDivisionError(f"while sending {KEY}")  # noqa: TRY301 - the error is what is told of
    except ZeroDivisionError as error:
        code = _tell(error)
    told = studio.capsys.readouterr().err
    assert (code, told.count("\n"), KEY in told) == (1, 1, False)
    log = Path(told.rpartition(" ")[2].strip()).read_text()
    assert "ZeroDivisionError: while sending [key]" in log


def test_an_interrupt_before_anything_began_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _tell(click.Abort()) == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on\n"
