"""A plan as people read it on a terminal: a job in one line with its reason, and what all of it takes."""

from collections.abc import Iterator
from decimal import Decimal

import click

from kirin_batch.changes import change_spans
from kirin_batch.cli.money import usd
from kirin_batch.cli.progress_text import time_left
from kirin_batch.commands.forecast import Forecast
from kirin_batch.commands.planning import Planned
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob
from kirin_batch.prices import Source
from kirin_batch.problems import one_line
from kirin_batch.word_diff import Mark

__all__ = ["cost_words", "over_budget_words", "plan_lines", "price_words", "slot_words", "summary_line", "time_words"]

_MARKS = {
    Action.CREATE: ("+", "green"),
    Action.RETRY: ("+", "green"),
    Action.RESUME: ("~", "cyan"),
    Action.FETCH: ("~", "cyan"),
    Action.MOVE: (">", "cyan"),
    Action.BLOCKED: ("!", "yellow"),
    Action.FAILED: ("!", "red"),
    Action.UNKNOWN: ("?", "red"),
    Action.ORPHAN: ("-", "yellow"),
    Action.NONE: ("=", "bright_black"),
}

_WORDS = {Mark.GONE: "red", Mark.NEW: "green"}

_SOURCES = {
    Source.HISTORY: "",
    Source.MODEL: " by its model",
    Source.PRICES: " by kirin.yaml",
    Source.SANDBOX: " by the sandbox",
}


def plan_lines(planned: Planned, *, is_whole: bool) -> Iterator[str]:
    """A line for each job that is not up to date, or for each where `is_whole`, then what all of it takes."""
    over_budget = frozenset(planned.forecast.over_budget)
    for job in planned.plan.jobs:
        if job.action is not Action.NONE or is_whole:
            late = click.style("  over budget", fg="yellow") if job.job in over_budget else ""
            yield f"{_line(job)}{late}"
    yield from _forecast_lines(planned.plan, planned.forecast)


def _line(planned: PlannedJob) -> str:
    mark, colour = _MARKS[planned.action]
    action = click.style(f"{mark} {planned.action:<8}", fg=colour)
    price = price_words(planned)
    return f"{action} {planned.job}  {_reason(planned)}{f'  {price}' if price else ''}"


def _reason(planned: PlannedJob) -> str:
    if planned.action is not Action.CREATE or not planned.changes:
        return click.style(f"({one_line(planned.reason)})", dim=True)
    spans = (
        click.style(str(span), fg=_WORDS.get(span.mark), dim=None if span.mark in _WORDS else True)
        for span in change_spans(planned.changes)
    )
    return f"{click.style('(', dim=True)}{''.join(spans)}{click.style(')', dim=True)}"


def price_words(planned: PlannedJob) -> str:
    """What the job's task would cost, and where that is known from; nothing where nothing is sent."""
    if planned.estimated_cost is None or planned.estimate_source is None:
        return "price unknown" if planned.action in SENDING else ""
    return f"{usd(planned.estimated_cost)}{_SOURCES[planned.estimate_source]}"


def _forecast_lines(plan: Plan, forecast: Forecast) -> Iterator[str]:
    """Slots and time, what is out of date, and what would wait for money, each where there is any."""
    if slots := slot_words(forecast):
        yield f"slots: {slots}; {time_words(forecast)}"
    if stale := sum(job.is_stale for job in plan.jobs):
        has = "job has results of a request that has" if stale == 1 else "jobs have results of requests that have"
        yield f"{stale} {has} changed since"
    if forecast.over_budget and forecast.max_cost is not None:
        yield f"over budget: {over_budget_words(len(forecast.over_budget), forecast.max_cost)}"


def slot_words(forecast: Forecast) -> str:
    """How many slots the tasks of each kind take together: `12 image (10 at once)`."""
    return ", ".join(f"{need.needed} {kind} ({need.limit} at once)" for kind, need in forecast.slots.items())


def time_words(forecast: Forecast) -> str:
    """How long it would take, as far as anyone can say."""
    if forecast.seconds is None:
        return "nothing would start"
    return time_left(forecast.seconds).removesuffix(" left")


def over_budget_words(waiting: int, most: Decimal) -> str:
    """How many jobs are not sent by a run that may spend so much."""
    return f"{waiting} {'job' if waiting == 1 else 'jobs'} would wait, where a run may spend {usd(most)}"


def summary_line(plan: Plan) -> str:
    """How many jobs a run would do what with, and what that would cost."""
    if not plan.jobs:
        return "no jobs"
    told = ", ".join(f"{number} {action}" for action, number in plan.count().items())
    return f"{told}; estimated cost {cost_words(plan)}" if plan.has_work else f"{told}: nothing to do"


def cost_words(plan: Plan) -> str:
    """What all of a plan would cost, and how much of that is guessed."""
    cost = plan.estimated_cost
    if cost is None or plan.dearest is None:
        return "unknown (no price is known yet)" if cost is None else usd(cost)
    unknown = f", {plan.unpriced} of unknown price counted as {usd(plan.dearest)}, the dearest known"
    return f"{usd(cost)}{unknown if plan.unpriced else ''}"
