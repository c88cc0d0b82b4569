"""The requests of `run --dry-run` as people and machines read them."""

from collections.abc import Iterator
from typing import Any

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.shared import json_text
from kirin_batch.commands.dry_run import DryRun, PlannedRequest

__all__ = ["dry_run_as_json", "request_text", "summary_line"]


def request_text(request: PlannedRequest) -> str:
    """A request as it would go over the wire, under a line of what it is for; an empty line ends it."""
    return "\n".join([*_lines(request), ""])


def _lines(request: PlannedRequest) -> Iterator[str]:
    planned = request.planned
    yield click.style(f"# {planned.job}: {planned.action} ({planned.reason})", dim=True)
    for pointer, expression in request.missing.items():
        yield click.style(f"# {pointer} is known when its job is done: {expression}", dim=True)
    if request.fault:
        yield click.style(f"# it cannot be sent: {request.fault}", fg="red")
        return
    yield click.style(f"{request.method} {request.url}", bold=True)
    yield from (f"{name}: {value}" for name, value in request.headers.items())
    if request.body is not None:
        yield ""
        yield json_text(request.body)


def summary_line(dry: DryRun) -> str:
    """How much would be sent."""
    number = sum(request.fault is None for request in dry.requests)
    cost = dry.plan.estimated_cost
    told = "estimated cost unknown" if cost is None else f"estimated cost {usd(cost)}"
    return f"{number} {'request' if number == 1 else 'requests'} would be sent, {told}; nothing was sent"


def dry_run_as_json(dry: DryRun) -> dict[str, Any]:
    """The form of `--format json`."""
    cost = dry.plan.estimated_cost
    return {
        "requests": [
            {
                "job": request.planned.job,
                "model": request.planned.model,
                "action": str(request.planned.action),
                "method": request.method,
                "url": request.url,
                "headers": dict(request.headers),
                "body": request.body,
                "missing": dict(request.missing),
                "fault": request.fault,
            }
            for request in dry.requests
        ],
        "summary": dry.plan.count(),
        "estimated_cost": None if cost is None else str(cost),
    }
