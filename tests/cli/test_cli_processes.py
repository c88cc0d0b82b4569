"""Commands as processes of their own: signals, kills, the run lock, the sandbox as a server, closed pipes."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from circumstances import PATIENCE_SECONDS, wait_until
from studio import KEY, SUBJECT, Studio, open_studio

from kirin_batch.disk import PART_SUFFIX

SETTINGS = "version: 1\npoll: {min: 0.05, max: 0.1}\n"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys, holds_time=True) as studio:
        (tmp_path / "kirin.yaml").write_text(SETTINGS)
        studio.prompts(one="a", two="b", three="c")
        yield studio


def one_task_each(studio: Studio) -> bool:
    """Whether no external_task_id has two tasks, and every task of the gateway is in the lockfile."""
    ids = Counter(task.external_id for task in studio.books.tasks.values())
    recorded = {record.task_id for job in studio.records.values() for record in (job, *job.earlier)}
    return set(ids.values()) == {1} and set(studio.books.tasks) == recorded and not studio.books.duplicates


def asked(studio: Studio) -> int:
    """How many requests came so far."""
    return studio.books.queries + studio.books.creates + len(studio.downloads)


def has_come(studio: Studio, moment: int, run: "subprocess.Popen[str]") -> bool:
    return asked(studio) >= moment or run.poll() is not None


def finish(studio: Studio) -> None:
    """Let tasks end, and run to the end: every result recorded, nothing but results on disk."""
    studio.holds_time = False
    ran = studio.run_json()
    assert (ran.code, set(ran.statuses.values())) == (0, {"completed"}), ran.err
    assert one_task_each(studio)
    recorded = {output.path for record in studio.records.values() for output in record.outputs}
    assert set(studio.outputs()) == recorded
    assert [path for path in studio.files() if path.endswith(PART_SUFFIX)] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_an_interrupt_leaves_tasks_in_flight_for_the_next_run(studio: Studio, number: signal.Signals) -> None:
    run = studio.start("run", "--format", "json")
    wait_until(lambda: len(studio.books.tasks) == 3)
    begin = time.monotonic()
    run.send_signal(number)
    out, err = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, time.monotonic() - begin < 2) == (130, True)
    assert json.loads(out)["summary"] == {"in_flight": 3}
    assert "left for the next run" in err
    finish(studio)
    assert len(studio.books.tasks) == 3


def test_a_second_interrupt_ends_at_once_and_loses_nothing(studio: Studio) -> None:
    held: list[bool] = []

    def hold(request: web.Request) -> None:
        if request.method == "POST":
            held.append(True)
            time.sleep(0.4)  # a create is under way: a first interrupt waits for its answer

    studio.answer = hold
    run = studio.start("run")
    wait_until(lambda: held)
    run.send_signal(signal.SIGINT)
    assert run.stderr is not None
    assert any("interrupted" in line for line in run.stderr)
    begin = time.monotonic()
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, time.monotonic() - begin < 0.3) == (130, True)
    studio.answer = None
    finish(studio)


def test_after_kills_at_any_moment_there_is_one_task_per_job_and_attempt(studio: Studio) -> None:
    studio.spec(
        f"""
  hero:{SUBJECT}
  many: {{matrix: {{n: [1, 2, 3, 4]}}, params: {{prompt: "a ${{{{ matrix.n }}}}"}}}}
  next: {{params: {{prompt: b, image: "${{{{ jobs.many[n=1].url }}}}"}}}}
"""
    )
    studio.holds_time = False
    moments = random.Random()  # noqa: S311 - any moment will do
    for _ in range(4):
        moment = asked(studio) + moments.randint(1, 8)
        run = studio.start("run", "-q")
        wait_until(partial(has_come, studio, moment, run))
        time.sleep(moments.uniform(0, 0.02))
        run.kill()
        run.communicate(timeout=PATIENCE_SECONDS)
        studio.run("status")  # the lockfile is valid at every moment
    (studio.root / "outputs" / "film").mkdir(parents=True, exist_ok=True)
    (studio.root / "outputs" / "film" / f".1{PART_SUFFIX}").write_bytes(b"half")
    (studio.root / f".kirin.lock.1{PART_SUFFIX}").write_bytes(b"half")
    finish(studio)
    assert len(studio.books.tasks) == 6


def test_a_second_run_on_a_checkout_is_refused_and_names_the_first(studio: Studio) -> None:
    run = studio.start("run", "-v")
    wait_until(lambda: len(studio.books.tasks) == 3)
    second = studio.run("run")
    assert (second.code, studio.books.creates) == (5, 3)
    assert f"`kirin-batch run -v`, process {run.pid}" in second.err
    assert studio.run("status", "--format", "json").json["summary"] == {"in_flight": 3}
    assert studio.run("plan", "--format", "json").code == 0
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE_SECONDS)
    finish(studio)


def test_the_sandbox_is_a_server_that_tells_its_address_first(studio: Studio) -> None:
    server = studio.start("sandbox", "--port", "0", "--speed", "100000")
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    studio.prompts(one="a")
    run = studio.start("run", KIRIN_BASE_URL=url)
    out, err = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, "1 completed" in out) == (0, True), err
    assert KEY not in out + err
    server.send_signal(signal.SIGINT)
    rest, _ = server.communicate(timeout=PATIENCE_SECONDS)
    assert (server.returncode, rest) == (0, "")


def test_a_run_with_its_own_sandbox_needs_no_key_and_marks_what_it_made(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIRIN_API_KEY")
    studio.spec(f"  hero:{SUBJECT}")
    ran = studio.run("run", "--sandbox")
    assert (ran.code, studio.records["film:hero"].sandbox, studio.books.creates) == (0, True, 0)
    assert "note: 1 of these results comes from the sandbox" in ran.err


def test_a_reader_that_has_enough_is_no_bug(studio: Studio) -> None:
    schema = studio.start("schema", "spec")
    assert schema.stdout is not None
    schema.stdout.close()
    schema.stdout = None
    _, err = schema.communicate(timeout=PATIENCE_SECONDS)
    assert (schema.returncode, err) == (1, "")
