"""`kirin-batch status`: prints how each job stands."""

from pathlib import Path

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import counts_line, row_line, rows_as_json
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.commands.keeping import URL_DAYS, OnlyUrls, find_only_urls
from kirin_batch.commands.rows import total_cost
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch status
  kirin-batch status specs/launch.yaml --failed
  kirin-batch status --tag 'film*' --exclude 'launch:*'
  kirin-batch status --format json | jq .summary
"""


@click.command("status", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...]) -> int:
    """Tell how each job stands, as the lockfile has it.

    Works beside a run, and where specs are invalid too; sends nothing to the gateway. Warns of results that are
    neither on disk nor in the store: their addresses die.
    """
    project = shared.open(paths)
    rows = project.status(shared.selection(paths))
    only_urls = find_only_urls(project.folder, rows)
    if shared.is_json:
        warning = {"only_urls": only_urls.as_json()} if only_urls else {}
        shared.print_json({**rows_as_json(rows), **warning})
        return ExitCode.DONE
    for row in () if shared.quiet else rows:
        shared.print(row_line(row))
    shared.print(f"{counts_line(rows)}; cost {usd(total_cost(rows))}")
    if only_urls and not shared.quiet:
        shared.print_note(_warning(only_urls))
    if not project.read(paths).specs.is_valid and not shared.quiet:
        shared.print_note("note: the specs have errors (`kirin-batch validate`); this is what is recorded")
    return ExitCode.DONE


def _warning(only_urls: OnlyUrls) -> str:
    results, jobs = only_urls.results, len(only_urls.ages)
    of_jobs = next(iter(only_urls.ages)) if jobs == 1 else f"{jobs} jobs"
    exist = f"{results} {'result exists only as a URL' if results == 1 else 'results exist only as URLs'}, of {of_jobs}"
    days = int(only_urls.oldest_days)
    age = "less than a day" if days < 1 else f"{days} {'day' if days == 1 else 'days'}"
    oldest = f"{age} old" if results == 1 else f"the oldest {age} old"
    old = sum(age > URL_DAYS for age in only_urls.ages.values())
    gone = f" ({old} {'job is' if old == 1 else 'jobs are'} past that)" if old else ""
    told = f"warning: {exist}; {oldest}. URLs die after about {URL_DAYS} days{gone}: `kirin-batch fetch` brings results"
    return f"{told}\nnote: {only_urls.store_fault}: it may have some of them" if only_urls.store_fault else told
