"""Problems for people: each with the line of its file and a caret under the place, whatever stands in that line."""

import os
import pty
from pathlib import Path

import pytest
from studio import Studio

from kirin_batch.cli.problems_source import Excerpt, SourceLines
from kirin_batch.problems import Problem, Severity
from kirin_batch.project import Project

WRONG = "version: 1\ndefaults: {model: kirin_v2_image}\njobs:\n"


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    return Studio(tmp_path, capsys)


def shown(studio: Studio, jobs: str) -> list[str]:
    """The lines that `validate` prints for the first problem of these jobs, below the problem itself."""
    studio.spec(WRONG + jobs)
    _, *lines = studio.run("validate").out.splitlines()
    return lines[:2]


def test_the_caret_stands_below_the_place_that_is_meant(studio: Studio) -> None:
    assert shown(studio, "  one: {params: {prompt: a, n: 99}}") == [
        "  4 |   one: {params: {prompt: a, n: 99}}",
        "    |                                ^",
    ]


CARETS = [
    pytest.param("狐と猫", 3, id="wide characters take two columns"),
    pytest.param("cafe\u0301", -1, id="combining marks take none"),
    pytest.param("a\tb", 3, id="tabs take four"),
    pytest.param("\u202e\u2066", 2 * 5, id="what turns the text round is shown by its code"),
    pytest.param("👩\u200d🚀", 1 + 5 + 1, id="joiners are shown by their code"),
]


@pytest.mark.parametrize(("prompt", "more_columns"), CARETS)
def test_the_caret_stands_right_whatever_is_before_it(studio: Studio, prompt: str, more_columns: int) -> None:
    before = f"  one: {{params: {{prompt: '{prompt}', n: "
    line, caret = shown(studio, f"{before}99}}}}")
    assert caret == f"    | {' ' * (len(before) + more_columns)}^"
    assert all(char.isprintable() for char in line)


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_are_found_however_they_end_and_a_mark_of_byte_order_is_no_column(studio: Studio, break_: str) -> None:
    text = WRONG + "  one: {params: {prompt: a, n: 99}}"
    path = studio.spec(text)
    path.write_bytes(f"\ufeff{text}".replace("\n", break_).encode())
    assert studio.run("validate").out.splitlines()[1:3] == [
        "  4 |   one: {params: {prompt: a, n: 99}}",
        "    |                                ^",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (3, 900, f"  4 |   one: {{params: {{prompt: xxx, n: 99}}}} # {'x' * 33}…"),
        (900, 0, f"  4 | …{'x' * 43}, n: 99}}}} #"),
        (900, 900, f"  4 | …{'x' * 43}, n: 99}}}} # {'x' * 17}…"),
    ],
    ids=["at its end", "at its start", "on both sides"],
)
def test_a_long_line_is_cropped_around_the_caret(studio: Studio, before: int, after: int, expected: str) -> None:
    line, caret = shown(studio, f"  one: {{params: {{prompt: {'x' * before}, n: 99}}}} # {'x' * after}")
    assert line == expected
    assert len(line) <= 80
    assert line[caret.index("^") :].startswith("99")


def test_a_line_is_as_long_as_the_terminal_is_wide(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    line, _ = shown(studio, f"  one: {{params: {{prompt: {'狐' * 60}, n: 99}}}}")
    assert line == f"  4 | …{'狐' * 11}, n: 99}}}}"
    monkeypatch.setenv("COLUMNS", "3")
    assert len(shown(studio, f"  one: {{params: {{n: 99, prompt: {'x' * 60}}}}}")[0]) == 40


def test_a_heap_of_marks_upon_one_character_is_cropped_too(studio: Studio) -> None:
    marks = "\u0301" * 500
    line, caret = shown(studio, f"  one: {{params: {{prompt: a{marks}, n: 99}}}} # a{marks}")
    assert len(line) < 200
    assert line.replace("\u0301", "") == "  4 | …, n: 99}} # a…"
    assert line.replace("\u0301", "")[caret.index("^") :].startswith("99")


def test_nothing_in_a_spec_moves_the_terminal(studio: Studio) -> None:
    studio.spec('version: 1\njobs: {"a\\e[31m\\x9b": {model: "\\e]0;x\\a"}}', "one")
    studio.spec("version: 1\njobs: {a: {model: \x1b[31m}}", "two")
    (studio.root / "specs" / "\x1b[31mthree\n.yaml").write_text("version: 1\njobs: {}")
    told = studio.run("validate", "--format", "text").out
    assert told.count("error: ") == 3
    assert all(line.isprintable() for line in told.splitlines())
    assert "  2 | jobs: {a: {model: \\x1b[31m}}" in told
    assert "specs/\\x1b[31mthree\\n.yaml:1:1: error: " in told


def test_what_has_no_line_is_told_without_one(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("the secret")
    studio.spec("version: 1\njobs: {}", "fine")
    (studio.root / "specs" / "link.yaml").symlink_to(outside)
    told = studio.run("validate").out
    assert told.splitlines()[-1] == "0 jobs in 2 files: 1 error, 0 warnings"
    assert len(told.splitlines()) == 2
    assert "the secret" not in told


def test_what_cannot_be_read_in_reason_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(65 * 1024 * 1024)  # takes no room on disk
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    lines = SourceLines(Project(tmp_path))
    for name in ("pipe.yaml", "huge.yaml", "loop.yaml", "gone.yaml", "no\0name.yaml"):
        assert lines.excerpt(Problem(name, 1, 1, Severity.ERROR, "file", ""), columns=80) is None


def test_a_place_beyond_the_file_as_it_is_now_is_its_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("short")
    lines = SourceLines(Project(tmp_path))
    assert lines.excerpt(Problem("a.yaml", 1, 99, Severity.ERROR, "x", ""), columns=80) == Excerpt("short", 5)
    assert lines.excerpt(Problem("a.yaml", 2, 1, Severity.ERROR, "x", ""), columns=80) is None


def test_a_text_that_is_no_utf_8_and_an_empty_one_are_shown_as_far_as_they_go(studio: Studio) -> None:
    (studio.spec("")).write_bytes(b"version: \xff")
    assert studio.run("validate").out.splitlines()[1:3] == ["  1 | version: \ufffd", "    |          ^"]
    (studio.spec("")).write_bytes(b"")
    assert studio.run("validate").out.splitlines()[1:3] == ["  1 |", "    | ^"]


def test_many_problems_are_all_printed_and_quiet_prints_the_summary_alone(studio: Studio) -> None:
    studio.spec(WRONG + "\n".join(f"  j{n}: {{params: {{prompt: a, n: 99}}}}" for n in range(300)))
    lines = studio.run("validate").out.splitlines()
    assert (len(lines), sum("error:" in line for line in lines)) == (901, 300)
    assert studio.run("validate", "-q").out.splitlines() == [lines[-1]]


@pytest.mark.parametrize("command", ["plan", "run"])
def test_other_commands_tell_problems_alike_on_stderr(studio: Studio, command: str) -> None:
    studio.spec(WRONG + "  one: {params: {prompt: a, n: 99}}")
    told = studio.run("validate").out.splitlines()
    ran = studio.run(command)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [*told[:-1], "error: the specs have 1 error: nothing was sent"]
    assert studio.run(command, "-q").err == "error: the specs have 1 error: nothing was sent\n"


@pytest.mark.parametrize("arguments", [(), ("-C", "..")], ids=["below its root", "by -C"])
def test_a_wrong_kirin_yaml_is_shown_too(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nlimits: {image: 0}")
    (studio.root / "specs").mkdir()
    monkeypatch.chdir(studio.root / "specs")
    lines = studio.run("validate", *arguments).out.splitlines()
    assert lines[0].startswith("kirin.yaml:2:17: error: ")
    assert lines[1:3] == ["  2 | limits: {image: 0}", "    |                 ^"]


def test_colours_are_for_terminals_alone(studio: Studio) -> None:
    studio.spec(WRONG + "  one: {params: {prompt: a, n: 99}}")
    assert "\x1b" not in studio.run("validate").out
    coloured, plain = (on_terminal(studio, "validate", *more) for more in ((), ("--no-color",)))
    assert "\x1b[31m\x1b[1m^\x1b[0m" in coloured
    assert plain.replace("\r\n", "\n") == studio.run("validate").out


def on_terminal(studio: Studio, *arguments: str) -> str:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    with studio.start(*arguments, terminal=theirs) as process:
        os.close(theirs)
        process.wait(20)
    told = os.read(ours, 65536).decode()  # less than a terminal keeps for its reader
    os.close(ours)
    return told
