"""`kirin-batch verify`: prints which recorded results are not on disk as they were recorded."""

import sys

import click

from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.verify import Checked, Verdict, Verification, verify_project
from kirin_batch.errors import ExitCode
from kirin_batch.project import Project

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch verify
  kirin-batch verify -v
  kirin-batch verify --format json | jq '.results[] | select(.status != "ok")'

Exit codes: 0 all that was on disk is as it was recorded, 1 it is not, 2 usage.
"""

_COLOURS = {Verdict.OK: "green", Verdict.NEVER_FETCHED: "yellow"}
_WORDS = {Verdict.NEVER_FETCHED: "never fetched"}


@click.command("verify", cls=ProjectCommand, epilog=_EPILOG)
@common_options
@pass_shared
def command(shared: Shared) -> int:
    """Compare every recorded result with its SHA-256.

    Reads kirin.lock and the files alone: nothing is sent, nothing is written. Files that nobody recorded are left out.
    """
    verification = _verify(shared, shared.project().folder)
    if shared.is_json:
        shared.print_json(
            {
                "sound": verification.is_sound,
                "results": [finding.as_json() for finding in verification.findings],
                "summary": verification.count(),
            }
        )
    else:
        _tell(shared, verification)
    return ExitCode.DONE if verification.is_sound else ExitCode.FAILED


def _verify(shared: Shared, project: Project) -> Verification:
    if not shared.has_progress:
        return verify_project(project)
    with click.progressbar(length=1, label="verify", file=sys.stderr, show_pos=True) as bar:

        def begin(results: int) -> None:
            bar.length = results

        return verify_project(project, begin=begin, advance=bar.update)


def _tell(shared: Shared, verification: Verification) -> None:
    for finding in () if shared.quiet else verification.findings:
        if shared.verbose or finding.verdict is not Verdict.OK:
            shared.print(_line(finding))
    counts = {verdict: verification.count()[verdict] for verdict in Verdict}
    told = [f"{number} {_word(verdict)}" for verdict, number in counts.items() if number or verdict is Verdict.OK]
    shared.print(", ".join(told))
    if not shared.quiet and (counts[Verdict.MISSING] or counts[Verdict.NEVER_FETCHED]):
        shared.print_note("note: `kirin-batch fetch` brings what is missing, if a spec still asks for it")


def _line(finding: Checked) -> str:
    verdict = click.style(f"{_word(finding.verdict):<13}", fg=_COLOURS.get(finding.verdict, "red"))
    detail = f"  ({finding.detail})" if finding.detail else ""
    return f"{verdict}  {finding.output.path or finding.output.url}  {finding.job}{detail}"


def _word(verdict: Verdict) -> str:
    return _WORDS.get(verdict, str(verdict))
