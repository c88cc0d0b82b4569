"""Each exit code of the contract, by every command that can end in it: 0, 1, 2, 3, 4, 5 and 130."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from circumstances import PATIENCE_SECONDS, wait_until
from command_tree import COMMANDS
from studio import Studio, open_studio

from kirin_batch.cli.main import run_command_line
from kirin_batch.run_lock import hold_run_lock

LEAVES = [" ".join(names) for names in COMMANDS if names not in {(), ("lock",)}]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    """A project with two jobs, both done."""
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text('version: 1\npoll: {min: 0.05, max: 0.1}\nprices: {kirin_v2_image: "1"}\n')
        studio.prompts(one="a", two="b")
        assert studio.run("run").code == 0
        yield studio


def codes(studio: Studio, *commands: str) -> dict[str, int]:
    """How each of these commands ends."""
    return {command: studio.run(*command.split()).code for command in commands}


def assert_all(studio: Studio, code: int, *commands: str) -> None:
    assert codes(studio, *commands) == dict.fromkeys(commands, code)


def test_0_all_is_done(studio: Studio) -> None:
    result = studio.result("film:one").relative_to(studio.root)
    assert_all(
        studio,
        0,
        *("validate", "plan", "plan --detailed-exitcode", "run", "run --locked", "run --dry-run", "status", "show one"),
        *("fetch", "verify", "report", "prune", "prune --yes", "recover", "schema", "schema kirin_v2_image"),
        *(f"whence {result}", "lock check --complete --outputs", "lock merge kirin.lock kirin.lock kirin.lock"),
        *("init new", "completion bash"),
    )


def test_1_specs_are_invalid_for_all_that_rests_on_them_and_for_nothing_else(studio: Studio) -> None:
    studio.spec("  one: {params: {promt: a}}")
    assert_all(studio, 1, "validate", "plan", "run", "run --dry-run", "fetch", "recover", "prune --yes", "lock check")
    assert_all(studio, 0, "status", "show one", "verify", "report", "schema")


def test_1_a_job_failed_or_a_result_is_not_as_it_was(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="forbidden-content")
    assert_all(studio, 1, "run", "run --failed", "lock check --complete")
    studio.result("film:one").write_bytes(b"something else")
    assert_all(studio, 1, "verify", "lock check", f"whence {studio.result('film:one')}")
    studio.result("film:two").unlink()
    studio.serve_result = lambda _: web.Response(status=404)
    assert_all(studio, 1, "fetch --job two", "run --job two")


def test_1_a_lockfile_cannot_be_read(studio: Studio) -> None:
    (studio.root / "broken").write_text("{}")
    assert_all(studio, 1, "lock merge kirin.lock broken kirin.lock")
    (studio.root / "broken").replace(studio.root / "kirin.lock")
    assert_all(studio, 1, "plan", "run", "status", "show one", "fetch", "verify", "report", "prune --yes", "lock check")


@pytest.mark.parametrize("command", LEAVES)
def test_2_every_command_refuses_an_option_that_it_has_not(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([*command.split(), "--no-such-option"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()[0][: len("Usage: ")]) == ("", "Usage: ")


def test_2_what_cannot_be_done(studio: Studio) -> None:
    selecting = ("plan", "run", "status", "fetch", "report")
    assert_all(studio, 2, *(f"{command} specs/none.yaml" for command in ("validate", *selecting)))
    assert_all(studio, 2, *(f"{command} --job none" for command in selecting))
    projects = ("validate", *selecting, "verify", "prune", "recover", "schema", "lock check")
    assert_all(studio, 2, *(f"{command} -C none" for command in projects))
    others = (
        "show none",
        "whence",
        "schema none",
        "lock merge kirin.lock",
        "completion csh",
        "sandbox --port x",
        "paln",
    )
    assert_all(studio, 2, *others, "run --resend one", "run --max-cost much", "run --dry-run --format junit")


def test_3_work_is_left_that_the_same_command_goes_on_with(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="c")
    assert_all(studio, 3, "plan --detailed-exitcode", "run --max-cost 0")
    assert_all(studio, 0, "run --max-cost 1")


def test_4_there_is_no_key(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIRIN_API_KEY")
    assert_all(studio, 0, "run")  # nobody has to be asked
    studio.prompts(one="a", two="b", three="c")
    studio.result("film:one").unlink()
    assert_all(studio, 4, "run", "fetch", "recover")
    assert_all(studio, 0, "validate", "plan", "run --dry-run", "status", "report")


@pytest.mark.parametrize("status", [401, 402, 403])
def test_4_the_gateway_refuses_the_account(studio: Studio, status: int) -> None:
    studio.prompts(one="a", two="b", three="c")
    studio.result("film:one").unlink()
    studio.answer = lambda _: web.json_response({"error": {"code": "1000", "message": "no"}}, status=status)
    assert_all(studio, 4, "run", "fetch", "recover")


def test_5_another_run_holds_the_project(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.result("film:one").unlink()
    with hold_run_lock(studio.root / ".kirin"):
        assert_all(studio, 5, "run", "fetch", "recover", "prune --yes")
        assert_all(studio, 0, "validate", "plan", "status", "show one", "report", "prune --dry-run")


@pytest.mark.parametrize("command", ["run", "fetch", "recover"])
def test_130_interrupted(studio: Studio, command: str) -> None:
    studio.prompts(one="a", two="b", three="c")
    studio.result("film:one").unlink()
    studio.holds_time = True
    asked: list[str] = []

    def refuse(request: web.Request) -> web.Response | None:
        asked.append(request.path)
        return web.Response(status=503) if command != "run" else None  # it is asked again, after a while

    studio.answer = studio.serve_result = refuse
    with studio.start(command) as process:
        wait_until(lambda: asked)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "interrupted" in err) == (130, True)


@pytest.mark.parametrize("command", ["sandbox", "ui"])
def test_0_a_server_is_interrupted_when_it_has_served(studio: Studio, command: str) -> None:
    with studio.start(command) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert (process.wait(PATIENCE_SECONDS), process.stdout.read()) == (0, "")
