"""`whence`: a file is known by its content, whatever it is called, and whatever became of its job."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import Studio, open_studio, plain_picture

SPEC = """version: 1
vars: {mood: red}
defaults: {model: kirin_v2_image}
jobs:
  fox:
    params:
      prompt: a ${{ vars.mood }} fox
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def take_away(studio: Studio, job: str) -> Path:
    """Give the first result of a job a name that says nothing."""
    return studio.result(job).rename(studio.root / "final.bin")


def test_a_renamed_file_tells_its_job_spec_line_and_prompt(studio: Studio) -> None:
    studio.spec(SPEC)
    studio.run("run")
    task = studio.records["film:fox"].task_id
    ran = studio.run("whence", str(take_away(studio, "film:fox")))
    assert ran.code == 0
    facts = dict(line.strip().split(maxsplit=1) for line in ran.out.splitlines()[1:])
    assert (facts["job"], facts["spec"], facts["prompt"]) == ("film:fox", "specs/film.yaml:5", "a red fox")
    assert (facts["model"], facts["cost"]) == ("kirin_v2_image", "$0.0140")
    assert facts["task"] == f"{task}, take 1, attempt 1"


def test_an_earlier_take_is_known_and_told_as_such(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    taken = take_away(studio, "film:one")
    studio.spec("  one: {take: 2, params: {prompt: a}}")
    studio.run("run")
    text = studio.run("whence", str(taken)).out
    assert "take 1, attempt 1, an earlier one" in text
    assert "specs/film.yaml:4 (asks for something else by now)" in text
    [origin] = studio.run("whence", str(taken), "--format", "json").json["files"][0]["origins"]
    assert (origin["take"], origin["is_current"], origin["params"]) == (1, False, None)


def test_a_job_that_is_gone_and_specs_with_errors_still_tell(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    two = take_away(studio, "film:two")
    studio.prompts(one="a")
    assert "no spec has this job any more" in studio.run("whence", str(two)).out
    studio.spec("  one: {params: {promt: a}}")
    ran = studio.run("whence", str(studio.result("film:one")))
    assert (ran.code, "specs/film.yaml:4" in ran.out) == (0, True)


def test_a_file_that_nobody_made_ends_with_1_and_the_others_are_told(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    stranger = studio.root / "strange.png"
    stranger.write_bytes(plain_picture("strange"))
    ran = studio.run("whence", str(stranger), str(studio.result("film:one")))
    assert ran.code == 1
    assert f"{stranger}  unknown: no task that is recorded made it" in ran.out
    assert "film:one" in ran.out
    quiet = studio.run("whence", "-q", str(studio.result("film:one")))
    assert quiet.out == f"{studio.result('film:one')}  film:one\n"


def test_equal_contents_of_two_jobs_are_both_told(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    lock = studio.root / "kirin.lock"
    one, two = (studio.records[job].outputs[0] for job in ("film:one", "film:two"))
    lock.write_text(lock.read_text().replace(str(two.sha256), str(one.sha256)))
    found = studio.run("whence", str(studio.root / str(one.path)), "--format", "json").json["files"][0]
    assert [origin["job"] for origin in found["origins"]] == ["film:one", "film:two"]


def test_a_file_that_cannot_be_read_is_a_usage_error(studio: Studio) -> None:
    ran = studio.run("whence", "nowhere.png")
    assert (ran.code, "nowhere.png cannot be read: No such file" in ran.err) == (2, True)
    assert studio.run("whence", ".").code == 2
    assert studio.run("whence").code == 2


def test_nothing_is_written_and_control_characters_of_a_prompt_are_not_obeyed(studio: Studio) -> None:
    studio.spec('  one: {params: {prompt: "a\\x1b[31m\\nfox"}}')
    studio.run("run")
    before = studio.files()
    out = studio.run("whence", str(studio.result("film:one"))).out
    assert "a\\x1b[31m\\nfox" in out
    assert studio.files() == before


def test_a_secret_of_the_environment_is_not_told(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "hunter2hunter2")
    (studio.root / "kirin.yaml").write_text("version: 1\nenv: [HOOK_TOKEN]\n")
    studio.prompts(one="'a ${{ env.HOOK_TOKEN }} fox'")
    studio.run("run")
    told = studio.run("whence", str(studio.result("film:one"))).out
    assert ("a [secret] fox" in told, "hunter2" in told) == (True, False)
