"""Completion in shells: what is offered, by whom it is asked, and that bash puts it on its line."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from completion_table import TABLE, table
from studio import CHECKOUT, Ran

from kirin_batch.cli.completion import SHELLS
from kirin_batch.cli.main import run_command_line

POSTER = "launch:poster[place={},ratio=16:9]"
HEAVY = {"aiohttp", "asyncio", "jinja2", "jsonschema", "jsonschema_rs", "PIL", "rich", "yaml"}
SPACED = "film art"
Ask = Callable[..., list[str]]
PROBE = f"""
import sys
from kirin_batch.cli.main import run_command_line
run_command_line([])
print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""


def job(name: str, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    spec = f"specs/{name.partition(':')[0]}.yaml"
    return {"job": name, "spec": spec, "model": "kirin_v2_image", "tags": [], "params": {"prompt": "a"}, **facts}


def write_manifest(root: Path, *jobs: dict[str, Any]) -> None:
    (root / ".kirin").mkdir(exist_ok=True)
    (root / ".kirin" / "manifest.json").write_text(json.dumps({"version": 1, "jobs": jobs}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose last run had five jobs; a spec that it has not read yet lies beside."""
    (tmp_path / "kirin.yaml").touch()
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "new.yaml").touch()
    write_manifest(
        tmp_path,
        job("launch:hero", model="mine", tags=["still", SPACED]),
        job(POSTER.format("city"), tags=["still"]),
        job(POSTER.format("forest")),
        job("deep/er:clip", model="\x1b[31mred", tags=["a\x07"]),
        job("launch:\x1b]0;title\x07"),
    )
    return tmp_path


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask as the script of bash does, for a line and the part of it that bash would replace."""

    def asked(line: str, part: str = "", **variables: str) -> list[str]:
        known = {"COMP_LINE": line, "COMP_REPLACED": part, "_KIRIN_BATCH_COMPLETE": "bash_complete", **variables}
        for name, value in known.items():
            monkeypatch.setenv(name, value)
        assert run_command_line([]) == 0
        told = capsys.readouterr()
        assert told.err == ""
        return [text.removeprefix("plain,") for text in told.out.splitlines() if text]

    return asked


def test_the_table_has_all_commands_and_options_as_they_are() -> None:
    assert TABLE.read_text(encoding="utf-8") == table() + "\n", "write it anew: python tests/completion_table.py"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kirin-batch pl", ["plan"]),
        ("kirin-batch lock ch", ["check"]),
        ("kirin-batch run --no-d", ["--no-download"]),
        ("kirin-batch plan --format j", ["json"]),
        ("kirin-batch show launch:h", ["launch:hero"]),
        ("kirin-batch run --resend deep", ["deep/er:clip"]),
        ("kirin-batch status --exclude her", ["hero"]),
        ("kirin-batch run --ui --job launch:h", ["launch:hero"]),
        ("kirin-batch plan --job=launch:h", ["--job=launch:hero"]),
        ("kirin-batch plan --tag s", ["still"]),
        ("kirin-batch plan --tag a", []),
        ("kirin-batch plan --model mi", ["mine"]),
        ("kirin-batch schema kirin_v3_i", ["kirin_v3_i2v"]),
        ("kirin-batch schema l", ["lock"]),
        ("kirin-batch validate specs/d", ["specs/deep/er.yaml"]),
        ("kirin-batch validate ./specs/n", ["./specs/new.yaml"]),
        ("kirin-batch validate other/", ["file,other/"]),
        ("kirin-batch init so", ["dir,so"]),
    ],
)
def test_names_are_offered_where_they_may_stand(ask: Ask, line: str, offered: list[str]) -> None:
    assert ask(line, line.rpartition(" ")[2]) == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kirin-batch plan --tag ", ["a\\$b\\'c", "a\\ \\$b"]),
        ("kirin-batch plan --tag 'a", ["a $b"]),
        ('kirin-batch plan --tag "a', ["a\\$b'c", "a \\$b"]),
        ("kirin-batch plan -C '.' --tag 'a' --tag \"a", ["a\\$b'c", "a \\$b"]),
    ],
)
def test_what_is_special_to_bash_is_quoted_as_the_quotes_that_are_open_ask_for(
    ask: Ask, tmp_path: Path, line: str, offered: list[str]
) -> None:
    write_manifest(tmp_path, job("launch:one", tags=["a$b'c", "a $b"]))
    typed = line.rpartition(" ")[2].lstrip("\"'")
    assert sorted(ask(line, typed)) == sorted(offered)


@pytest.mark.parametrize(("quote", "offered"), [("", ["go", "go\\!now"]), ("'", ["go", "go!now"]), ('"', ["go"])])
def test_what_bash_would_take_for_history_is_not_offered_where_it_cannot_be_quoted(
    ask: Ask, tmp_path: Path, quote: str, offered: list[str]
) -> None:
    write_manifest(tmp_path, job("launch:one", tags=["go!now", "go"]))
    assert sorted(ask(f"kirin-batch plan --tag {quote}g", "g")) == offered


@pytest.mark.usefixtures("project")
def test_no_name_is_offered_that_a_terminal_would_obey(ask: Ask) -> None:
    offered = [*ask("kirin-batch show "), *ask("kirin-batch plan --tag "), *ask("kirin-batch plan --model ")]
    assert {"launch:hero", "still", "mine"} <= set(offered)
    assert [name for name in offered if not name.isprintable()] == []


def test_another_project_and_a_folder_below_have_the_names_of_their_root(
    ask: Ask,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project / "specs")
    assert ask("kirin-batch plan --job launch:h", "launch:h") == ["launch:hero"]
    assert ask("kirin-batch plan la", "la") == ["launch.yaml"]
    monkeypatch.setenv("HOME", str(project.parent))
    monkeypatch.chdir("/")
    assert ask(f"kirin-batch plan -C ~/{project.name} --job launch:h", "launch:h") == ["launch:hero"]
    assert ask(f"kirin-batch plan -C {project} specs/l", "specs/l") == ["specs/launch.yaml"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"\xff", b"[]", b'{"jobs": 1}', b'{"jobs": [1, {"job": 2, "tags": "x"}, {"tags": [[]]}]}'],
)
def test_a_manifest_that_is_lost_or_broken_has_no_names(ask: Ask, project: Path, content: bytes | None) -> None:
    manifest = project / ".kirin" / "manifest.json"
    manifest.unlink()
    if content is not None:
        manifest.write_bytes(content)
    assert ask("kirin-batch show ") == []
    assert ask("kirin-batch schema kirin_v3_i", "kirin_v3_i") == ["kirin_v3_i2v"]


def test_of_many_jobs_those_of_a_matrix_are_one_until_their_axes_are_asked_for(ask: Ask, tmp_path: Path) -> None:
    write_manifest(tmp_path, *(job(f"launch:poster[n={number}]") for number in range(500)))
    assert ask("kirin-batch plan --job ", "") == ["launch:poster"]
    assert len(ask("kirin-batch plan --job launch:poster[n", "launch:poster[n")) == 500


@pytest.mark.parametrize("variables", [{}, {"COMP_WORDS": "kirin-batch pl"}, {"COMP_WORDS": "a", "COMP_CWORD": "x"}])
@pytest.mark.parametrize("shell", SHELLS)
def test_who_asks_amiss_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, variables: dict[str, str]
) -> None:
    for name, value in {"_KIRIN_BATCH_COMPLETE": f"{shell}_complete", **variables}.items():
        monkeypatch.setenv(name, value)
    run_command_line([])
    told = capsys.readouterr()
    assert (told.err, "Traceback" in told.out) == ("", False)
    monkeypatch.setenv("_KIRIN_BATCH_COMPLETE", f"{shell}_nonsense")
    assert run_command_line([]) == 1


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("shell", "word", "told"),
    [
        ("bash", "1", "plain,plan\n"),
        ("zsh", "1", "plain\nplan\nTell what a run would do and cost, and why.\n"),
        ("fish", "pl", "plain,plan\tTell what a run would do and cost, and why.\n"),
    ],
)
def test_the_protocol_of_click_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, word: str, told: str
) -> None:
    variables = {"COMP_WORDS": "kirin-batch pl", "COMP_CWORD": word}
    for name, value in {"_KIRIN_BATCH_COMPLETE": f"{shell}_complete", **variables}.items():
        monkeypatch.setenv(name, value)
    assert run_command_line([]) == 0
    assert capsys.readouterr().out == told


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_whole_ids_with_the_option_that_they_are_joined_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    typed = "--job=launch:poster[place=c"
    variables = {"COMP_WORDS": f"kirin-batch run '{typed}", "COMP_CWORD": "2" if shell == "zsh" else typed}
    for name, value in {"_KIRIN_BATCH_COMPLETE": f"{shell}_complete", **variables}.items():
        monkeypatch.setenv(name, value)
    run_command_line([])
    assert f"--job={POSTER.format('city')}" in capsys.readouterr().out


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    code = run_command_line(arguments)
    told = capsys.readouterr()
    return Ran(code, told.out, told.err)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_its_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    ran = call(capsys, "completion", shell)
    assert (ran.code, f"{shell}_complete" in ran.out) == (0, True)
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    checked = subprocess.run([path, "-n"], input=ran.out, capture_output=True, text=True, check=False)  # noqa: S603 - a shell that only reads
    assert (checked.returncode, checked.stderr) == (0, "")


def test_an_unknown_shell_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "completion", "csh").code == 2


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kirin-batch` as shells find it."""
    folder = tmp_path.parent / f"{tmp_path.name}-bin"
    folder.mkdir()
    (folder / "kirin-batch").write_text(f'#!/bin/sh\nexec {sys.executable} -m kirin_batch "$@"\n')
    (folder / "kirin-batch").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))


def test_it_imports_nothing_heavy(project: Path, program: None) -> None:  # noqa: ARG001 - both are its surroundings
    line = {
        "COMP_LINE": "kirin-batch run --job launch:h",
        "COMP_REPLACED": "h",
        "_KIRIN_BATCH_COMPLETE": "bash_complete",
    }
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PROBE], env={**os.environ, **line}, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("plain,hero\n", "\n")


class Terminal:
    """A bash that people type into, which has the script."""

    def __init__(self) -> None:
        self._descriptor, end = pty.openpty()
        arguments = ["bash", "--norc", "--noprofile", "-i"]
        self._bash = subprocess.Popen(arguments, stdin=end, stdout=end, stderr=end, start_new_session=True)  # noqa: S603 - see above
        os.close(end)
        self.type("PS1='> '; bind 'set bell-style none'; eval \"$(kirin-batch completion bash)\"; echo RE''ADY\n")
        self.wait_for("READY")

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def wait_for(self, text: str) -> str:
        """What is shown until `text` is."""
        shown, end = "", time.monotonic() + 20
        while text not in shown:
            assert time.monotonic() < end, f"{text} is not in {shown!r}"
            if select.select([self._descriptor], [], [], 0.2)[0]:
                shown += os.read(self._descriptor, 4096).decode(errors="replace")
        return shown

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait()
        os.close(self._descriptor)


@pytest.fixture
def terminal(project: Path, program: None) -> Iterator[Terminal]:  # noqa: ARG001 - both are its surroundings
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    opened = Terminal()
    yield opened
    opened.close()


def test_bash_completes_ids_though_it_splits_them_at_colons_and_equals_signs(terminal: Terminal) -> None:
    typed = {
        "show launch:h": "launch:hero ",
        "show launch:poster[place=c": "launch:poster[place=city,ratio=16:9\\] ",
        "show launch:poster\\[place=f": "launch:poster\\[place=forest,ratio=16:9\\] ",
        "show 'launch:poster[place=c": "'launch:poster[place=city,ratio=16:9]' ",
        'run --job "launch:poster[place=f': '"launch:poster[place=forest,ratio=16:9]" ',
        "run --job=launch:h": "--job=launch:hero ",
        "plan --tag fi": "--tag film\\ art ",
        "plan specs/n": "specs/new.yaml ",
    }
    for line, completed in typed.items():
        terminal.type(f"kirin-batch {line}\t")
        terminal.wait_for(completed)
        terminal.type("\x15")  # forgets the line


def test_the_function_itself_replies_with_what_bash_is_to_put_in_place_of_a_part(
    project: Path,  # noqa: ARG001 - its surroundings
    program: None,  # noqa: ARG001 - as above
) -> None:
    call_it = """
      eval "$(kirin-batch completion bash)"
      COMP_LINE="kirin-batch show launch:poster[place=ci"; COMP_POINT=${#COMP_LINE}
      COMP_WORDS=(kirin-batch show launch : "poster[place" = ci); COMP_CWORD=6
      _kirin_batch_completion kirin-batch ci =
      printf '%s\\n' "${COMPREPLY[@]}"
    """
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    done = subprocess.run([bash, "-uc", call_it], capture_output=True, text=True, check=True)  # noqa: S603 - a text of ours
    assert (done.stdout, done.stderr) == ("city,ratio=16:9\\]\n", "")
