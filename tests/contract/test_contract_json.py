"""`--format json`: one document on stdout and nothing else, with the keys and types that the contract names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from circumstances import PATIENCE_SECONDS
from command_tree import COMMANDS
from studio import SUBJECT, Ran, Studio, open_studio

TEXT, MAYBE_TEXT = (str,), (str, type(None))
PROBLEM = {
    **dict.fromkeys(("severity", "file", "rule", "message"), TEXT),
    **dict.fromkeys(("line", "column"), (int,)),
    **dict.fromkeys(("job", "parameter"), MAYBE_TEXT),
}
PLANNED = {
    **dict.fromkeys(("job", "model", "action", "reason", "digest", "external_task_id"), TEXT),
    "estimated_cost": MAYBE_TEXT,
}
OUTPUT = {"path": MAYBE_TEXT, "sha256": MAYBE_TEXT, "bytes": (int, type(None)), "type": MAYBE_TEXT, "url": MAYBE_TEXT}
ROW = {
    **dict.fromkeys(("job", "model", "status", "digest", "external_task_id"), TEXT),
    **dict.fromkeys(("task_id", "cost"), MAYBE_TEXT),
    "attempt": (int,),
    "error": (dict, type(None)),
    "outputs": (list,),
    "element_id": (int, type(None)),
}
ROWS = {"jobs": (list,), "summary": (dict,), "cost": TEXT}
FORMS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "validate": {"valid": (bool,), "files": (int,), "jobs": (int,), "problems": (list,)},
    "plan": {"jobs": (list,), "summary": (dict,), "estimated_cost": MAYBE_TEXT},
    "run": ROWS,
    "status": ROWS,
}
STATUSES = {"completed", "failed", "in_flight", "unknown", "blocked", "pending"}
JOBS = f"""
  hero:{SUBJECT}
  one: {{params: {{prompt: a}}}}
  bad: {{params: {{prompt: forbidden-content}}}}
  needy: {{params: {{prompt: b, image: "${{{{ jobs.bad.url }}}}"}}}}
"""

by_command = pytest.mark.parametrize("command", FORMS)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.spec(JOBS)
        yield studio


def check(document: object, form: Mapping[str, tuple[type, ...]]) -> None:
    """Every key of the form is there, with a value of its type."""
    assert isinstance(document, dict)
    assert form.keys() <= document.keys()
    wrong = {key: document[key] for key, types in form.items() if not isinstance(document[key], types)}
    assert wrong == {}


def check_all(command: str, ran: Ran) -> Any:  # noqa: ANN401 - any JSON
    """One document of the command's form, all that is in it included."""
    document = ran.json
    check(document, FORMS[command])
    for problem in document.get("problems", ()):
        check(problem, PROBLEM)
    for row in document["jobs"] if command != "validate" else ():
        check(row, PLANNED if command == "plan" else ROW)
        for output in row.get("outputs", ()):
            check(output, OUTPUT)
    return document


@by_command
@pytest.mark.parametrize("option", ["--no-color", "-v", "-q"])
def test_the_form_has_its_keys_and_types_whatever_else_is_asked_for(studio: Studio, command: str, option: str) -> None:
    if command == "status":
        studio.run("run")
    document = check_all(command, studio.run(command, option, "--format", "json"))
    if command in {"run", "status"}:
        assert {row["status"] for row in document["jobs"]} == {"completed", "failed", "blocked"} <= STATUSES
        assert document["summary"] == {"completed": 2, "failed": 1, "blocked": 1}
        assert any(row["outputs"] for row in document["jobs"])


@by_command
def test_a_project_without_jobs_has_the_same_form(studio: Studio, command: str) -> None:
    (studio.root / "specs" / "film.yaml").unlink()
    ran = studio.run(command, "-v", "--format", "json")
    document = check_all(command, ran)
    assert (ran.code, document["jobs"] in (0, []), ran.err) == (0, True, "")


@by_command
def test_invalid_specs_have_the_same_form(studio: Studio, command: str) -> None:
    studio.spec("  one: {params: {promt: a}}")
    document = check_all(command, studio.run(command, "-v", "--format", "json"))
    if command != "status":
        assert [problem["job"] for problem in document["problems"]] == ["film:one"] * len(document["problems"])
        assert document["problems"]


@by_command
@pytest.mark.parametrize("arguments", [["specs/none.yaml"], ["-C", "none"]], ids=" ".join)
def test_what_cannot_be_done_has_the_same_form_and_says_why(studio: Studio, command: str, arguments: list[str]) -> None:
    ran = studio.run(command, *arguments, "-v", "--format", "json")
    document = check_all(command, ran)
    assert (ran.code, document["error"] in ran.err, document["problems"]) == (2, True, [])


@by_command
def test_a_wrong_kirin_yaml_has_the_same_form(studio: Studio, command: str) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nlimits: {image: 0}\n")
    ran = studio.run(command, "--format", "json")
    document = check_all(command, ran)
    assert (ran.code, document["problems"][0]["file"]) == (1, "kirin.yaml")


@pytest.mark.parametrize("way", ["no key", "a wrong key", "no balance"])
def test_a_run_that_is_refused_has_the_same_form(studio: Studio, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "no key":
        monkeypatch.delenv("KIRIN_API_KEY")
    elif way == "a wrong key":
        monkeypatch.setenv("KIRIN_API_KEY", "wrong")
    else:
        studio.answer = lambda _: web.json_response({"error": {"code": "1102", "message": "no"}}, status=402)
    ran = studio.run("run", "-v", "--format", "json")
    document = check_all("run", ran)
    assert (ran.code, document["cost"], "error: " in ran.err) == (4, "0", True)
    assert {row["status"] for row in document["jobs"]} <= {"pending", "blocked"}


OTHERS = {
    "init": "new",
    "show": "one",
    "fetch": "",
    "verify": "",
    "recover": "",
    "whence": "kirin.lock",
    "prune": "--yes",
    "report": "",
    "schema": "",
    "lock check": "",
}
SERVERS = {"sandbox", "ui"}
WITHOUT = {"completion", "lock", "lock merge", ""}  # a script for a shell, and what git calls


def test_every_command_is_held_to_it() -> None:
    assert {" ".join(names) for names in COMMANDS} == {*FORMS, *OTHERS, *SERVERS, *WITHOUT}


@pytest.mark.parametrize("command", OTHERS)
def test_every_other_command_prints_one_document_too(studio: Studio, command: str) -> None:
    studio.run("run")
    words = [*command.split(), *OTHERS[command].split(), "--format", "json"]
    for option in ("-v", "-q"):
        assert isinstance(studio.run(*words, option).json, dict)
    assert isinstance(studio.run("schema", "kirin_v2_image", "--format", "json").json, dict)


@pytest.mark.parametrize("command", sorted({*OTHERS} - {"init"}))
def test_every_other_command_prints_one_document_when_it_cannot_begin(studio: Studio, command: str) -> None:
    ran = studio.run(*command.split(), *OTHERS[command].split(), "-C", "none", "--format", "json")
    assert (ran.code, "none is no folder" in ran.json["error"]) == (2, True)


@pytest.mark.parametrize("command", sorted(SERVERS))
def test_a_server_tells_its_address_as_a_document(studio: Studio, command: str) -> None:
    with studio.start(command, "--format", "json") as process:
        assert process.stdout
        told = process.stdout.readline()  # it serves from here on
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        told += process.stdout.read()
    assert Ran(0, told, "").json["url"].startswith("http://127.0.0.1:")
