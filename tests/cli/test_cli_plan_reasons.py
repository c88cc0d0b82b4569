"""`plan` tells for each job why it would be sent: what of its request changed, and from what to what."""

import json
import os
import pty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio import SUBJECT, Studio, draw_picture, open_studio

EDIT = "{model: kirin_v3_omni_image, params: {prompt: p, element_list: [{element_id: '${{ jobs.hero.element_id }}'}]}}"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def job(studio: Studio, name: str = "one") -> Any:  # noqa: ANN401 - a test reaches into it
    """What the plan says of a job, for programs."""
    return next(row for row in studio.run("plan", "--format", "json").json["jobs"] if row["job"] == f"film:{name}")


def made(studio: Studio, spec: str) -> None:
    """Have the jobs of a spec made."""
    studio.spec(spec)
    assert studio.run("run").code == 0


def test_what_changed_is_told_by_parameter_and_texts_word_by_word(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: A fox at dawn, n: 1}}")
    studio.spec("  one: {params: {prompt: A fox at dusk, n: 2}}")
    assert "+ create   film:one  (prompt: A fox at [-dawn-]{+dusk+}; n: 1 → 2)  $0.0280" in studio.run("plan").out
    told = job(studio)
    assert told["reason"] == "prompt: A fox at [-dawn-]{+dusk+}; n: 1 → 2"
    assert told["changes"][0] == {
        "parameter": "/prompt",
        "name": "prompt",
        "from": "A fox at dawn",
        "to": "A fox at dusk",
    }
    assert told["stale"] is True


def test_on_a_terminal_what_is_gone_is_red_and_what_is_new_green(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: A fox at dawn}}")
    studio.spec("  one: {params: {prompt: A fox at dusk}}")
    ours, theirs = pty.openpty()
    with studio.start("plan", terminal=theirs) as process:
        os.close(theirs)
        process.wait(20)
    told = os.read(ours, 65536).decode()  # less than a terminal keeps for its reader
    os.close(ours)
    assert "\x1b[31m[-dawn-]\x1b[0m\x1b[32m{+dusk+}\x1b[0m" in told
    assert "\x1b" not in studio.run("plan").out


def test_another_model_and_another_take_are_told(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: a}}\n  two: {params: {prompt: b}}")
    studio.spec("  one: {model: kirin_v3_omni_image, params: {prompt: a}}\n  two: {take: 2, params: {prompt: b}}")
    assert job(studio)["reason"] == "model kirin_v2_image → kirin_v3_omni_image"
    assert job(studio, "two")["changes"] == [{"parameter": None, "name": "take", "from": 1, "to": 2}]


def test_a_picture_of_another_content_is_told_by_its_file(studio: Studio) -> None:
    fox = draw_picture(studio.root / "assets" / "fox.png")
    made(studio, "  one: {params: {prompt: a, image: ../assets/fox.png}}")
    draw_picture(fox, size=(400, 400))
    assert job(studio)["reason"] == "image: ../assets/fox.png changed"


def test_a_picture_that_moved_and_a_default_that_is_written_down_are_no_changes(studio: Studio) -> None:
    draw_picture(studio.root / "assets" / "fox.png")
    made(studio, "  one: {params: {prompt: a, image: ../assets/fox.png}}")
    (studio.root / "assets" / "fox.png").rename(studio.root / "assets" / "moved.png")
    studio.spec("  one: {params: {prompt: b, image: ../assets/moved.png, n: 1}}")
    assert job(studio)["reason"] == "prompt: a → b"


def test_where_only_a_job_changed_that_it_refers_to_that_is_the_reason(studio: Studio) -> None:
    made(studio, f"  hero:{SUBJECT}\n  one: {EDIT}")
    studio.spec(f"  hero:{SUBJECT.replace('red', 'blue')}\n  one: {EDIT}")
    told = job(studio)
    assert told["reason"] == "film:hero, which it refers to, changed"
    assert (told["changes"][0]["parameter"], told["changes"][0]["job"]) == ("/element_list/0/element_id", "film:hero")
    assert studio.run("run", "--job", "hero").code == 0
    assert job(studio)["reason"] in {told["reason"], "a job that it refers to changed"}  # in one second, or later


def test_a_reference_that_is_written_otherwise_is_no_change(studio: Studio) -> None:
    made(studio, f"  hero:{SUBJECT}\n  one: {EDIT}")
    otherwise = EDIT.replace("${{ jobs.hero.element_id }}", "${{jobs.film:hero.element_id}}")
    studio.spec(f"  hero:{SUBJECT}\n  one: {otherwise.replace('prompt: p', 'prompt: q')}")
    assert job(studio)["reason"] == "prompt: p → q"


def test_of_a_task_that_nobody_noted_the_params_of_it_is_told_that_they_changed(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: a}}")
    lockfile = studio.root / "kirin.lock"
    header, line = lockfile.read_text().splitlines()
    record = {key: value for key, value in json.loads(line).items() if key != "params"}
    lockfile.write_text(f"{header}\n{json.dumps(record)}\n")
    studio.spec("  one: {params: {prompt: b}}")
    assert (job(studio)["reason"], job(studio)["changes"]) == ("its request changed", [])


def test_a_secret_is_never_told_though_it_changed(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    (studio.root / "kirin.yaml").write_text("env: [STUDIO_TOKEN]\n")
    monkeypatch.setenv("STUDIO_TOKEN", "hush-hush-42")
    made(studio, "  one: {params: {prompt: 'as ${{ env.STUDIO_TOKEN }} says'}}")
    monkeypatch.setenv("STUDIO_TOKEN", "hush-hush-43")
    assert "its request changed where it is not shown" in studio.run("plan").out
    studio.spec("  one: {params: {prompt: 'as ${{ env.STUDIO_TOKEN }} said'}}")
    for arguments in ([], ["--format", "json"], ["--format", "markdown"], ["--out", "plan.json"]):
        told = studio.run("plan", *arguments).out
        assert "hush" not in told
        assert "[secret]" in told or "secret" in told
    assert "hush" not in (studio.root / "plan.json").read_text()


def test_of_a_secret_that_begins_with_another_nothing_is_left(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    (studio.root / "kirin.yaml").write_text("env: [A_TOKEN, B_TOKEN]\n")
    monkeypatch.setenv("A_TOKEN", "hush-hush")
    monkeypatch.setenv("B_TOKEN", "hush-hush-42")
    made(studio, "  one: {params: {prompt: 'as ${{ env.B_TOKEN }} says'}}")
    studio.spec("  one: {params: {prompt: 'as ${{ env.B_TOKEN }} said'}}")
    assert "42" not in studio.run("plan").out
    assert '"prompt":"as [secret] says"' in (studio.root / "kirin.lock").read_text()


def test_a_job_that_was_changed_and_is_blocked_says_what_blocks_it_and_what_changed(studio: Studio) -> None:
    both = '  one: {params: {prompt: a}}\n  two: {params: {prompt: PROMPT, image: "${{ jobs.one.url }}"}}'
    made(studio, both.replace("PROMPT", "b"))
    studio.spec(both.replace("PROMPT", "c").replace("prompt: a", "prompt: fail-006001094"))
    studio.run("run")
    told = job(studio, "two")
    assert (told["action"], told["reason"]) == ("blocked", "it needs film:one, which has no result")
    assert ("prompt", "b", "c") in {(change["name"], change["from"], change["to"]) for change in told["changes"]}


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_terminal_obeys_nothing_that_a_text_holds(studio: Studio, form: str) -> None:
    made(studio, '  one: {params: {prompt: "a fox \\e[31m \\u009b2J \\u202e at dawn"}}')
    studio.spec('  one: {params: {prompt: "a fox \\e[31m \\u009b2J \\u202e at\\ndusk"}}')
    told = studio.run("plan", "--format", form).out
    assert not {"\x1b", "\x9b"} & set(told)
    assert "dusk" in told


def test_the_totals_say_what_a_run_takes_and_what_is_out_of_date(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: a}}\n  two: {params: {prompt: b}}\n  old: {params: {prompt: c}}")
    studio.spec("  one: {params: {prompt: x, n: 4}}\n  two: {params: {prompt: b}}\n  new: {params: {prompt: d}}")
    lines = studio.run("plan").out.splitlines()
    assert lines[-3].startswith("slots: 5 image (10 at once); ")
    assert lines[-2:] == [
        "1 job has results of a request that has changed since",
        "2 create, 1 orphan, 1 none; estimated cost $0.0700",
    ]
    told = studio.run("plan", "--format", "json").json
    assert told["slots"] == {"image": {"needed": 5, "limit": 10}}
    assert told["expected_seconds"] > 0
    assert studio.run("plan", "-q").out.count("\n") == 1


def test_jobs_that_a_budget_does_not_suffice_for_are_marked(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: a}}")
    studio.spec("  one: {params: {prompt: x}}\n  two: {params: {prompt: b}}\n  new: {params: {prompt: d}}")
    ran = studio.run("plan", "--max-cost", "0.03")
    assert "film:new  (new)  $0.0140  over budget\n" in ran.out
    assert "over budget: 1 job would wait, where a run may spend $0.0300\n" in ran.out
    (studio.root / "kirin.yaml").write_text("max_cost: 0.02\n")
    told = studio.run("plan", "--format", "json").json
    assert (told["over_budget"], told["max_cost"]) == (["film:two", "film:new"], "0.02")
    assert studio.run_json().statuses["film:new"] == "pending"


def test_a_plan_without_work_tells_no_time(studio: Studio) -> None:
    made(studio, "  one: {params: {prompt: a}}")
    assert studio.run("plan").out == "1 none: nothing to do\n"
    told = studio.run("plan", "--format", "json").json
    assert (told["slots"], told["expected_seconds"], told["over_budget"]) == ({}, None, [])


def test_an_amount_that_is_none_is_refused(studio: Studio) -> None:
    assert studio.run("plan", "--max-cost", "-1").code == 2
