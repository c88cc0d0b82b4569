"""What people are told, and asked, of canaries: jobs that go first, for which the others wait."""

import logging
import sys
from typing import Any

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import row_line
from kirin_batch.cli.screen import Screen
from kirin_batch.cli.shared import Shared
from kirin_batch.commands.canary import Canaries

__all__ = ["Question", "canaries_as_json", "held_back_line"]

logger = logging.getLogger("kirin_batch.run")


class Question:
    """Whether the jobs may be sent that waited for the canaries: asked on a terminal, else taken for granted."""

    def __init__(self, shared: Shared, screen: Screen, *, is_answered: bool) -> None:
        """`is_answered`: the user has said yes beforehand."""
        self._shared = shared
        self._screen = screen
        self._is_asked = not is_answered and sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, canaries: Canaries) -> bool:
        """Show the canaries and whether the others go; raises click.Abort for an interrupt."""
        self._screen.close()
        for row in canaries.rows if self._is_asked else ():
            self._shared.print_note(row_line(row))
        told = f"{_completed(canaries)} for {usd(canaries.spent)}"
        if self._is_asked:
            cost = canaries.held_back_cost
            price = "at an unknown price" if cost is None else f"for about {usd(cost)}"
            goes_on = click.confirm(f"{told}. Send the other {_jobs(canaries.held_back)} {price}?", err=True)
        else:
            goes_on = True
            if not self._shared.quiet:
                self._shared.print_note(f"{told}; going on with {_jobs(canaries.held_back)}")
        facts = {"canaries": len(canaries.rows), "spent": str(canaries.spent), "held_back": canaries.held_back}
        logger.info("canary", extra={"fields": {**facts, "released": goes_on, "asked": self._is_asked}})
        if goes_on:
            self._screen.open()
        return goes_on


def held_back_line(canaries: Canaries) -> str:
    """Why jobs were not sent."""
    are = "is" if canaries.held_back == 1 else "are"
    lost = f"{canaries.lost} of {_canaries(len(canaries.rows))} did not complete"
    why = lost if canaries.lost else f"{_completed(canaries)}, and you did not go on"
    return f"{_jobs(canaries.held_back)} {are} held back: {why}; the canaries cost {usd(canaries.spent)}"


def canaries_as_json(canaries: Canaries) -> dict[str, Any]:
    """The form of `--format json`."""
    return {
        "jobs": [row.job for row in canaries.rows],
        "spent": str(canaries.spent),
        "released": canaries.is_released,
        "held_back": 0 if canaries.is_released else canaries.held_back,
    }


def _completed(canaries: Canaries) -> str:
    return f"{_canaries(len(canaries.rows))} completed"


def _canaries(number: int) -> str:
    return f"{number} {'canary' if number == 1 else 'canaries'}"


def _jobs(number: int) -> str:
    return f"{number} {'job' if number == 1 else 'jobs'}"
