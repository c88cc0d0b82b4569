"""`run --canary`: a few jobs of each model go first, and the others only if these completed and nobody objects."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from studio import CHECKOUT, Studio, open_studio

PATIENCE_SECONDS = 10.0


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text("version: 1\npoll: {min: 0.05, max: 0.1}\n")
        studio.prompts(one="a", two="b", three="c")
        yield studio


class Talk:
    """A run on a terminal, which it reads from and writes to."""

    def __init__(self, studio: Studio, *arguments: str) -> None:
        self.text = ""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "kirin_batch", "run", *arguments],
            cwd=studio.root,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, text: str) -> None:
        """Read until `text` stands there, or (for "") until the command has closed the terminal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not text or text not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self._ours, 65536).decode()
                except OSError:  # EIO: nobody has the other side open
                    return

    def interrupt_reading(self) -> None:
        """Interrupt a run that reads. A signal right before the read begins is only seen with the next one."""
        for _ in range(5):
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2.0)
                return

    def answer(self, keys: str) -> int:
        """Type, and read the rest; the exit code."""
        os.write(self._ours, keys.encode())
        self.read_until("")
        os.close(self._ours)
        return self.process.wait(PATIENCE_SECONDS)


def test_canaries_go_first_and_without_a_terminal_the_others_follow_by_themselves(studio: Studio) -> None:
    ran = studio.run("run", "--canary", "1", "--format", "json")
    assert (ran.code, studio.books.creates) == (0, 3)
    assert ran.json["canary"] == {"jobs": ["film:one"], "spent": "0.0140", "released": True, "held_back": 0}
    assert "1 canary completed for $0.0140; going on with 2 jobs" in ran.err
    assert ran.json["spent"] == "0.0420"
    assert "2 of 3 jobs have something to do" in ran.err.partition("going on")[2]


def test_after_a_canary_that_failed_the_others_are_held_back(studio: Studio) -> None:
    studio.prompts(one="forbidden-content", two="b", three="c")
    ran = studio.run("run", "--canary", "1")
    assert (ran.code, studio.books.creates, list(studio.records)) == (1, 1, ["film:one"])
    assert "2 jobs are held back: 1 of 1 canary did not complete; the canaries cost $0.00" in ran.err
    assert "1 failed, 2 pending" in ran.out


def test_canaries_that_are_left_in_flight_leave_work(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\ntimeout: {image: 1}\npoll: {min: 0.05, max: 0.1}\n")
    studio.holds_time = True
    ran = studio.run_json("--canary", "2")
    assert (ran.code, studio.books.creates) == (3, 2)
    assert (ran.json["canary"]["released"], ran.json["canary"]["held_back"]) == (False, 1)


def test_where_nothing_would_wait_there_are_no_canaries(studio: Studio) -> None:
    ran = studio.run_json("--canary", "3")
    assert (ran.code, "canary" in ran.json, studio.books.creates) == (0, False, 3)


@pytest.mark.parametrize(("most", "done"), [("0.0420", 3), ("0.0419", 2), ("0.0140", 1)])
def test_the_budget_holds_over_canaries_and_the_others_together(studio: Studio, most: str, done: int) -> None:
    ran = studio.run_json("--canary", "1", "--max-cost", most)
    assert (studio.books.creates, ran.code) == (done, 0 if done == 3 else 3)


def test_what_is_in_flight_already_counts_for_the_budget_of_the_canaries(studio: Studio) -> None:
    told = 'version: 1\ntimeout: {image: 1}\npoll: {min: 0.05, max: 0.1}\nprices: {kirin_v2_image: "0.0140"}\n'
    (studio.root / "kirin.yaml").write_text(told)
    studio.holds_time = True
    assert studio.run("run", "--job", "three").code == 3
    assert studio.run("run", "--canary", "1", "--max-cost", "0.0270").code == 3
    assert studio.books.creates == 1
    assert studio.run("run", "--canary", "1", "--max-cost", "0.0280").code == 3
    assert studio.books.creates == 2


def test_a_result_of_a_canary_can_be_used_by_what_follows_in_the_sandbox_too(studio: Studio) -> None:
    studio.spec('  one: {params: {prompt: a}}\n  two: {params: {prompt: b, image: "${{ jobs.one.file }}"}}')
    ran = studio.run_json("--canary", "1", "--sandbox")
    assert (ran.code, ran.statuses) == (0, {"film:one": "completed", "film:two": "completed"})


def test_on_a_terminal_the_user_is_asked_and_sees_the_canaries(studio: Studio) -> None:
    talk = Talk(studio, "--canary", "1")
    talk.read_until("1 canary completed for $0.0140. Send the other 2 jobs for about $0.0280? [y/N]: ")
    assert "outputs/film/one/1.png" in talk.text
    assert (talk.answer("y\n"), studio.books.creates) == (0, 3)


def test_on_a_terminal_the_user_may_leave_it_at_the_canaries(studio: Studio) -> None:
    talk = Talk(studio, "--canary", "1")
    talk.read_until("[y/N]: ")
    assert (talk.answer("n\n"), studio.books.creates) == (3, 1)
    assert "2 jobs are held back: 1 canary completed, and you did not go on" in talk.text


def test_an_interrupt_at_the_question_ends_the_run(studio: Studio) -> None:
    talk = Talk(studio, "--canary", "1")
    talk.read_until("[y/N]: ")
    talk.interrupt_reading()
    assert (talk.answer(""), studio.books.creates) == (130, 1)
    assert studio.run("status").out.startswith("completed  film:one")


def test_an_interrupt_among_the_canaries_leaves_them_for_the_next_run(studio: Studio) -> None:
    studio.holds_time = True
    talk = Talk(studio, "--canary", "1")
    talk.read_until("running")
    talk.process.send_signal(signal.SIGINT)
    assert (talk.answer(""), studio.books.creates) == (130, 1)
    studio.holds_time = False
    assert (studio.run("run", "--canary", "1").code, studio.books.creates) == (0, 3)


def test_who_says_yes_beforehand_is_not_asked(studio: Studio) -> None:
    talk = Talk(studio, "--canary", "1", "-y")
    assert (talk.answer(""), studio.books.creates) == (0, 3)
    assert "[y/N]" not in talk.text


def test_a_gateway_that_refuses_the_key_ends_the_run_among_the_canaries(studio: Studio) -> None:
    studio.answer = lambda request: web.json_response({"code": 401}, status=401) if request.method == "POST" else None
    assert (studio.run("run", "--canary", "1").code, studio.records) == (4, {})
