"""The life of a job whose work others do: what is on disk when, whatever becomes of the workers."""

import asyncio
import hashlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from job_samples import picture, record_of
from scripted_workers import Driver, Lost, Reply, in_turn, shared
from studio import plain_picture

from kirin_batch.engines.messages import Answer, Ended, Errand, Heard, Kept, Observed, Taken, Told, Trouble
from kirin_batch.errors import GatewayRefusedError, KirinError, UsageError
from kirin_batch.identity import external_task_id
from kirin_batch.jobs import LocalFile
from kirin_batch.records import Output, Status, TaskError
from kirin_batch.scheduler.life import Need, Pause
from kirin_batch.scheduler.observer import Stage
from kirin_batch.scheduler.outcome import Outcome

JOB = picture("s:a")
ID = JOB.external_task_id
INTENT = record_of(JOB, Status.IN_FLIGHT, task_id=None)
IN_FLIGHT = record_of(JOB, Status.IN_FLIGHT)
DONE = replace(record_of(JOB), outputs=())
COMPLETED = Answer(worker="w", found=Outcome(Status.COMPLETED, cost=Decimal("0.028")), record=DONE, has_recorded=True)
NOTHING_DONE = Answer(worker="w", found=Outcome(Status.IN_FLIGHT, TaskError("", "the gateway says nothing")))
TAKEN_BACK = Answer(worker="w", has_recorded=True, trouble=Trouble("GatewayRefusedError", "no balance"))


def test_the_intent_is_on_disk_before_the_errand_leaves_and_all_news_is_before_the_end(tmp_path: Path) -> None:
    news = (Told(Stage.CREATING, ""), Kept(INTENT), Taken(), Kept(IN_FLIGHT), Told(Stage.RUNNING, ""), Ended())
    driver = Driver(tmp_path, in_turn(Reply(COMPLETED, news)))
    assert driver.run(JOB) == {"s:a": Outcome(Status.COMPLETED, cost=Decimal("0.028"))}
    assert driver.acts == [
        "record in_flight None",
        f"send {ID}",
        "record in_flight task-1",
        "record completed task-1",
        "dismiss",
    ]
    assert [stage for _, stage, _ in driver.watcher.stages] == [Stage.CREATING, Stage.RUNNING, Stage.COMPLETED]


def test_slots_are_free_when_the_task_has_ended_and_not_before(tmp_path: Path) -> None:
    other = picture("s:b")
    is_late: list[bool] = []

    def reply(errand: Errand) -> Reply:
        if errand.job.id == "s:a":
            return Reply(None, (Kept(IN_FLIGHT), Ended()))
        first = driver.workers.calls[0]
        is_late.append(not first.news)
        first.end(Reply(COMPLETED))
        return Reply(replace(COMPLETED, record=record_of(other)))

    driver = Driver(tmp_path, reply)
    outcomes = driver.run(JOB, other, slots=1)
    assert [outcome.status for outcome in outcomes.values()] == [Status.COMPLETED] * 2
    assert is_late == [True]


@pytest.mark.parametrize("status", [Status.IN_FLIGHT, Status.FAILED])
def test_an_intent_that_came_to_nothing_is_taken_back_unless_a_worker_was_lost(tmp_path: Path, status: Status) -> None:
    reply = replace(NOTHING_DONE, found=Outcome(status, TaskError("", "the gateway says nothing")))
    driver = Driver(tmp_path, in_turn(Reply(reply)))
    driver.run(JOB)
    assert driver.memory.records == {}
    driver = Driver(tmp_path, in_turn(Reply(reply, losses=1)))
    driver.run(JOB)
    assert driver.memory.records["s:a"].status is Status.IN_FLIGHT


def test_an_intent_of_which_an_errand_was_lost_stays(tmp_path: Path) -> None:
    driver = Driver(tmp_path, in_turn(Lost(), Reply(NOTHING_DONE)))
    driver.run(JOB)
    assert driver.memory.records["s:a"].status is Status.IN_FLIGHT


@pytest.mark.parametrize("losses", [0, 1])
def test_a_refusal_of_the_account_leaves_no_job_worse_and_none_that_may_exist_unknown(
    tmp_path: Path, losses: int
) -> None:
    driver = Driver(tmp_path, in_turn(Reply(TAKEN_BACK, (Kept(INTENT),), losses)))
    with pytest.raises(GatewayRefusedError, match="no balance"):
        driver.run(JOB)
    assert len(driver.memory.records) == losses
    assert "recall" in driver.acts


def test_an_earlier_record_comes_back_with_an_intent_that_is_taken_back(tmp_path: Path) -> None:
    earlier = record_of(picture("s:a", take=2))
    driver = Driver(tmp_path, in_turn(Reply(NOTHING_DONE)), [earlier])
    driver.run(JOB)
    assert driver.memory.records == {"s:a": earlier}
    assert driver.acts[:3] == ["record in_flight None", f"send {ID}", "record completed task-1"]


def test_a_task_that_is_known_needs_no_intent(tmp_path: Path) -> None:
    driver = Driver(tmp_path, in_turn(Reply(COMPLETED)), [IN_FLIGHT])
    driver.run(JOB)
    assert driver.acts == [f"send {ID}", "record completed task-1", "dismiss"]


def test_what_the_gateway_has_no_slot_for_waits_in_line_here_and_is_sent_again(tmp_path: Path) -> None:
    refused = Answer(worker="w", found=Pause(Need.REFUSED_SLOTS), record=INTENT, has_recorded=True, is_unsent=True)
    driver = Driver(tmp_path, in_turn(Reply(replace(refused, retry_after=30.0)), Reply(COMPLETED)))
    assert driver.run(JOB)["s:a"].status is Status.COMPLETED
    assert driver.acts.count("record in_flight None") == 1
    assert driver.clock.seconds >= 30


def test_slots_shrink_with_a_refusal_and_grow_with_each_task_that_is_taken(tmp_path: Path) -> None:
    refused = Answer(worker="w", found=Pause(Need.REFUSED_SLOTS), record=INTENT, has_recorded=True, is_unsent=True)
    driver = Driver(tmp_path, in_turn(Reply(refused), Reply(COMPLETED, (Taken(),))))
    driver.run(JOB)
    assert driver.watcher.slots[-1] == {"image": (0, 2)}


@pytest.mark.parametrize(("losses", "is_unsent", "left"), [(0, True, 0), (1, True, 1), (0, False, 1)])
def test_a_stop_withdraws_what_waits_in_line_if_surely_nothing_came_of_it(
    tmp_path: Path, losses: int, left: int, *, is_unsent: bool
) -> None:
    refused = Answer(worker="w", found=Pause(Need.REFUSED_SLOTS), record=INTENT, has_recorded=True)

    def reply(_errand: Errand) -> Reply:
        driver.stop_later()
        return Reply(replace(refused, is_unsent=is_unsent, retry_after=60.0), (), losses)

    driver = StoppedLater(tmp_path, reply)
    driver.run(JOB)
    assert len(driver.memory.records) == left


def test_what_was_sent_as_the_run_was_stopped_is_still_heard(tmp_path: Path) -> None:
    def reply(_errand: Errand) -> Reply:
        driver.stop()
        return Reply(replace(NOTHING_DONE, found=None, record=IN_FLIGHT, has_recorded=True))

    driver = Driver(tmp_path, reply)
    driver.run(JOB)
    assert driver.memory.records["s:a"].task_id == "task-1"


class StoppedLater(Driver):
    """A driver that is stopped when its job is back in line."""

    def stop_later(self, rounds: int = 8) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self.stop_later, rounds - 1) if rounds else self.stop()


def test_an_errand_that_is_lost_is_sent_again_with_all_that_is_known(tmp_path: Path) -> None:
    driver = Driver(tmp_path, in_turn(Lost(), Reply(NOTHING_DONE, (Kept(IN_FLIGHT),))))
    driver.run(JOB)
    assert driver.acts[:4] == ["record in_flight None", f"send {ID}", "ready", f"send {ID}"]
    assert driver.memory.records["s:a"].task_id == "task-1"


def test_an_errand_that_is_lost_again_and_again_is_left_for_the_next_run(tmp_path: Path) -> None:
    driver = Driver(tmp_path, lambda _errand: Lost())
    outcome = driver.run(JOB)["s:a"]
    assert outcome == Outcome(Status.IN_FLIGHT, TaskError("", "workers died with it, again and again"))
    assert len(driver.workers.errands) == 9
    assert driver.memory.records["s:a"].status is Status.IN_FLIGHT


@pytest.mark.parametrize(
    ("news", "losses", "is_adopted"), [((), 0, True), ((), 1, False), ((Kept(INTENT), Kept(IN_FLIGHT)), 0, False)]
)
def test_only_a_task_that_no_worker_of_this_run_can_have_made_counts_as_adopted(
    tmp_path: Path, news: tuple[Kept, ...], losses: int, *, is_adopted: bool
) -> None:
    found = Outcome(Status.COMPLETED, cost=Decimal("0.028"), is_adopted=True)
    driver = Driver(tmp_path, in_turn(Reply(replace(COMPLETED, found=found), news, losses)))
    assert driver.run(JOB)["s:a"].is_adopted is is_adopted


def test_a_further_attempt_has_an_intent_and_an_errand_of_its_own(tmp_path: Path) -> None:
    again = external_task_id("", "s:a", JOB.digest, 2)
    failed = replace(record_of(JOB, Status.FAILED), error=TaskError("006001094", "full"))
    paused = Answer(
        worker="w", found=Pause(Need.SLOTS, 1.0), record=failed, has_recorded=True, attempt=2, external_id=again
    )
    driver = Driver(tmp_path, in_turn(Reply(paused), Reply(COMPLETED)))
    driver.run(JOB)
    assert driver.acts[2:5] == ["record failed task-1", "record in_flight None", f"send {again}"]
    assert driver.workers.errands[1].planned.record == failed


def test_a_bug_of_a_worker_is_shown_as_one_and_an_error_as_what_it_is(tmp_path: Path) -> None:
    for trouble, error in (
        (Trouble("", "Traceback: in the worker"), RuntimeError),
        (Trouble("UsageError", "worker w has kirin-batch 0.1"), UsageError),
        (Trouble("StoreError", "no room"), KirinError),
    ):
        driver = Driver(tmp_path, in_turn(Reply(Answer(worker="w", trouble=trouble))))
        with pytest.raises((error, BaseExceptionGroup)) as caught:
            driver.run(JOB)
        shown = caught.value.exceptions[0] if isinstance(caught.value, BaseExceptionGroup) else caught.value
        assert (type(shown), trouble.message in str(shown)) == (error, True)


def held(content: bytes) -> Reply:
    """A result that waits at a worker."""
    output = Output("https://results.example/1.png", "image", "far/1.png", hashlib.sha256(content).hexdigest(), 3)
    return Reply(replace(COMPLETED, record=replace(DONE, outputs=(output,)), held=("/far/1.png",)))


def test_results_come_from_the_worker_that_holds_them_and_are_held_against_their_hash(tmp_path: Path) -> None:
    job = replace(JOB, output_stem="outputs/a/{index}{ext}")
    driver = Driver(tmp_path, in_turn(held(plain_picture("a"))))
    driver.workers.pieces["/far/1.png"] = plain_picture("a")
    assert driver.run(job)["s:a"].error is None
    assert (tmp_path / "outputs/a/1.png").read_bytes() == plain_picture("a")
    assert driver.memory.records["s:a"].outputs[0].path == "outputs/a/1.png"
    assert driver.workers.calls[0].is_released
    driver = Driver(tmp_path, in_turn(held(plain_picture("a"))))
    driver.workers.pieces["/far/1.png"] = plain_picture("another")
    assert driver.run(job)["s:a"].error == TaskError("", "its results changed on their way here")


def test_results_that_were_lost_with_their_worker_are_made_good_by_another(tmp_path: Path) -> None:
    job = replace(JOB, output_stem="outputs/a/{index}{ext}")
    first = replace(held(plain_picture("a")), news=(Kept(IN_FLIGHT),))

    def reply(errand: Errand) -> Reply:
        if errand.planned.record == IN_FLIGHT:
            driver.workers.pieces["/far/1.png"] = plain_picture("a")
        return first

    driver = Driver(tmp_path, reply)
    assert driver.run(job)["s:a"].error is None
    assert len(driver.workers.errands) == 2


def test_what_workers_learn_the_driver_knows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(tmp_path, in_turn(Reply(COMPLETED, (Observed(1.0, 2.0), Heard("kb-1", is_found=False)))))
    driver.run(JOB)
    assert "kb-1 is there and not found" in caplog.text


def test_in_a_shared_folder_files_of_the_project_are_named_by_their_place_in_it(tmp_path: Path) -> None:
    inside, outside = LocalFile(tmp_path / "fox.png", "a" * 64), LocalFile(Path("/elsewhere/fox.png"), "b" * 64)
    job = replace(JOB, files={("image",): inside, ("other",): outside})
    driver = Driver(tmp_path, in_turn(Reply(COMPLETED)))
    shared(driver, Path("/mnt/project"))
    driver.run(job)
    sent = driver.workers.errands[0].job.files
    assert [str(file.path) for file in sent.values()] == ["fox.png", "/elsewhere/fox.png"]
