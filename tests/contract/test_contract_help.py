"""Every command's help: a usage line, examples that the program understands, and lines that fit a terminal."""

import re
import shlex
from pathlib import Path

import click
import pytest
from command_tree import COMMANDS

from kirin_batch.cli.main import cli, run_command_line

EXAMPLE = re.compile(r"^ +(?:[A-Z_]+=\S+ |eval \"\$\()*kirin-batch (?P<words>.+)$", re.MULTILINE)
OTHERS = re.compile(r" (?:\|\|?|&&|>|\\$)|\)\"$")  # what follows is for the shell, or for other programs
REMARK = re.compile(r"  +\(.*\)$")


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Parse a command line, and do nothing. Raises click.UsageError."""
    with command.make_context(command.name or "kirin-batch", words, parent=parent) as ctx:
        if isinstance(command, click.Group):
            _, inner, rest = command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
            assert inner
            parse(inner, rest, ctx)


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_has_usage_and_examples_in_80_columns(
    names: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line([*names, option]) == 0
    told = capsys.readouterr()
    assert (told.err, told.out.splitlines()[0][: len("Usage: ")]) == ("", "Usage: ")
    assert [line for line in told.out.splitlines() if len(line) > 80] == []
    assert "Examples:" in told.out


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_each_example_is_understood(names: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line([*names, "--help"])
    Path("plan.json").touch()  # examples read it
    examples = [match["words"] for match in EXAMPLE.finditer(capsys.readouterr().out)]
    assert examples
    for example in examples:
        parse(cli, shlex.split(OTHERS.split(REMARK.sub("", example))[0]))


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--version"]) == 0
    assert re.fullmatch(r"kirin-batch \d+\.\d+\S*\n", capsys.readouterr().out)


def test_the_program_alone_tells_its_commands_and_that_one_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line([])
    told = capsys.readouterr()
    assert (code, all(names[0] in told.out + told.err for names in COMMANDS if names)) == (2, True)
