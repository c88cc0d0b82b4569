"""A plan as a comment on a pull request: totals, and a table of the jobs for each action, as many as there is room for.

It begins with a comment in HTML by which a workflow finds it again. Source of the limit: GitHub refuses a comment of
more than 65,536 characters ("Body is too long").
"""

from collections.abc import Iterator, Sequence

from kirin_batch.changes import change_spans
from kirin_batch.cli.markdown import code, fold, size_of, spans_code, table, wording
from kirin_batch.cli.money import usd
from kirin_batch.cli.plan_text import cost_words, over_budget_words, price_words, slot_words, time_words
from kirin_batch.commands.planning import Planned
from kirin_batch.plan import Action, PlannedJob
from kirin_batch.word_diff import shorten

__all__ = ["MARKER", "plan_markdown"]

MARKER = "<!-- kirin-batch plan -->"
"""The first line of each comment."""

_ROOM = 64_000  # of the 65,536 of a comment: a workflow adds a line or two
_BESIDES = 200  # what a section takes besides its rows
_UNFOLDED = 10  # rows that are shown at once
_LONGEST_JOB = 200
_LONGEST_REASON = 300

_HEADINGS = {
    Action.UNKNOWN: "unknown: they may exist at the gateway, and wait for a decision",
    Action.BLOCKED: "blocked",
    Action.FAILED: "failed, and left alone until a retry is asked for",
    Action.CREATE: "to create",
    Action.RETRY: "to try again",
    Action.RESUME: "to resume: their tasks are in flight",
    Action.FETCH: "to download again",
    Action.MOVE: "to move: renamed, nothing to pay",
    Action.ORPHAN: "orphaned: no spec has them any more",
}
"""What needs a person stands first."""


def plan_markdown(planned: Planned) -> str:
    """The comment, which ends with a newline."""
    facts = list(_facts(planned))
    lines = [MARKER, f"### kirin-batch plan: {_title(planned)}", *(["", *facts] if facts else [])]
    sections = [(action, found) for action in _HEADINGS if (found := _jobs(planned, action))]
    room = _ROOM - size_of("\n".join(lines)) - _BESIDES * len(sections)
    over_budget = frozenset(planned.forecast.over_budget)
    for number, (action, jobs) in enumerate(sections):
        rows = list(_fitting(jobs, over_budget, room // (len(sections) - number)))
        room -= sum(size_of(line) for _, line in rows)
        lines += ["", *_section(action, len(jobs), [cells for cells, _ in rows])]
    return "\n".join([*lines, ""])


def _jobs(planned: Planned, action: Action) -> list[PlannedJob]:
    return [job for job in planned.plan.jobs if job.action is action]


def _title(planned: Planned) -> str:
    plan = planned.plan
    if not plan.jobs:
        return "no jobs"
    told = ", ".join(f"{number} {action}" for action, number in plan.count().items())
    if not plan.has_work:
        return f"{told}: nothing to do"
    cost = plan.estimated_cost
    return f"{told}; {'cost unknown' if cost is None else f'about {usd(cost)}'}"


def _facts(planned: Planned) -> Iterator[str]:
    plan, forecast = planned.plan, planned.forecast
    if plan.has_work:
        yield f"- Estimated cost: {cost_words(plan)}"
    if forecast.slots:
        yield f"- Time: {time_words(forecast)}"
        yield f"- Slots: {slot_words(forecast)}"
    if stale := sum(job.is_stale for job in plan.jobs):
        yield f"- Out of date: {stale} with results of requests that have changed since"
    if forecast.over_budget and forecast.max_cost is not None:
        yield f"- **Over budget:** {over_budget_words(len(forecast.over_budget), forecast.max_cost)}"


def _fitting(
    jobs: Sequence[PlannedJob], over_budget: frozenset[str], room: int
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """The rows that there is room for, each with its line."""
    for job in jobs:
        late = ", over budget" if job.job in over_budget else ""
        row = code(shorten(job.job, _LONGEST_JOB)), _reason(job), f"{price_words(job)}{late}"
        (line,) = table(row, ())[:1]
        room -= size_of(line) + 1
        if room < 0:
            return
        yield row, f"{line}\n"


def _reason(job: PlannedJob) -> str:
    if job.action is Action.CREATE and job.changes:
        return spans_code(change_spans(job.changes))
    return wording(shorten(job.reason, _LONGEST_REASON))


def _section(action: Action, number: int, rows: Sequence[tuple[str, str, str]]) -> list[str]:
    told = f"{number} {_HEADINGS[action]}"
    lines = table(("job", "why", "cost"), rows) if rows else []
    if left_out := number - len(rows):
        more = f"And {left_out} more, for which there is no room here: `kirin-batch plan` tells all."
        lines += ["", more] if rows else [more]
    return [f"**{told}**", "", *lines] if number <= _UNFOLDED else fold(told, lines)
