"""What a worker has for a run: depot, models, and who may work for whom; without a cluster."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job_samples import picture, plan_for
from scripted_workers import TERMS, Reply, ScriptedWorkers

from kirin_batch.engines.depot import PIECE_BYTES, Depot, read_piece
from kirin_batch.engines.messages import Answer, Errand, Facts, Program, own_program, pack
from kirin_batch.engines.office import Office
from kirin_batch.engines.remote_engine import require_fitting_workers
from kirin_batch.engines.work import describe, misfit
from kirin_batch.errors import GatewayRefusedError, KirinError
from kirin_batch.models.catalog import schema_text
from kirin_batch.scheduler.life import Need, Pause

JOB = picture("s:a")
ERRAND = Errand(
    job=JOB,
    planned=plan_for([JOB]).jobs[0],
    told_params=None,
    needs={},
    recorded={},
    recorded_before=(),
    closed=frozenset(),
    worth=0.0,
    refusal=None,
)


class Station:
    """A post of nobody's: what is told is remembered, parcels are wanted until they are not."""

    def __init__(self, folder: Path) -> None:
        self.address = "tcp://nowhere"
        self.folder = folder
        self.told: list[dict[str, bytes]] = []
        self.wanted = True

    def tell(self, news: dict[str, bytes]) -> None:
        self.told.append(news)

    def is_wanted(self, run: str, key: str) -> bool:
        return self.wanted and bool(run and key)

    def is_known(self, run: str, key: str) -> bool:
        return self.is_wanted(run, key)

    def later(self, act: Callable[[], Awaitable[None]]) -> None:
        raise AssertionError(f"nothing is to be done later: {act}")


def test_large_files_travel_in_pieces_and_arrive_once_for_all_who_wait(tmp_path: Path) -> None:
    content = bytes(range(256)) * (PIECE_BYTES // 200)
    sha256 = hashlib.sha256(content).hexdigest()
    (tmp_path / "fox.png").write_bytes(content)
    depot, asked, called = Depot(tmp_path / "files"), list[str](), asyncio.Event()

    def ask() -> None:
        asked.append(sha256)
        called.set()

    async def serve() -> None:
        await called.wait()
        offset, is_last = 0, False
        while not is_last:
            data, is_last = read_piece(tmp_path / "fox.png", offset)
            await depot.take(sha256, offset, data, is_last=is_last)
            offset += len(data)

    async def bring() -> list[Path]:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(depot.bring(sha256, ask)) for _ in range(3)]
            group.create_task(serve())
        return [task.result() for task in waiting]

    (place, *others) = asyncio.run(bring())
    assert (place.read_bytes() == content, set(others), asked) == (True, {place}, [sha256])


def test_a_file_that_arrives_as_another_is_none(tmp_path: Path) -> None:
    depot = Depot(tmp_path)
    asyncio.run(depot.take("a" * 64, 0, b"another", is_last=True))
    assert (tmp_path / ("a" * 64)).read_bytes() == b""


def test_a_disk_that_refuses_a_file_is_told_to_all_who_wait(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    depot = Depot(tmp_path / "files")

    async def bring() -> str:
        with pytest.raises(KirinError) as told:
            await depot.bring("a" * 64, lambda: None)
        return str(told.value)

    async def refuse() -> list[str]:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            waiting = [group.create_task(bring()) for _ in range(2)]
            await asyncio.sleep(0)
            await depot.take("a" * 64, 0, b"fox", is_last=False)
        return [task.result() for task in waiting]

    assert ["cannot be kept" in told for told in asyncio.run(refuse())] == [True, True]


def test_a_file_is_asked_for_again_where_nobody_listens_to_who_asked(tmp_path: Path) -> None:
    depot, sha256, asked = Depot(tmp_path, again_seconds=0.001), hashlib.sha256(b"fox").hexdigest(), asyncio.Event()

    async def bring() -> list[Path]:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            waiting = [group.create_task(depot.bring(sha256, ask)) for ask in (lambda: None, asked.set)]
            await asked.wait()
            await depot.take(sha256, 0, b"fox", is_last=True)
        return [task.result() for task in waiting]

    assert [place.read_bytes() for place in asyncio.run(bring())] == [b"fox", b"fox"]


def test_another_version_and_other_schemas_do_not_fit() -> None:
    own = own_program()
    assert misfit(own, own) == ""
    told = f"has kirin-batch 0.0.1, the driver {own.version}: install the same version on both"
    assert misfit(own, replace(own, version="0.0.1")) == told
    assert "other schemas" in misfit(own, Program(own.version, "else"))


class OneDies(ScriptedWorkers):
    """Two workers, of which one goes while it is asked."""

    async def ask_all(self, function: object, *arguments: object, seconds: float) -> dict[str, Any]:
        assert (function, arguments, seconds) == (describe, (None,), 30.0)
        return {"here": Facts(own_program(), has_key=True, sees_shared=False), "gone": OSError("Stream is closed")}


def test_a_worker_that_dies_while_it_is_looked_at_is_none() -> None:
    assert asyncio.run(require_fitting_workers(OneDies(lambda _errand: Reply(None)), None)) == 1


def test_a_message_shows_nothing_of_itself() -> None:
    packed = pack(ERRAND)
    assert packed.open() == ERRAND
    assert repr(packed) == f"<{len(packed.data)} bytes>"


def test_a_worker_knows_the_further_models_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRIN_API_KEY", "sk-0123456789")
    terms = replace(TERMS, schemas={"my_image.schema.json": schema_text("kirin_v2_image")})

    async def open_and_close() -> bool:
        office = Office("run", terms, Station(tmp_path))
        known = office.catalog.model("my_image") is not None
        await office.close()
        return known

    assert asyncio.run(open_and_close())
    assert list(tmp_path.iterdir()) == []


def test_an_office_without_a_key_does_not_open(tmp_path: Path) -> None:
    async def open_one() -> None:
        Office("run", TERMS, Station(tmp_path))

    with pytest.raises(GatewayRefusedError, match="there is no API key"):
        asyncio.run(open_one())


@pytest.mark.parametrize("end", ["recalled", "unwanted"])
def test_work_that_nobody_wants_any_more_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setenv("KIRIN_API_KEY", "sk-0123456789")
    station = Station(tmp_path)

    async def work() -> Answer:
        office = Office("run", TERMS, station)  # its gateway is not there: the life waits for it for minutes
        async with asyncio.TaskGroup() as group:
            working = group.create_task(office.employ("key", ERRAND))
            await asyncio.sleep(0.1)
            if end == "recalled":
                office.recall()
            else:
                station.wanted = False
            async with asyncio.timeout(5):
                answer = await working
            await office.close()
            return answer

    answer = asyncio.run(work())
    assert (answer.found, answer.trouble, answer.has_recorded) == (None, None, False)
    assert station.told  # that it waits


def test_work_for_a_run_that_was_recalled_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRIN_API_KEY", "sk-0123456789")

    async def work() -> Answer:
        office = Office("run", TERMS, Station(tmp_path))
        office.recall()
        async with asyncio.timeout(5):
            answer = await office.employ("key", ERRAND)
        await office.close()
        return answer

    assert asyncio.run(work()).found is None


def test_an_answer_of_a_pause_keeps_what_it_is() -> None:
    answer = Answer(worker="w", found=Pause(Need.SLOTS, 1.5))
    assert pack(answer).open() == answer
