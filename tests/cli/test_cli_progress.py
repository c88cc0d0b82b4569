"""What people see while a run works: a display on a terminal, plain lines elsewhere, nothing where unwanted."""

import asyncio
import io
import itertools
import os
import pty
import select
import signal
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from fake_clock import FakeClock
from rich.console import Console
from studio import Studio, job_named, open_studio

from kirin_batch.cli.money import usd
from kirin_batch.cli.progress import open_display
from kirin_batch.cli.progress_live import LiveDisplay, shorten
from kirin_batch.cli.progress_text import kind_lines, plain_line, time_left
from kirin_batch.cli.shared import Shared
from kirin_batch.scheduler.observer import KindMeasures, Measures, Stage

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
    terminal.read_until("image  0 done  1 in flight  0 waiting  1 failed   slots  1/10")
    studio.holds_time = False
    assert terminal.end() == 1
    assert terminal.text.count(HIDE_CURSOR) == terminal.text.count(SHOW_CURSOR) == 1
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


def test_a_recovery_shows_how_far_it_is_if_there_is_anything_to_do(studio: Studio) -> None:
    studio.run("run", "--job", "one")
    terminal = Terminal(studio, "recover")
    assert terminal.end() == 1
    assert "1/1" in terminal.text
    studio.prompts(one="a")
    terminal = Terminal(studio, "recover")
    assert terminal.end() == 0
    assert terminal.text == "every job has a record: nothing to recover\r\n"


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


def standing(
    *, seconds_left: float | None = 230.0, reserved: str = "0.28", **kinds: tuple[int, int, int, int]
) -> Measures:
    """Where a run stands: of each kind those completed, in flight, waiting and failed."""
    return Measures(
        kinds={
            kind: KindMeasures(
                completed=done, in_flight=busy, waiting=waiting, failed=failed, slots_in_use=busy, slot_limit=10
            )
            for kind, (done, busy, waiting, failed) in kinds.items()
        },
        spent=Decimal("0.34"),
        reserved=Decimal(reserved),
        seconds_left=seconds_left,
    )


def test_a_line_of_counts_comes_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    with open_display(Shared(), clock=clock) as display:
        display.began(3, working=3, measure=lambda: standing(image=(1, 1, 0, 0), video=(0, 0, 1, 0)))
        for seconds in (9, 11, 12):
            clock.seconds = seconds
            display.stepped(job_named("a:one"), Stage.RUNNING, "")
        display.stepped(job_named("a:two"), Stage.LEFT, "over budget")
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "3 of 3 jobs have something to do",
        "1/3 done, 1 in flight, 1 waiting; $0.34 spent, $0.28 reserved; about 4 min left",
        "a:two: left for the next run: over budget",
    ]


def test_plain_lines_tell_each_reason_to_wait_once(capsys: pytest.CaptureFixture[str]) -> None:
    with open_display(Shared(), clock=FakeClock()) as display:
        for job in ("a:one", "a:two"):
            display.stepped(job_named(job), Stage.WAITING, "no slot left; again in 60 min")
    assert capsys.readouterr().err == "a:one: waiting for the gateway: no slot left; again in 60 min\n"


def test_a_plain_line_names_only_what_there_is() -> None:
    all_of_it = standing(image=(12, 10, 228, 1), video=(0, 0, 0, 0))
    assert plain_line(all_of_it) == (
        "12/251 done, 10 in flight, 228 waiting, 1 failed; $0.34 spent, $0.28 reserved; about 4 min left"
    )
    assert plain_line(standing(image=(2, 0, 0, 0), seconds_left=None, reserved="0")) == "2/2 done; $0.34 spent"


async def drawn(
    console: Console, steps: Sequence[tuple[str, Stage, str]], measures: Measures, *, working: int = 40
) -> list[str]:
    """The lines of a display after these steps; it measures on the event loop."""
    with LiveDisplay(console=console) as display:
        display.began(40, working=working, measure=lambda: measures)
        for job, stage, detail in steps:
            display.stepped(job_named(job), stage, detail)
        lines = console.render_lines(display._draw())
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


@pytest.mark.parametrize("width", [20, 40, 50, 100])
def test_a_small_terminal_is_never_overflown(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=14, force_terminal=True, color_system=None)
    names = [f"campaigns/autumn:poster[place=forest,n={number}]" for number in range(20)]
    ended = [(name, Stage.FAILED if at % 2 else Stage.RETRYING, "a long reason " * 9) for at, name in enumerate(names)]
    steps = [*((name, Stage.RUNNING, "50%") for name in names), *ended[:10]]
    measures = standing(image=(1200, 10, 22800, 10), video=(0, 5, 20, 0))
    texts = asyncio.run(drawn(console, steps, measures))
    assert len(texts) <= 14
    assert all(len(text) <= width for text in texts)
    assert any(text.endswith("more") for text in texts)
    assert any(text.startswith("image") for text in texts)


def test_a_display_counts_each_kind_in_columns_and_tells_money_and_time() -> None:
    console = Console(file=io.StringIO(), width=100, height=24)
    measures = standing(image=(12, 10, 228, 1), video=(0, 5, 2, 0), sound=(0, 0, 0, 0))
    *_, images, films, _bar, facts = asyncio.run(drawn(console, (), measures))
    assert images == "image   12 done  10 in flight  228 waiting   1 failed   slots 10/10"
    assert films == "video    0 done   5 in flight    2 waiting   0 failed   slots  5/10"
    assert facts == "spent $0.34, reserved $0.28   about 4 min left"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (65, "image  12 done  10 in flight   3 waiting   1 failed   slots 10/10"),
        (64, "image  12 done  10 in flight   1 failed   slots 10/10"),
        (40, "image  12 done  10 in flight   1 failed"),
        (26, "image  12 done   1 failed"),
        (5, "image"),
    ],
)
def test_a_narrow_terminal_shows_what_tells_most(columns: int, line: str) -> None:
    assert list(kind_lines(standing(image=(12, 10, 3, 1)), columns=columns)) == [line]


def test_a_display_looks_again_by_itself() -> None:
    async def watch() -> list[str]:
        looks, looked_again = itertools.count(), asyncio.Event()

        def measure() -> Measures:
            done = min(next(looks), 1)
            asyncio.get_running_loop().call_soon(looked_again.set if done else int)
            return standing(image=(done, 1 - done, 0, 0))

        with LiveDisplay(console=Console(file=io.StringIO(), width=80)) as display:
            display.began(1, working=1, measure=measure)
            await asyncio.wait_for(looked_again.wait(), PATIENCE_SECONDS)
            return list(kind_lines(display._measures or standing(), columns=80))

    assert asyncio.run(watch()) == ["image  1 done  0 in flight  0 waiting  0 failed   slots  0/10"]


def test_a_completed_job_shows_what_it_cost() -> None:
    console = Console(file=io.StringIO(), width=80, height=24)
    steps = [("a:one", Stage.COMPLETED, "0.0140"), ("a:two", Stage.COMPLETED, "")]
    texts = asyncio.run(drawn(console, steps, standing(image=(2, 0, 0, 0)), working=1))
    assert texts[:3] == ["1 of 40 jobs have something to do", "✓ a:one  $0.0140", "✓ a:two"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under a minute left"),
        (59.9, "under a minute left"),
        (60, "about 1 min left"),
        (181, "about 4 min left"),
        (3540, "about 59 min left"),
        (3600, "about 1 h left"),
        (8000, "about 2 h 10 min left"),
        (35990, "about 10 h left"),
        (108000, "about 30 h left"),
    ],
)
def test_the_time_left_is_told_as_exactly_as_it_is_known(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


@pytest.mark.parametrize(
    ("text", "columns", "short"),
    [("short", 5, "short"), ("abcdefgh", 5, "ab…gh"), ("abcdefgh", 6, "ab…fgh"), ("abcdefgh", 1, "…")],
)
def test_long_ids_are_cut_in_the_middle(text: str, columns: int, short: str) -> None:
    assert shorten(text, columns) == short


@pytest.mark.parametrize(("amount", "told"), [("0", "$0.00"), ("0.028", "$0.0280"), ("0.1", "$0.10"), ("25", "$25.00")])
def test_money_has_as_many_digits_as_it_needs(amount: str, told: str) -> None:
    assert usd(Decimal(amount)) == told
