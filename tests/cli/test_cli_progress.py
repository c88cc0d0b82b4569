"""What people see while a run works: a display on a terminal, plain lines elsewhere, nothing where unwanted."""

import io
import os
import pty
import select
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from fake_clock import FakeClock
from rich.console import Console
from studio import Studio, job_named, open_studio

from kirin_batch.cli.money import usd
from kirin_batch.cli.progress import open_display
from kirin_batch.cli.progress_live import LiveDisplay, shorten
from kirin_batch.cli.shared import Shared
from kirin_batch.scheduler.observer import Stage

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
PATIENCE_SECONDS = 10.0


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text("version: 1\npoll: {min: 0.05, max: 0.1}\n")
        studio.prompts(one="a", two="forbidden-content")
        yield studio


class Terminal:
    """A terminal of 80 by 24 that a command writes to, as a script sees it."""

    def __init__(self, studio: Studio, *arguments: str, **environment: str) -> None:
        self.text = ""
        self._ours, theirs = pty.openpty()
        self.process = studio.start(*arguments, terminal=theirs, **{"TERM": "xterm-256color", **environment})
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

    def end(self) -> int:
        """Read the rest; the exit code."""
        self.read_until("")
        os.close(self._ours)
        return self.process.wait(PATIENCE_SECONDS)


def test_a_terminal_shows_a_display_and_gets_it_cleared_away(studio: Studio) -> None:
    studio.holds_time = True
    terminal = Terminal(studio, "run")
    terminal.read_until("film:one")
    terminal.read_until("running")
    studio.holds_time = False
    assert terminal.end() == 1
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) == 1
    assert "slots: image 1/10" in terminal.text
    after = terminal.text.rpartition(SHOW_CURSOR)[2]
    assert "1 completed, 1 failed; this run cost $0.0140" in after
    assert "\x1b[31mfailed" in after


def test_an_interrupt_gives_the_terminal_back(studio: Studio) -> None:
    studio.holds_time = True
    terminal = Terminal(studio, "run", "--job", "one")
    terminal.read_until("running")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "left for the next run" in terminal.text.rpartition(SHOW_CURSOR)[2]


@pytest.mark.parametrize(
    ("arguments", "environment", "has_display", "has_colour"),
    [
        ((), {"NO_COLOR": "1"}, True, False),
        (("--no-color",), {}, True, False),
        ((), {"CI": "true"}, False, True),
        ((), {"TERM": "dumb"}, False, True),
    ],
)
def test_a_terminal_may_refuse_colours_and_motion(
    studio: Studio, arguments: tuple[str, ...], environment: dict[str, str], *, has_display: bool, has_colour: bool
) -> None:
    terminal = Terminal(studio, "run", "-v", *arguments, **environment)
    assert terminal.end() == 1
    assert (HIDE_CURSOR in terminal.text) is has_display
    assert ("\x1b[31m" in terminal.text or "\x1b[32m" in terminal.text) is has_colour
    assert "1 completed, 1 failed" in terminal.text


def test_without_a_terminal_there_are_plain_lines(studio: Studio) -> None:
    ran = studio.run("run")
    assert ran.err.splitlines()[0] == "2 of 2 jobs have something to do"
    assert "film:two: failed: the prompt violates the content policy (1301)" in ran.err
    assert "\x1b" not in ran.out + ran.err


def test_quiet_is_one_line_and_verbose_tells_all(studio: Studio) -> None:
    quiet = studio.run("run", "-q")
    assert (quiet.err, quiet.out.count("\n")) == ("", 1)
    studio.prompts(one="other")
    assert "film:one: completed" in studio.run("run", "-v").err
    assert "film:one" in studio.run("plan", "-v").out
    assert "film:one" not in studio.run("plan").out
    assert studio.run("plan", "-q").out == "1 orphan, 1 none: nothing to do\n"
    assert studio.run("status", "-q").out == "1 completed, 1 failed; cost $0.0140\n"


def test_the_counts_come_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    with open_display(Shared(), clock=clock) as display:
        display.began(3, working=3)
        display.measured({"image": (1, 10)}, Decimal("0.5"))
        clock.seconds += 11
        display.stepped(job_named("a:one"), Stage.RUNNING, "")
        display.stepped(job_named("a:two"), Stage.LEFT, "over budget")
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "3 of 3 jobs have something to do",
        "1 running, 2 waiting; $0.50",
        "a:two: left for the next run: over budget",
    ]


def test_a_small_terminal_is_never_overflown() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=50, height=14, force_terminal=True, color_system=None)
    with LiveDisplay(console=console) as display:
        display.began(40, working=40)
        for number in range(20):
            display.stepped(job_named(f"campaigns/autumn:poster[place=forest,n={number}]"), Stage.RUNNING, "50%")
        for number in range(10):
            stage = Stage.RETRYING if number % 2 else Stage.FAILED
            display.stepped(job_named(f"campaigns/autumn:poster[place=forest,n={number}]"), stage, "a long reason " * 9)
        display.measured({"image": (3, 10)}, Decimal("1.5"))
        lines = console.render_lines(display._draw())
    texts = ["".join(segment.text for segment in line).rstrip() for line in lines]
    assert len(lines) <= 14
    assert all(len(text) <= 50 for text in texts)
    assert any(text.endswith("more") for text in texts)
    assert texts[-1] == "slots: image 3/10   spent: $1.50   waiting: 20"


def test_a_completed_job_shows_what_it_cost() -> None:
    console = Console(file=io.StringIO(), width=80, height=24)
    with LiveDisplay(console=console) as display:
        display.began(1, working=1)
        display.stepped(job_named("a:one"), Stage.COMPLETED, "0.0140")
        display.stepped(job_named("a:two"), Stage.COMPLETED, "")
        with console.capture() as drawn:
            console.print(display._draw())
    assert "1 of 1 job has something to do\n✓ a:one  $0.0140\n✓ a:two\n" in drawn.get()


@pytest.mark.parametrize(
    ("text", "columns", "short"),
    [("short", 5, "short"), ("abcdefgh", 5, "ab…gh"), ("abcdefgh", 6, "ab…fgh"), ("abcdefgh", 1, "…")],
)
def test_long_ids_are_cut_in_the_middle(text: str, columns: int, short: str) -> None:
    assert shorten(text, columns) == short


@pytest.mark.parametrize(("amount", "told"), [("0", "$0.00"), ("0.028", "$0.0280"), ("0.1", "$0.10"), ("25", "$25.00")])
def test_money_has_as_many_digits_as_it_needs(amount: str, told: str) -> None:
    assert usd(Decimal(amount)) == told
