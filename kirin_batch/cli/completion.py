"""Completion in shells: click's own, over a copy of the commands that takes a tenth of the time to import.

The copy is `completion_table.json`; `tests/completion_table.py` writes it, and a test holds it to the commands.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from kirin_batch.cli.completion_names import NAMES
from kirin_batch.errors import ExitCode

__all__ = ["SHELLS", "complete", "completion_script"]

_VARIABLE = "_KIRIN_BATCH_COMPLETE"  # as `main` looks for it
_PROGRAM = "kirin-batch"
_TABLE = Path(__file__).with_name("completion_table.json")
_SPECIAL = re.compile(r"([^\w@%+=:,./-])")  # to bash, where nothing is quoted
_SPECIAL_IN_QUOTES = re.compile(r'([$`"\\])')
_UNQUOTABLE = {"'": "'", '"': "!"}  # by the open quote, what no backslash helps there: `!` calls up the history
_CLOSED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^'"\\]""")  # what opens no quotation that goes on
_END = "."  # of what is typed: it belongs to the last word, whatever is quoted there

# click's own script splits where bash does, at each `:` and `=`, of which ids of jobs are full.
_BASH = """\
%(complete_func)s() {
    local -a found
    mapfile -t found < <(
        COMP_LINE="${COMP_LINE:0:${COMP_POINT:-${#COMP_LINE}}}" COMP_REPLACED="${2-${COMP_WORDS[COMP_CWORD]-}}" \\
            %(complete_var)s=bash_complete "${1:-%(prog_name)s}" 2>/dev/null
    )
    COMPREPLY=()
    case "${found[0]-}" in
        dir,*) compopt -o dirnames ;;
        file,*) compopt -o default ;;
        plain,*) COMPREPLY=("${found[@]#plain,}") ;;
    esac
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

# click's own script cuts a name at its second comma, and loses options that are options of `echo` too.
_FISH = """\
function %(complete_func)s
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \
COMP_CWORD=(commandline -ct) %(prog_name)s 2>/dev/null)
        set -l found (string split --max 1 "," -- $line)
        switch $found[1]
            case dir
                __fish_complete_directories $found[2]
            case file
                __fish_complete_path $found[2]
            case plain
                printf '%%s\\n' $found[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Completer(ShellComplete):
    """Offers whole words, `--job=` included where it is typed, without any that would move a terminal."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        name, equals, _ = incomplete.partition("=")
        before = name + equals if equals and name.startswith("-") else ""
        items = super().get_completions(args, incomplete)
        return [CompletionItem(before + item.value, item.type, item.help) for item in items if item.value.isprintable()]


class _Bash(_Completer, BashComplete):
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE")
        if line is None:
            return super().get_completion_args()
        *args, last = split_arg_string(line + _END)
        return args[1:], last.removesuffix(_END)

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Only what is to stand in place of the part of the word that bash takes for the whole one, quoted."""
        items = super().get_completions(args, incomplete)
        line, replaced = os.environ.get("COMP_LINE"), os.environ.get("COMP_REPLACED")
        if line is None or replaced is None:
            return items
        part = " ".join(split_arg_string(replaced + _END)).removesuffix(_END)
        stays = len(incomplete) - len(part) if incomplete.endswith(part) else 0
        quote = _open_quote(line)
        return [
            CompletionItem(_quoted(item.value[stays:], quote) if item.type == "plain" else item.value, item.type)
            for item in items
            if _UNQUOTABLE.get(quote, "\0") not in item.value
        ]


class _Zsh(_Completer, ZshComplete):
    pass


class _Fish(_Completer, FishComplete):
    source_template = _FISH


SHELLS: Mapping[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
"""What completes, by the name of the shell."""


def completion_script(shell: str) -> str:
    """The script that makes a shell ask the program."""
    return SHELLS[shell](click.Group(), {}, _PROGRAM, _VARIABLE).source()


def complete(instruction: str) -> int:
    """Print what a shell asks for: `bash_complete`, by the variables that its script sets, or `bash_source`."""
    shell, _, wanted = instruction.partition("_")
    if shell not in SHELLS or wanted not in {"source", "complete"}:
        return ExitCode.FAILED
    if wanted == "source":
        click.echo(completion_script(shell).encode(), nl=False)
        return ExitCode.DONE
    try:
        told = SHELLS[shell](_commands(), {}, _PROGRAM, _VARIABLE).complete()
    except (KeyError, ValueError):  # variables that are not there, or no numbers
        return ExitCode.FAILED
    click.echo(told.encode())
    return ExitCode.DONE


def _open_quote(line: str) -> str:
    """The quotation mark that is open at the end of a line, if one is."""
    return _CLOSED.sub("", line)[:1].strip("\\")


def _quoted(text: str, quote: str) -> str:
    """The text as bash reads it where `quote` is open."""
    if quote == "'":
        return text
    return (_SPECIAL_IN_QUOTES if quote else _SPECIAL).sub(r"\\\1", text)


def _commands() -> click.Command:
    return _command(_PROGRAM, orjson.loads(_TABLE.read_bytes()))


def _command(name: str, shape: Mapping[str, Any]) -> click.Command:
    params = [_param(each) for each in shape["params"]]
    if "commands" not in shape:
        return click.Command(name, params=params, short_help=shape["help"])
    commands = [_command(inner, each) for inner, each in shape["commands"].items()]
    names = {"help_option_names": ["-h", "--help"]}
    return click.Group(name, commands=commands, params=params, short_help=shape["help"], context_settings=names)


def _param(shape: Mapping[str, Any]) -> click.Parameter:
    kind = _KINDS.get(shape["kind"]) or click.Choice(shape.get("choices", ()))
    if "opts" not in shape:
        return click.Argument([shape["name"]], type=kind, nargs=shape["nargs"], required=False)
    names, is_flag = [shape["name"], *shape["opts"]], shape["kind"] == "flag"
    if is_flag:
        return click.Option(names, is_flag=True, help=shape["help"])
    return click.Option(names, type=kind, multiple=shape.get("multiple", False), help=shape["help"])


_KINDS: Mapping[str, click.ParamType[Any]] = {
    **NAMES,
    "file": click.Path(),
    "folder": click.Path(file_okay=False),
    "flag": click.BOOL,
    "text": click.STRING,
}
