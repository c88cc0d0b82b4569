"""The group of commands and the one error boundary. Imports nothing that `--help` does not need."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from kirin_batch import __version__
from kirin_batch.cli.terminal import printable
from kirin_batch.errors import ExitCode, KirinError

__all__ = ["cli", "run_command_line"]

_COMPLETION_VARIABLE = "_KIRIN_BATCH_COMPLETE"

_COMMANDS: Mapping[str, str] = {
    "init": "Make a project that runs at once.",
    "validate": "Check specs against every documented rule; no network.",
    "plan": "Tell what a run would do and cost, and why.",
    "run": "Generate what is missing, download and record it.",
    "status": "Tell what each job produced.",
    "show": "Tell all that is known of one job.",
    "fetch": "Download results that are recorded and missing.",
    "verify": "Compare every recorded result with its SHA-256.",
    "recover": "Rebuild a lost kirin.lock from the gateway, at no cost.",
    "whence": "Tell which job a file comes from.",
    "prune": "Forget jobs that no spec has any more.",
    "report": "Write a gallery of prompts, results and costs.",
    "ui": "Serve a page of results, which follows a run.",
    "schema": "Print a schema, or list the models.",
    "sandbox": "Serve a gateway on loopback that bills nothing.",
    "lock": "Check kirin.lock, or merge two: the git merge driver.",
    "completion": "Print what makes a shell complete commands, jobs and tags.",
}


class _Commands(click.Group):
    """Commands by name; a command's module is imported when it is called, its one line of help stands above."""

    lines_of_help = _COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"kirin_batch.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, which cannot suggest commands that it does not hold."""
        if args[0] not in _COMMANDS:
            raise click.NoSuchCommand(args[0], possibilities=_COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


EPILOG = """\b
Examples:
  kirin-batch validate
  kirin-batch plan specs/launch.yaml
  kirin-batch run --sandbox
  kirin-batch status --failed

The key of the gateway comes from KIRIN_API_KEY, or from a file that
KIRIN_API_KEY_FILE names. `kirin-batch COMMAND --help` tells more.
"""


@click.group(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kirin-batch", message="%(prog)s %(version)s")
def cli() -> None:
    """Declarative batches of generated images and films.

    Reads YAML specs, checks them, plans, and runs what is missing: nothing is paid twice, nothing paid is lost.
    """


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; errors become one message on stderr, bugs a file with the traceback."""
    try:
        if instruction := os.environ.get(_COMPLETION_VARIABLE):
            # Measured: it takes 13 ms to import, a fifth of the time that `--help` takes.
            from kirin_batch.cli.completion import complete  # noqa: PLC0415 - see above

            return complete(instruction)
        code = cli.main(list(arguments), prog_name="kirin-batch", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the boundary
        return _tell(error)
    except KeyboardInterrupt:
        return _tell(click.Abort())
    return code if isinstance(code, int) else ExitCode.DONE


def _tell(error: Exception) -> int:
    """Say what happened, and give its exit code."""
    match error:
        case click.ClickException():
            error.show()
            return ExitCode.USAGE
        case KirinError():
            click.echo(f"error: {printable(str(error))}", err=True)
            return error.exit_code
        case click.Abort():
            click.echo("interrupted; the same command goes on", err=True)
            return ExitCode.INTERRUPTED
        case _:
            click.echo(f"bug: {type(error).__name__}; please report it with {_keep_traceback()}", err=True)
            return ExitCode.FAILED


def _keep_traceback() -> Path:
    """Write the traceback to a file, without the key."""
    # Measured: these take 15 ms to import, a tenth of the time to validate a small project, and are for bugs alone.
    import tempfile  # noqa: PLC0415 - see above
    import traceback  # noqa: PLC0415 - see above

    text = f"kirin-batch {__version__}, Python {sys.version}\n\n{traceback.format_exc()}"
    for key in _keys():
        text = text.replace(key, "[key]")
    with tempfile.NamedTemporaryFile("w", prefix="kirin-batch-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(text)
    return Path(file.name)


def _keys() -> Iterator[str]:
    """The key, wherever it comes from."""
    yield from filter(None, [os.environ.get("KIRIN_API_KEY", "").strip()])
    # Not `credentials`, which may be what failed.
    with suppress(OSError, ValueError):
        yield from filter(None, [Path(os.environ.get("KIRIN_API_KEY_FILE", "")).read_text(encoding="utf-8").strip()])
