"""A reader of a page who does all that it says, in order: saves files, makes edits, types commands, compares answers.

Commands of this program alone are called in this process, which takes no time to start; all else goes to bash. In what
a page shows, `…` stands for any text of a line, and a line `...` for any lines.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from doc_pages import COMMANDS, FOLDERS, Block, Page
from studio import CHECKOUT

from kirin_batch.cli.main import run_command_line

__all__ = ["Command", "Reader", "Told"]

_QUOTED = re.compile(r"'[^']*'|\"[^\"$`\\]*\"")
_FOR_A_SHELL = re.compile(r"[|&;<>$`*?~()\\]")
_LONGEST_SECONDS = 60
_PRELUDE = 'kirin-batch() { "$PYTHON" -m kirin_batch "$@"; }\n'
_EPILOGUE = '\ncode=$?\npwd > "$FOLDER_AFTER"\nexit $code\n'


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page with what the page says it tells; None where it says nothing of that."""

    line: int
    text: str
    shown: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What a command told on stdout and stderr together, and its exit code."""

    text: str
    code: int


@dataclass(slots=True)
class Reader:
    """Reads in `home`, a folder of its own; `folder` is where commands are typed."""

    home: Path
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.home

    def read(self, page: Page) -> Iterator[str]:
        """Do what a page says; yields each fault in it, with its place."""
        for block in page.blocks():
            if begun := FOLDERS.keys() & block.notes.keys():
                yield from self._leave(page)
                self._begin(begun.pop(), block.notes)
            elif "not run" not in block.notes:
                yield from (f"{page}:{fault}" for fault in self._do(block))
        yield from self._leave(page)

    def call(self, command: str) -> Told:
        """Type one command."""
        bare = _QUOTED.sub("", command.partition(" #")[0])
        words = [] if _FOR_A_SHELL.search(bare) or "\n" in command else shlex.split(command, comments=True)
        return self._call_here(words[1:]) if words[:1] == ["kirin-batch"] else self._call_shell(command)

    def _begin(self, word: str, notes: Mapping[str, str]) -> None:
        source, target = FOLDERS[word]
        self.folder = self.home / notes[word]
        shutil.copytree(CHECKOUT / source, self.folder / target)

    def _leave(self, page: Page) -> Iterator[str]:
        """What is wrong with the specs that the reader leaves behind."""
        told = self.call("kirin-batch validate") if (self.folder / "specs").exists() else Told(": all valid\n", 0)
        if not told.text.endswith(": all valid\n"):
            yield f"{page}: leaves specs in {self.folder.name} of which is told\n{told.text}"

    def _do(self, block: Block) -> Iterator[str]:
        notes = block.notes
        if "file" in notes:
            self._save(notes["file"], block.text)
        elif "edit" in notes:
            self._edit(notes["edit"], block.text)
        elif "same as" in notes:
            there = (self.folder / notes["same as"]).read_text(encoding="utf-8")
            if yaml.safe_load(there) != yaml.safe_load(block.text):
                yield f"{block.line}: says something else than {notes['same as']}"
        elif block.language in COMMANDS:
            yield from self._type(block)

    def _save(self, path: str, text: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def _edit(self, path: str, diff: str) -> None:
        place = self.folder / path
        lines = diff.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        text = place.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{path} has not once what the diff takes away"
        place.write_text(text.replace(before, after), encoding="utf-8")

    def _type(self, block: Block) -> Iterator[str]:
        for command in commands_of(block):
            told = self.call(command.text)
            if told.code:
                yield f"{command.line}: $ {command.text}\nends with {told.code}\n{told.text}"
            elif command.shown is not None and not tells(told.text, command.shown):
                yield f"{command.line}: $ {command.text}\nis said to tell\n{command.shown}\nand tells\n{told.text}"

    def _call_here(self, arguments: list[str]) -> Told:
        told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = run_command_line(arguments)
        told.seek(0)
        return Told(told.read(), code)

    def _call_shell(self, command: str) -> Told:
        after = self.home / ".folder-after"
        environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(CHECKOUT),
            "FOLDER_AFTER": str(after),
            "TMPDIR": str(self.home),
        }
        done = subprocess.run(  # noqa: S603 - commands of our own pages
            ["bash", "-c", _PRELUDE + command + _EPILOGUE],  # noqa: S607 - the machine's bash
            cwd=self.folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        self.folder = Path(after.read_text(encoding="utf-8").rstrip("\n"))
        return Told(done.stdout, done.returncode)


def commands_of(block: Block) -> Iterator[Command]:
    """The commands of a block: its lines, joined where one ends in a backslash; in a console those behind `$ `."""
    lines = iter(enumerate(block.text.splitlines(), start=block.line + 1))
    is_console = block.language == "console"
    text, begun, shown = "", 0, ""
    for number, line in lines:
        if not is_console and (not line or line.startswith("#")):
            continue
        if is_console and not line.startswith("$ "):
            shown += f"{line}\n"
            continue
        if text:
            yield Command(begun, text, shown if is_console else None)
        text, begun, shown = line.removeprefix("$ ") if is_console else line, number, ""
        while text.endswith("\\"):
            text = f"{text}\n{next(lines)[1]}"
    if text:
        yield Command(begun, text, shown if is_console else None)


def tells(told: str, shown: str) -> bool:
    """Whether a command told what is shown, blanks at the ends of lines aside."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else ".*".join(map(re.escape, line.rstrip().split("…"))) + r"\n"
        for line in shown.splitlines()
    )
    lines = "".join(f"{line.rstrip()}\n" for line in told.splitlines())
    return re.fullmatch(pattern, lines) is not None
