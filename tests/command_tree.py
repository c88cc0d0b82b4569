"""All commands of the program, by their words: `("lock", "check")`; the program itself has none."""

import click

from kirin_batch.cli.main import cli

__all__ = ["COMMANDS"]


def _below(command: click.Command, *names: str) -> list[tuple[str, ...]]:
    found = [names]
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner
            found += _below(inner, *names, name)
    return found


COMMANDS = _below(cli)
