"""The commands and their options as shells complete them: `python tests/completion_table.py` writes the table anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import kirin_batch.cli.completion
from kirin_batch.cli.completion_names import NAMES
from kirin_batch.cli.main import cli

__all__ = ["TABLE", "table"]

TABLE = Path(kirin_batch.cli.completion.__file__).with_name("completion_table.json")


def table() -> str:
    """The table as it should be: JSON with a line for each parameter."""
    return "\n".join(_lines(_shape(cli, ""), ""))


def _lines(shape: dict[str, Any], indent: str) -> Iterator[str]:
    yield f'{indent}{{"help": {_json(shape["help"])}, "params": ['
    params = [f"{indent}  {_json(param)}" for param in shape["params"]]
    yield from filter(None, [",\n".join(params)])
    if "commands" not in shape:
        yield f"{indent}]}}"
        return
    yield f'{indent}], "commands": {{'
    commands = [
        "\n".join([f"{indent}  {_json(name)}:", *_lines(inner, indent + "    ")])
        for name, inner in shape["commands"].items()
    ]
    yield ",\n".join(commands)
    yield f"{indent}}}}}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shape(command: click.Command, told: str) -> dict[str, Any]:
    params = [_param(param) for param in command.params if not getattr(param, "hidden", False)]
    shape: dict[str, Any] = {"help": told or command.get_short_help_str(limit=100), "params": params}
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        found = {name: command.get_command(ctx, name) for name in command.list_commands(ctx)}
        lines = getattr(command, "lines_of_help", {})
        shape["commands"] = {name: _shape(inner, lines.get(name, "")) for name, inner in found.items() if inner}
    return shape


def _param(param: click.Parameter) -> dict[str, Any]:
    shape: dict[str, Any] = {"name": param.name, "kind": _kind(param)}
    if isinstance(param.type, click.Choice):
        shape["choices"] = list(param.type.choices)
    if isinstance(param, click.Option):
        opts = [f"{one}/{other}" for one, other in zip(param.opts, param.secondary_opts, strict=False)]
        shape |= {"opts": opts or param.opts, "help": param.help or ""}
        return {**shape, "multiple": True} if param.multiple else shape
    return {**shape, "nargs": param.nargs}


def _kind(param: click.Parameter) -> str:
    # An option that may stand without its value takes the next word for one only if it is no path: `run --ui`.
    if isinstance(param, click.Option) and (param.is_flag or param.to_info_dict()["flag_value"] is not None):
        return "flag"
    match param.type:
        case click.Choice():
            return "choice"
        case kind if kind in NAMES.values():
            return next(name for name in NAMES if NAMES[name] is kind)
        case click.Path() as path:
            return "folder" if param.metavar == "DIR" or not path.file_okay else "file"
    return "text"


if __name__ == "__main__":
    TABLE.write_text(table() + "\n", encoding="utf-8")
