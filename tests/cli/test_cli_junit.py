"""`run --format junit` and the summary of a step of GitHub Actions: what machines read of a run."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from studio import Studio, open_studio

from kirin_batch.cli.junit import junit_of_run
from kirin_batch.commands.rows import JobRow
from kirin_batch.records import Status, TaskError

MIXED = """  good: {params: {prompt: a}}
  bad: {params: {prompt: fail-006001094}}
  needs: {params: {prompt: b, image: "${{ jobs.bad.url }}"}}"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a step's summary, in which an earlier command has written."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def verdicts(document: str) -> dict[str, list[str]]:
    """What stands in each case, by the name of its job."""
    cases = ET.fromstring(document).iter("testcase")  # noqa: S314 - our own document
    return {f"{case.get('classname')}:{case.get('name')}": [child.tag for child in case] for case in cases}


def row(status: Status, error: TaskError | None = None, job: str = "film:one") -> JobRow:
    return JobRow(job, "kirin_v2_image", status, "0" * 64, "kb-1", error)


def refuse(request: web.Request) -> web.Response | None:
    """Refuse every create with words that mean something in Markdown and HTML."""
    told = {"error": {"code": "1201", "message": "<img src=x> | [a](https://b.example)\n`c` @d"}}
    return web.json_response(told, status=400) if request.method == "POST" else None


def test_each_spec_is_a_suite_and_each_job_a_case(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.spec("  one: {params: {prompt: c}}", name="launch/eu")
    ran = studio.run("run", "--format", "junit")
    suites = ET.fromstring(ran.out).findall("testsuite")  # noqa: S314 - our own document
    assert [(suite.get("name"), suite.get("tests")) for suite in suites] == [("film", "2"), ("launch/eu", "1")]
    assert verdicts(ran.out) == {"film:one": [], "film:two": [], "launch/eu:one": []}
    assert all(str(case.get("time")).isdecimal() for suite in suites for case in suite)


def test_failed_jobs_are_failures_and_blocked_ones_errors(studio: Studio) -> None:
    studio.spec(MIXED)
    ran = studio.run("run", "--format", "junit")
    assert ran.code == 1
    assert verdicts(ran.out) == {"film:good": [], "film:bad": ["failure"], "film:needs": ["error"]}
    suite = ET.fromstring(ran.out).find("testsuite")  # noqa: S314 - our own document
    assert suite is not None
    assert {name: suite.get(name) for name in ("failures", "errors", "skipped")} == {
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    failure = suite.find("*/failure")
    assert failure is not None
    assert failure.get("type") == "006001094"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("completed", []), ("unknown", ["error"]), ("in_flight", ["skipped"]), ("pending", ["skipped"])],
)
def test_what_is_unknown_is_an_error_and_what_is_not_done_is_skipped(status: str, verdict: list[str]) -> None:
    assert verdicts(junit_of_run([row(Status(status))])) == {"film:one": verdict}


def test_a_completed_job_whose_results_did_not_come_is_a_failure() -> None:
    assert verdicts(junit_of_run([row(Status.COMPLETED, TaskError("", "gone"))])) == {"film:one": ["failure"]}


def test_texts_are_escaped_and_what_no_xml_may_hold_is_left_out() -> None:
    message = 'a<b & "c"\n\x00\x1b[2J\x85\ud800\ufffe]]>é'
    told = junit_of_run([row(Status.FAILED, TaskError("1&2", message), job='film:<one>"')])
    failure = ET.fromstring(told).find("*/*/failure")  # noqa: S314 - our own document
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ('a<b & "c"\n[2J]]>é (1&2)', "1&2")
    assert told.isascii()


def test_a_run_that_the_gateway_refuses_and_one_that_cannot_begin_are_told(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.prompts(one="a")
    monkeypatch.setenv("KIRIN_API_KEY", "wrong")
    ran = studio.run("run", "--format", "junit")
    assert (ran.code, verdicts(ran.out)) == (4, {"film:one": ["skipped"], "kirin-batch:run": ["error"]})
    studio.spec("version: 7")
    ran = studio.run("run", "--format", "junit")
    assert (ran.code, verdicts(ran.out)) == (1, {"kirin-batch:run": ["error"]})


def test_a_dry_run_has_no_junit(studio: Studio) -> None:
    studio.prompts(one="a")
    ran = studio.run("run", "--dry-run", "--format", "junit")
    assert (ran.code, ran.out) == (2, "")


def test_a_run_adds_its_counts_cost_and_failures_to_the_summary_of_the_step(studio: Studio, summary: Path) -> None:
    studio.prompts(good="a", bad="fail-006001094")
    assert studio.run("run", "-q").code == 1
    told = summary.read_text()
    assert told.startswith("before\n### kirin-batch run\n")
    assert "| completed | 1 |\n| failed | 1 |\n" in told
    assert "This run cost **$0." in told
    assert "| <code>film&#58;bad</code> | " in told


def test_a_plan_adds_what_its_comment_says(studio: Studio, summary: Path) -> None:
    studio.prompts(one="a", two="b")
    studio.run("plan", "--format", "json")
    told = summary.read_text()
    assert studio.run("plan", "--format", "markdown").out in told
    assert told.startswith("before\n<!-- kirin-batch plan -->\n### kirin-batch plan: 2 create; cost unknown\n")


def test_texts_in_the_summary_are_no_markup(studio: Studio, summary: Path) -> None:
    studio.prompts(one="a")
    studio.answer = refuse
    studio.run("run")
    told = summary.read_text()
    assert "<code>&#60;img src&#61;x&#62; &#124; &#91;a&#93;(https&#58;&#47;&#47;b&#46;example)" in told
    assert "&#96;c&#96; &#64;d (1201)</code>" in told


def test_a_summary_that_cannot_be_written_ends_nothing(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.prompts(one="a")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(studio.root))
    ran = studio.run("run", "--format", "json")
    assert (ran.code, ran.statuses) == (0, {"film:one": "completed"})
    assert "the summary of the step cannot be written" in ran.err
