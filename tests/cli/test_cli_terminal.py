"""Texts of others steer no terminal: what they hold besides letters is shown."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from studio import Studio, open_studio

from kirin_batch.cli.terminal import printable
from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Mismatch, Status, TaskError

STEERING = "\x1b[2J\x1b]0;title\x07 \r \x9b1m"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


@pytest.mark.parametrize("command", [["status"], ["show", "one"], ["plan", "-v"], ["status", "-v"]], ids=" ".join)
def test_what_a_lockfile_says_steers_no_terminal(studio: Studio, command: list[str]) -> None:
    studio.prompts(one="a")
    studio.run("run")
    record = studio.records["film:one"]
    failed = replace(
        record,
        status=Status.FAILED,
        error=TaskError("1" + STEERING, "no" + STEERING),
        warnings=(Mismatch("ratio", STEERING, STEERING),),
        outputs=(replace(record.outputs[0], url=STEERING),),
    )
    save_lockfile(studio.root / "kirin.lock", {"film:one": failed})
    ran = studio.run(*command)
    assert [code for code in ("\x1b[2J", "\x1b]", "\x07", "\r", "\x9b") if code in ran.out + ran.err] == []
    assert "no" in ran.out


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_a_terminal_of_another_encoding_is_told_all_the_same(studio: Studio, encoding: str) -> None:
    for prompt in ("a fox", "a 狐 fox"):
        studio.prompts(one=prompt)
        if prompt == "a fox":
            studio.run("run")
    program = [sys.executable, "-m", "kirin_batch", "plan", "-C", str(studio.root), "--no-cache"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(program, env=environment, capture_output=True, check=True)  # noqa: S603 - our own program
    shown = "狐" if encoding == "utf-8" else "\\u72d0"
    assert shown in done.stdout.decode(encoding)


def test_colours_and_lines_stay() -> None:
    assert printable("\x1b[31mred\x1b[0m\n\tfox 🦊 狐") == "\x1b[31mred\x1b[0m\n\tfox 🦊 狐"
    assert printable("\x1b[2Ja\rb\x00") == "\\x1b[2Ja\\x0db\\x00"
