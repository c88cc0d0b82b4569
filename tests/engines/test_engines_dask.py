"""Runs on a real Dask cluster: a scheduler and two workers, processes of their own, each with a single thread."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from certificates import make_certificate
from circumstances import wait_until
from dask_machines import Machines, open_machines
from killable import KILLED, call, start
from studio import CHECKOUT, KEY, SUBJECT, Ran, Studio, draw_picture, open_studio, plain_picture

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.engines.dask_wall import DaskCall, DaskCluster, open_cluster
from kirin_batch.engines.messages import Answer, Packed, Parcel, Program
from kirin_batch.engines.work import describe, work
from kirin_batch.engines.workers import LostError
from kirin_batch.errors import GatewayUnreachableError
from kirin_batch.records import Record, Status

pytest.importorskip("distributed", reason="the extra `distributed` is not installed")

SETTINGS = "version: 1\npoll: {min: 0.02, max: 0.05}\n"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with open_machines(tmp_path_factory.mktemp("dask")) as machines:
        yield machines


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path / "project", monkeypatch, capsys, image_slots=50) as studio:
        studio.root.mkdir()
        (studio.root / "kirin.yaml").write_text(SETTINGS)
        monkeypatch.chdir(studio.root)
        yield studio


def run(studio: Studio, machines: Machines, *arguments: str) -> Ran:
    return studio.run("run", "--engine", "dask", "--scheduler", machines.address, *arguments)


def check(studio: Studio, *, tasks: int) -> None:
    """One task for each job, each recorded, its result here as recorded, and nothing else beside them."""
    assert (len(studio.books.tasks), studio.books.duplicates) == (tasks, 0)
    records = studio.records.values()
    assert {record.task_id for record in records} == set(studio.books.tasks)
    assert {record.status for record in records} == {Status.COMPLETED}
    results = {str(output.path): output.sha256 for record in records for output in record.outputs}
    assert {path: sha256_of_file(studio.root / path) for path in studio.outputs()} == results
    assert not any(path.endswith(PART_SUFFIX) for path in studio.files())


def test_workers_make_the_results_and_the_driver_has_them_on_disk(studio: Studio, machines: Machines) -> None:
    studio.spec("  one: {matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8]}, params: {prompt: 'fox ${{ matrix.n }}'}}")
    ran = run(studio, machines)
    assert ran.code == 0, ran.err
    check(studio, tasks=8)
    assert studio.run("verify").code == 0
    assert studio.run("plan").out == "8 none: nothing to do\n"


def test_a_chain_crosses_workers_by_url_and_by_file(studio: Studio, machines: Machines) -> None:
    draw_picture(studio.root / "assets" / "fox.png")
    numbers = "matrix: {n: [1, 2, 3, 4]}"
    studio.spec(
        f"  one: {{{numbers}, params: {{prompt: 'one ${{{{ matrix.n }}}}', image: ../assets/fox.png}}}}\n"
        f"  two: {{{numbers}, params: {{prompt: two, image: '${{{{ jobs.one.url }}}}'}}}}\n"
        f"  three: {{{numbers}, params: {{prompt: three, image: '${{{{ jobs.two.file }}}}'}}}}"
    )
    ran = run(studio, machines)
    assert ran.code == 0, ran.err
    check(studio, tasks=12)
    sent = {str(task.params["prompt"]): str(task.params["image"]) for task in studio.books.tasks.values()}
    assert sent["two"].startswith("http")
    assert len(sent["one 1"]) == len(sent["one 4"]) > 100  # Base64, the same for all


def test_a_subject_and_a_failure_and_what_it_blocks_are_told_as_ever(studio: Studio, machines: Machines) -> None:
    blocked = "  blocked: {params: {prompt: blocked, image: '${{ jobs.bad.url }}'}}"
    bad = "  bad: {params: {prompt: forbidden-content}}\n  flaky: {params: {prompt: fail-006001094}}\n"
    studio.spec(f"  hero:{SUBJECT}{bad}{blocked}")
    ran = run(studio, machines, "--format", "json")
    assert ran.code == 1, ran.err
    assert set(ran.statuses.items()) == {
        ("film:hero", "completed"),
        ("film:bad", "failed"),
        ("film:flaky", "failed"),
        ("film:blocked", "blocked"),
    }
    assert [record.attempt for record in studio.records.values()].count(2) == 1  # the transient one was tried again
    assert studio.records["film:hero"].element_id is not None


@pytest.mark.soak
def test_a_cluster_that_talks_tls_takes_the_driver_with_its_certificate_and_no_other(
    studio: Studio, tmp_path: Path
) -> None:
    certificate, key = map(str, make_certificate(tmp_path))
    roles = {
        f"{role}__{what}": file
        for role in ("SCHEDULER", "WORKER", "CLIENT")
        for what, file in (("CERT", certificate), ("KEY", key))
    }
    security = {
        f"DASK_DISTRIBUTED__COMM__TLS__{name}": file for name, file in {"CA_FILE": certificate, **roles}.items()
    }
    studio.prompts(one="a fox", two="b")
    with open_machines(tmp_path / "dask", workers=1, security=security) as machines:
        words = ("run", "-q", "--engine", "dask", "--scheduler", machines.address)
        stranger = studio.start(*words)
        assert "is no Dask scheduler" in stranger.communicate(timeout=60)[1]
        assert (stranger.returncode, studio.books.creates) == (2, 0)
        known = studio.start(*words, terminal=None, **security)
        told = known.communicate(timeout=60)
    assert known.returncode == 0, told
    check(studio, tasks=2)


def test_what_is_recorded_is_what_a_run_on_one_machine_records(studio: Studio, machines: Machines) -> None:
    studio.spec("  one: {params: {prompt: a, n: 2}}\n  two: {params: {prompt: b, image: '${{ jobs.one.url }}'}}")
    (studio.root / "kirin.yaml").write_text(f"{SETTINGS}sidecar: true\n")
    assert run(studio, machines).code == 0
    far, files = studio.records, studio.outputs()
    (studio.root / "kirin.lock").unlink()
    assert studio.run("run").code == 0
    near = studio.records
    assert [without_dates(record) for record in far.values()] == [without_dates(record) for record in near.values()]
    assert studio.outputs() == files


def test_notes_are_embedded_where_the_results_are_made(studio: Studio, machines: Machines) -> None:
    (studio.root / "kirin.yaml").write_text(f"{SETTINGS}embed: true\n")
    studio.prompts(one="a fox")
    assert run(studio, machines).code == 0
    check(studio, tasks=1)
    assert b'"prompt":"a fox"' in studio.result("film:one").read_bytes()
    assert studio.records["film:one"].outputs[0].served_sha256 is not None


def without_dates(record: Record) -> Record:
    """A record, but for what no two runs have alike."""
    return replace(record, created_at="", finished_at="")


def test_results_stay_in_a_shared_folder(studio: Studio, machines: Machines) -> None:
    draw_picture(studio.root / "assets" / "fox.png")
    studio.spec("  one: {matrix: {n: [1, 2]}, params: {prompt: '${{ matrix.n }}', image: ../assets/fox.png}}")
    ran = run(studio, machines, "--shared", str(studio.root))
    assert ran.code == 0, ran.err
    check(studio, tasks=2)
    assert "give_piece" not in machines.logs.partition(studio.root.as_posix())[2]
    assert not list((studio.root / ".kirin").glob("shared-*"))


def test_a_shared_folder_that_workers_do_not_see_is_refused(studio: Studio, machines: Machines, tmp_path: Path) -> None:
    studio.prompts(one="a")
    ran = run(studio, machines, "--shared", str(tmp_path / "elsewhere"))
    assert (ran.code, len(studio.books.tasks)) == (2, 0)
    assert f"does not see this project in {tmp_path / 'elsewhere'}" in ran.err


def test_with_a_store_results_go_there_and_come_when_they_are_fetched(
    studio: Studio, machines: Machines, tmp_path: Path
) -> None:
    (studio.root / "kirin.yaml").write_text(f"{SETTINGS}store: file://{tmp_path / 'store'}\n")
    studio.spec("  one: {params: {prompt: a}}\n  two: {params: {prompt: b, image: '${{ jobs.one.file }}'}}")
    ran = run(studio, machines)
    assert ran.code == 0, ran.err
    assert studio.outputs() == []
    assert len(list((tmp_path / "store").rglob("*.*g"))) == 2
    downloads = len(studio.downloads)
    assert studio.run("fetch").code == 0
    check(studio, tasks=2)
    assert len(studio.downloads) == downloads


def at_first_create(studio: Studio, act: Callable[[], object]) -> None:
    """Do something when the first create comes: the specs are read by then."""
    done: list[object] = []

    def answer(request: web.Request) -> None:
        if request.method == "POST" and not done:
            done.append(act())

    studio.answer = answer


def test_a_file_that_changed_fails_its_job_under_its_own_name(studio: Studio, machines: Machines) -> None:
    fox = draw_picture(studio.root / "assets" / "fox.png")
    studio.spec("  one: {params: {prompt: a}}\n  two: {params: {prompt: b, image: ../assets/fox.png}, needs: [one]}")
    at_first_create(studio, lambda: fox.write_bytes(plain_picture("another")))
    ran = run(studio, machines, "--format", "json")
    assert ran.statuses == {"film:one": "completed", "film:two": "failed"}
    assert f"{fox} has changed since it was checked" in ran.out
    assert "film:two" not in studio.records


def test_the_key_is_nowhere_but_in_the_environment_of_workers(studio: Studio, machines: Machines) -> None:
    studio.prompts(one="a")
    assert run(studio, machines, "--log-file", "log.jsonl", "-v").code == 0
    assert KEY not in machines.logs
    assert all(KEY.encode() not in data for data in studio.files().values())


@pytest.mark.soak  # with a cluster of its own
def test_a_key_that_is_refused_ends_the_run_and_leaves_no_job_worse(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(**{f"job{number}": "a" for number in range(20)})
    with open_machines(tmp_path / "dask", workers=0) as machines:
        machines.start_worker(KIRIN_API_KEY="wrong")
        machines.wait_for_workers()
        ran = run(studio, machines)
    assert (ran.code, len(studio.books.tasks)) == (4, 0), ran.err
    assert studio.records == {}


@pytest.mark.soak  # with a cluster of its own
def test_a_worker_without_a_key_is_told_before_anything_is_sent(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(one="a")
    with open_machines(tmp_path / "dask", workers=1) as machines:
        machines.start_worker(KIRIN_API_KEY="")
        machines.wait_for_workers()
        ran = run(studio, machines)
    assert (ran.code, studio.records) == (4, {})
    assert "has no API key: set KIRIN_API_KEY, or KIRIN_API_KEY_FILE, in its environment" in ran.err


@pytest.mark.soak  # with a cluster of its own
def test_a_worker_with_another_program_is_refused(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(one="a")
    (tmp_path / "other" / "kirin_batch").mkdir(parents=True)
    (tmp_path / "other" / "kirin_batch" / "__init__.py").write_text('__version__ = "0.0.1"\n')
    with open_machines(tmp_path / "dask", workers=0) as machines:
        machines.start_worker(PYTHONPATH=str(tmp_path / "other"))
        machines.wait_for_workers()
        ran = run(studio, machines)
    assert (ran.code, studio.records) == (2, {})
    assert "cannot load kirin-batch as it is here" in ran.err
    assert ran.err.rstrip().endswith("install the same version there")


@pytest.mark.soak  # it waits for real: Dask knows no quicker way
def test_a_scheduler_that_is_not_there_is_told(studio: Studio) -> None:
    studio.prompts(one="a")
    ran = studio.run("run", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:9")
    assert (ran.code, studio.records) == (3, {})
    assert "the Dask scheduler tcp://127.0.0.1:9 does not answer: is it there?" in ran.err


def test_an_interrupt_leaves_all_that_is_in_flight_to_the_next_run(studio: Studio, machines: Machines) -> None:
    studio.prompts(**{f"job{number}": f"p{number}" for number in range(30)})
    studio.holds_time = True
    with start(studio.root, "run", "--engine", "dask", "--scheduler", machines.address) as begun:
        wait_until(lambda: len(studio.books.tasks) >= 10)
        begin = time.monotonic()
        ended = begun.interrupt(0)
        assert (ended.code, time.monotonic() - begin < 3) == (130, True), ended.err
    studio.holds_time = False
    assert call(studio.root, "run", "-q").code == 0
    check(studio, tasks=30)


def test_a_driver_that_is_killed_resumes_as_ever(studio: Studio, machines: Machines) -> None:
    studio.prompts(**{f"job{number}": f"p{number}" for number in range(30)})
    remote = ("run", "-q", "--engine", "dask", "--scheduler", machines.address)
    studio.holds_time = True
    with start(studio.root, *remote) as begun:
        wait_until(lambda: len(studio.books.tasks) >= 5)
        assert begun.kill(0).code == KILLED
    studio.holds_time = False
    ended = call(studio.root, *remote)
    assert ended.code == 0, ended.err
    check(studio, tasks=30)


def test_canaries_go_first_and_what_is_not_downloaded_is_fetched_later(studio: Studio, machines: Machines) -> None:
    studio.prompts(one="a", two="b", three="c")
    ran = run(studio, machines, "--canary", "1", "--yes", "--no-download", "--format", "json")
    assert (ran.code, set(ran.statuses.values()), studio.outputs()) == (0, {"completed"}, []), ran.err
    assert ran.json["canary"]
    assert run(studio, machines).code == 0
    check(studio, tasks=3)


def test_without_the_extra_the_engine_says_what_to_install(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(one="a")
    (tmp_path / "lacking" / "distributed").mkdir(parents=True)
    (tmp_path / "lacking" / "distributed" / "__init__.py").write_text("raise ImportError\n")
    path = f"{tmp_path / 'lacking'}:{CHECKOUT}"
    begun = studio.start("run", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:9", PYTHONPATH=path)
    _, err = begun.communicate(timeout=30)
    assert begun.returncode == 2
    assert "pip install 'kirin-batch[distributed]'" in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--scheduler", "tcp://127.0.0.1:9"), "add `--engine dask`"),
        (("--engine", "dask", "--sandbox"), "start `kirin-batch sandbox`"),
        (("--engine", "dask", "--shared", "here"), "give its absolute path"),
        (("--engine", "dask"), "needs --scheduler tcp://HOST:8786"),
    ],
)
def test_options_that_contradict_each_other_are_refused(studio: Studio, options: tuple[str, ...], told: str) -> None:
    studio.prompts(one="a")
    ran = studio.run("run", *options)
    assert (ran.code, studio.records) == (2, {})
    assert told in " ".join(ran.err.split())


def test_a_refusal_of_what_a_worker_that_died_may_have_sent_is_looked_into(studio: Studio, machines: Machines) -> None:
    lookups: list[str] = []

    async def hide(request: web.Request, handler: Handler) -> web.StreamResponse:
        """The task is made and refused all the same, and appears with the third lookup."""
        answer = await handler(request)
        if request.method == "POST":
            return web.json_response({"error": {"code": "1299", "message": "no"}}, status=400)
        if "/task/kb-" in request.path:
            lookups.append(request.path)
        return (
            web.json_response({"error": {"code": "1203", "message": "none"}}, status=404)
            if len(lookups) < 3
            else answer
        )

    studio.wrap = hide
    studio.prompts(one="a")
    ran = run(studio, machines)
    assert ran.code == 0, ran.out
    check(studio, tasks=1)


def test_a_worker_that_joins_late_with_another_program_refuses_what_it_is_sent(machines: Machines) -> None:
    async def send() -> Answer:
        async with open_cluster(machines.address) as cluster:
            parcel = Parcel(Program("0.0.1", "none"), "run", "key", Packed(b""), Packed(b""))
            call = cluster.submit(work, parcel)
            while not call.is_ended:
                await call.changed.wait()
            answer: Answer = (await call.result()).open()
            return answer

    trouble = asyncio.run(send()).trouble
    assert trouble is not None
    assert trouble.kind == "UsageError"
    assert trouble.message.endswith("the driver 0.0.1: install the same version on both")


@pytest.mark.soak  # with a cluster of its own
def test_a_worker_that_dies_while_it_is_asked_is_known_to_be_gone_at_once(tmp_path: Path) -> None:
    async def ask(machines: Machines) -> float:
        async with open_cluster(machines.address) as cluster:
            (worker,) = await cluster.ask_all(describe, None, seconds=10)
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(lost(cluster, worker))
                await asyncio.sleep(0.2)
                machines.workers[0].kill()
                begin = time.monotonic()
                await asking
                await lost(cluster, worker)
                return time.monotonic() - begin

    def measure(name: str) -> float:
        with open_machines(tmp_path / name, workers=1) as machines:
            return asyncio.run(ask(machines))

    # Dask itself would take 30 s. On a machine that is busy, word of the death may come late, once.
    assert measure("dask") < 3 or measure("again") < 3


async def lost(cluster: DaskCluster, worker: str) -> None:
    """Ask for something that takes long."""
    with pytest.raises(LostError, match=f"worker {worker} is gone"):
        await cluster.ask(worker, asyncio.sleep, 60.0)


class NeverBack:
    """A client of Dask's whose task that reconnects has died: it stays as it was for ever."""

    status = "connecting"
    scheduler_comm = None

    def subscribe_topic(self, topic: str, handler: object) -> None:
        assert topic
        assert callable(handler)


def test_a_connection_that_is_never_renewed_ends_the_run() -> None:
    async def wait() -> None:
        async with asyncio.timeout(5):
            await DaskCluster(NeverBack(), back_seconds=0.05).ready()

    with pytest.raises(GatewayUnreachableError, match="did not come back"):
        asyncio.run(wait())


class CutOff:
    """A future of Dask's that is finished, and whose result the connection breaks off with."""

    def add_done_callback(self, done: Callable[[object], None]) -> None:
        done(self)

    def __await__(self) -> Iterator[None]:
        yield
        raise OSError("Stream is closed")


def test_an_answer_that_breaks_off_on_its_way_is_lost_and_no_bug() -> None:
    async def hear() -> None:
        call = DaskCall(0)
        call.begin(CutOff())
        await call.result()

    with pytest.raises(LostError, match="connection"):
        asyncio.run(hear())
