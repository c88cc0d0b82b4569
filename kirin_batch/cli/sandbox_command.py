"""`kirin-batch sandbox`: serves a gateway on loopback until it is interrupted."""

import asyncio
import json
import signal

import click

from kirin_batch.errors import ExitCode
from kirin_batch.sandbox import Sandbox, SandboxSettings

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch sandbox --port 8765 --speed 20
  KIRIN_BASE_URL=http://127.0.0.1:8765 KIRIN_API_KEY=any kirin-batch run

A prompt that holds `forbidden-content` is refused, one that holds
fail-006001094, fail-006001095 or fail-006001099 fails with that code.
"""


@click.command("sandbox", epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks a free one.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times faster than life tasks end.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same latencies.")
@click.option("--image-slots", type=click.IntRange(min=1), default=10, show_default=True, help="The account's slots.")
@click.option("--video-slots", type=click.IntRange(min=1), default=5, show_default=True, help="The account's slots.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="The URL as it is, or in a document."
)
def command(  # noqa: PLR0913 - one argument an option
    *, host: str, port: int, speed: float, seed: int, image_slots: int, video_slots: int, form: str
) -> int:
    """Serve a gateway on loopback that behaves like the real one and bills nothing.

    The first line on stdout is its base URL. It serves until it is interrupted; any key but `wrong` is accepted.
    """
    slots = {"image": image_slots, "video": video_slots}
    settings = SandboxSettings(host=host, port=port, speed=speed, seed=seed, limits=slots)
    asyncio.run(_serve(settings, is_json=form == "json"))
    return ExitCode.DONE


async def _serve(settings: SandboxSettings, *, is_json: bool) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, ended.set)
    async with Sandbox(settings) as sandbox:
        url = sandbox.base_url
        click.echo(json.dumps({"url": url}) if is_json else url)  # click flushes, so whoever started us may go on
        click.echo("serving until interrupted; any key but `wrong` is accepted", err=True)
        await ended.wait()
