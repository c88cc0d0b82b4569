"""`plan --format markdown` is a comment that fits, tells what matters first, and lets no text of a spec be markup."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from job_samples import picture, plan_for, record_of
from studio import Studio, open_studio

from kirin_batch.changes import Change
from kirin_batch.cli.markdown import code, size_of, wording
from kirin_batch.cli.plan_markdown import MARKER, plan_markdown
from kirin_batch.commands.forecast import Forecast
from kirin_batch.commands.planning import Planned
from kirin_batch.jobs import Job
from kirin_batch.plan import Action, Plan
from kirin_batch.records import Record, Status, TaskError

MOST_OF_A_COMMENT = 65_536
CODE = re.compile(r"<code>(.*?)</code>")
HOSTILE = (
    "`code` ``` | cell | <img src=x> <!-- [a](https://b.example) www.b.example @someone #1 :bug: "
    "$x$ *b* _i_ ~s~ &lt; \\\\ \n# heading\n---\n</code></details></td> \x1b[31m \u202e " + "🦊" * 400
)
PAGE_TAGS = {"h3", "ul", "li", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "code"}
TAGS = {"code", "/code", "del", "/del", "ins", "/ins"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def comment(jobs: list[Job], *records: Record, changes: tuple[Change, ...] = ()) -> str:
    plan = plan_for(jobs, *records, prices={"pictures": "0.014"})
    changed = (replace(job, changes=changes if job.action is Action.CREATE else ()) for job in plan.jobs)
    return plan_markdown(Planned(Plan(tuple(changed), plan.dearest), {}, Forecast()))


def markup(told: str) -> str:
    """The comment without what stands in it as code."""
    return CODE.sub("", told)


def test_a_comment_begins_with_its_mark_and_the_totals(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: A fox at dawn}}\n  same: {params: {prompt: a}}")
    studio.run("run")
    studio.spec("  one: {params: {prompt: A fox at dusk}}\n  same: {params: {prompt: a}}")
    assert studio.run("plan", "--format", "markdown").out.splitlines() == [
        MARKER,
        "### kirin-batch plan: 1 create, 1 none; about $0.0140",
        "",
        "- Estimated cost: $0.0140",
        "- Time: under a minute",
        "- Slots: 1 image (10 at once)",
        "- Out of date: 1 with results of requests that have changed since",
        "",
        "**1 to create**",
        "",
        "| job | why | cost |",
        "| --- | --- | --- |",
        "| <code>film&#58;one</code> | <code>prompt&#58; A fox at <del>dawn</del><ins>dusk</ins></code> | $0.0140 |",
    ]


def test_nothing_to_do_is_said_in_the_heading(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    assert studio.run("plan", "--format", "markdown").out == f"{MARKER}\n### kirin-batch plan: 1 none: nothing to do\n"


def test_what_needs_a_person_stands_before_what_does_not() -> None:
    jobs = [picture("s:new"), picture("s:bad"), picture("s:who"), picture("s:late", needs=("s:bad",))]
    failed = replace(record_of(jobs[1], Status.FAILED), error=TaskError("1301", "content policy"))
    unknown = record_of(jobs[2], Status.UNKNOWN, task_id=None)
    told = comment(jobs, failed, unknown, record_of(picture("s:old")))
    headings = re.findall(r"^\*\*1 (\w+)", told, flags=re.MULTILINE)
    assert headings == ["unknown", "blocked", "failed", "to", "orphaned"]


def test_many_jobs_are_folded_and_few_are_not() -> None:
    assert "<details>" not in comment([picture(f"s:{number}") for number in range(10)])
    folded = comment([picture(f"s:{number}") for number in range(11)])
    assert "<details><summary>11 to create</summary>\n\n| job |" in folded
    assert folded.endswith("|\n\n</details>\n")


@pytest.mark.parametrize("prompt", ["a fox", HOSTILE, "x" * 100_000, "🦊" * 9_000, "`|" * 5_000])
def test_thousands_of_jobs_fit_into_a_comment_which_says_how_many_do_not(prompt: str) -> None:
    jobs = [picture(f"s:job{number}", request=prompt) for number in range(5_000)]
    jobs += [picture(f"s:bad{number}") for number in range(500)]
    failed = [replace(record_of(job, Status.FAILED), error=TaskError("1", prompt)) for job in jobs[5_000:]]
    changes = tuple(Change(f"p{number}", prompt, f"{prompt} new", ("p", number)) for number in range(20))
    told = comment(jobs, *failed, changes=changes)
    assert size_of(told) <= MOST_OF_A_COMMENT
    assert size_of(told) > MOST_OF_A_COMMENT * 0.8, "what there is room for is told"
    shown = told.count("| <code>s&#58;job")
    assert f"And {5_000 - shown} more" in told
    assert told.count("<details>") == told.count("</details>") == 2


def test_no_text_of_a_spec_is_markup_or_pings_anybody() -> None:
    told = comment(
        [picture("s:a")],
        changes=(Change("p", f"{HOSTILE} a", f"{HOSTILE} b", ("p",)), Change("q", None, HOSTILE, ("q",))),
    )
    parts = CODE.findall(told)
    assert {tag for part in parts for tag in re.findall(r"<([^>]*)>", part)} <= TAGS
    assert not any(re.search(r"[`|@#:$*_~\\\[\]!]", re.sub(r"&#\d+;", "", part)) for part in parts)
    assert "@" not in markup(told)
    assert all(line.count("|") in {0, 4} for line in told.splitlines())
    assert not {"\x1b", "\u202e"} & set(told)


def test_what_is_written_as_code_is_read_as_it_was() -> None:
    assert html.unescape(CODE.findall(code(HOSTILE[:90]))[0]) == HOSTILE[:90]
    assert wording("its task is in flight") == "its task is in flight"
    assert wording("@someone") == "<code>&#64;someone</code>"


def test_a_reader_of_markdown_finds_no_markup_but_ours() -> None:
    reader = pytest.importorskip("markdown_it", reason="markdown-it-py, which comes with rich, is not installed")
    told = comment([picture("s:a")], changes=(Change("p", None, HOSTILE[:50], ("p",)),))
    page = reader.MarkdownIt("commonmark", {"html": True}).enable("table").render(told)
    assert set(re.findall(r"</?(\w+)", page)) == PAGE_TAGS
    assert f"p: {HOSTILE[:50]} added" in html.unescape(page)
