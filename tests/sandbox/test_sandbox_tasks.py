"""The life of a task: its states over time, its two names, its user, its failure, its latency."""

import asyncio
import math

import pytest
from sandbox_wire import PICTURE, SUBJECT, heavy_base64, sandboxed

from kirin_batch.sandbox import SandboxSettings, user_of

FOX = {"prompt": "a fox"}


def test_a_task_is_submitted_then_in_progress_then_completed() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            name = (await asked.create("kirin_v2_image", FOX)).body["id"]
            task = asked.sandbox.books.tasks[name]
            seen = []
            for share in (0, 0.05, 0.5, 0.99, 1):
                asked.time.now = task.created_at + share * (task.finished_at - task.created_at)
                seen.append((await asked.query(name)).body["status"])
            assert seen == ["submitted", "submitted", "in_progress", "in_progress", "completed"]

    asyncio.run(scenario())


def test_progress_grows_from_0_to_1_and_some_tasks_never_tell_it() -> None:
    async def scenario() -> None:
        async with sandboxed(SandboxSettings(limits={"image": 100})) as asked:
            names = [(await asked.create("kirin_v2_image", FOX)).body["id"] for _ in range(24)]
            asked.time.now += 8
            shown = [(await asked.query(name)).body.get("progress") for name in names]
            told = [progress for progress in shown if progress is not None]
            assert 0 < len(told) < 24
            assert all(0 < progress < 1 for progress in told)

    asyncio.run(scenario())


def test_a_completed_task_tells_its_output_and_its_cost() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            answer = await asked.finished("kirin_v3_omni_image", {**FOX, "n": 3, "resolution": "2k"})
            assert answer.body["usage"]["cost"] == "0.1260"
            assert answer.body["usage"]["discount"] == 1
            assert [content["type"] for content in answer.contents] == ["image"] * 3
            assert "error" not in answer.body

    asyncio.run(scenario())


def test_at_endless_speed_the_create_is_answered_with_the_output() -> None:
    async def scenario() -> None:
        async with sandboxed(SandboxSettings(speed=math.inf)) as asked:
            created = await asked.create("kirin_v2_image", FOX)
            assert created.body["status"] == "completed"
            assert len(created.contents) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("code", ["006001094", "006001095", "006001099"])
def test_a_prompt_can_ask_for_a_failure(code: str) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            shots = [{"index": 1, "prompt": f"fail-{code}", "duration": "5"}]
            film = {"image": PICTURE, "multi_shot": True, "shot_type": "customize", "multi_prompt": shots}
            answer = await asked.finished("kirin_v3_i2v", film)
            assert (answer.body["status"], answer.body["error"]["code"]) == ("failed", code)
            assert answer.body["error"]["error_message"]
            assert not {"output", "usage"} & answer.body.keys()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("kirin_v2_image", {"prompt": "some FORBIDDEN-content here"}),
        ("kirin_custom_elements", {**SUBJECT, "element_description": "forbidden-content"}),
    ],
)
def test_a_forbidden_prompt_is_refused_at_create(model: str, params: dict[str, object]) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            refused = await asked.create(model, params)
            assert (refused.status, refused.code) == (400, "1301")
            assert not asked.sandbox.books.tasks

    asyncio.run(scenario())


def test_a_task_is_found_by_its_id_and_by_the_id_that_the_client_gave() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            created = await asked.create("kirin_v2_image", {**FOX, "external_task_id": "kb_1-a"})
            assert (await asked.query("kb_1-a")).body == (await asked.query(created.body["id"])).body
            assert [task.external_id for task in asked.sandbox.books.by_external_id("kb_1-a")] == ["kb_1-a"]

    asyncio.run(scenario())


def test_a_second_create_with_a_taken_id_is_refused_and_never_run() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            await asked.create("kirin_v2_image", {**FOX, "external_task_id": "one"})
            again = await asked.create("kirin_v2_image", {**FOX, "external_task_id": "one"})
            assert (again.status, again.code) == (400, "1201")
            assert "external_task_id: already exists" in again.message
            books = asked.sandbox.books
            assert (len(books.tasks), books.creates, books.duplicates) == (1, 2, 1)

    asyncio.run(scenario())


def test_two_creates_with_one_id_at_once_make_one_task() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            params = {**FOX, "image": heavy_base64(200_000), "external_task_id": "one"}
            async with asyncio.TaskGroup() as group:
                sent = [group.create_task(asked.create("kirin_v2_image", params)) for _ in range(8)]
            assert sorted(task.result().status for task in sent) == [200] + [400] * 7
            assert len(asked.sandbox.books.tasks) == 1

    asyncio.run(scenario())


def test_users_have_their_own_ids_and_see_their_own_tasks() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            params = {**FOX, "external_task_id": "one"}
            alice, bob = [await asked.create("kirin_v2_image", params, key=key) for key in ("alice", "bob")]
            assert (await asked.query("one", key="bob")).body["id"] == bob.body["id"]
            hidden = await asked.query(alice.body["id"], key="bob")
            assert (hidden.status, hidden.code) == (404, "1203")
            assert [task.id for task in asked.sandbox.books.of_user(user_of("alice"))] == [alice.body["id"]]

    asyncio.run(scenario())


def test_nobody_knows_a_task_that_was_never_made() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            missing = await asked.query("kb-none")
            assert (missing.status, missing.code) == (404, "1203")
            assert asked.sandbox.books.queries == 1

    asyncio.run(scenario())


async def _latencies(seed: int) -> list[float]:
    async with sandboxed(SandboxSettings(seed=seed, limits={"image": 100})) as asked:
        for name in ("a", "b", None):
            await asked.create("kirin_v2_image", {**FOX, **({"external_task_id": name} if name else {})})
        return [task.finished_at - task.created_at for task in asked.sandbox.books.tasks.values()]


def test_the_same_seed_and_requests_give_the_same_latencies() -> None:
    first, again, other = (asyncio.run(_latencies(seed)) for seed in (7, 7, 8))
    assert first == again
    assert len({*first, *other}) == 6


def test_films_take_longer_than_images_and_images_longer_than_subjects() -> None:
    async def scenario() -> None:
        async with sandboxed(SandboxSettings(speed=20)) as asked:
            for model, params in (
                ("kirin_custom_elements", SUBJECT),
                ("kirin_v2_image", FOX),
                ("kirin_v3_i2v", {**FOX, "image": PICTURE}),
            ):
                assert (await asked.create(model, params)).status == 200
            taken = [task.finished_at - task.created_at for task in asked.sandbox.books.tasks.values()]
            assert taken == sorted(taken)
            assert 180 / 20 / 4 < taken[-1] < 180 / 20 * 4

    asyncio.run(scenario())


def test_the_books_keep_no_key_and_no_megabytes() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            image = heavy_base64(80_000)
            references = [{"image": image}]
            created = await asked.create("kirin_v3_omni_image", {**FOX, "image_list": references}, key="sk-secret")
            assert created.status == 200
            assert "sk-secret" not in repr(asked.sandbox.books)
            assert len(repr(asked.sandbox.books)) < 5000

    asyncio.run(scenario())
