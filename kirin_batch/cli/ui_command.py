"""`kirin-batch ui`: serves the live page of what is recorded until it is interrupted."""

import asyncio
import signal
import webbrowser
from functools import partial
from pathlib import Path

import click

from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.commands.ui import serve_records
from kirin_batch.commands.workspace import open_workspace
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch ui --open
  kirin-batch ui --port 8080 specs/launch.yaml
  kirin-batch ui -C ../fair --tag film

\b
`kirin-batch run --ui` serves the same page with slots, money and time left.
"""


@click.command("ui", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks a free one.")
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@selection_options
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...], *, port: int, opens: bool) -> int:
    """Serve a page of prompts, results and costs on loopback, which follows a run in another process.

    The first line on stdout is its URL, which holds a secret: whoever has it sees the results. Serves until it is
    interrupted; sends nothing, and writes only previews.
    """
    asyncio.run(_serve(shared, paths, port=port, opens=opens))
    return ExitCode.DONE


async def _serve(shared: Shared, paths: tuple[Path, ...], *, port: int, opens: bool) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    workspace = shared.workspace(paths)

    def tell(url: str) -> None:
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signal_number, ended.set)
        if shared.is_json:
            shared.print_json({"url": url})
        else:
            click.echo(url)  # click flushes, so whoever started us may go on
        shared.print_note("serving until interrupted")
        if opens and not webbrowser.open(url):
            shared.print_note(f"note: no browser could be started; open {url}")

    await serve_records(
        workspace,
        shared.selection(paths),
        reopen=partial(open_workspace, workspace.project, paths),
        port=port,
        on_listening=tell,
        ended=ended,
    )
