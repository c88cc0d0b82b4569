"""Slots: counted per account and kind, weighted by images, held until the task ends."""

import asyncio

from sandbox_wire import PICTURE, sandboxed

from kirin_batch.sandbox import SandboxSettings

FOX = {"prompt": "a fox"}
FILM = {"prompt": "it walks", "image": PICTURE}
SMALL = SandboxSettings(limits={"image": 4, "video": 1})


def test_over_the_limit_a_create_is_answered_with_1303_and_a_time_to_wait() -> None:
    async def scenario() -> None:
        async with sandboxed(SMALL) as asked:
            assert (await asked.create("kirin_v2_image", {**FOX, "n": 3})).status == 200
            refused = await asked.create("kirin_v2_image", {**FOX, "n": 2})
            assert (refused.status, refused.code) == (429, "1303")
            assert refused.message == "parallel task over resource pack limit"
            assert int(refused.headers["Retry-After"]) >= 1
            assert asked.sandbox.books.refusals == {"1303": 1}

    asyncio.run(scenario())


def test_a_refused_create_leaves_its_id_free() -> None:
    async def scenario() -> None:
        async with sandboxed(SMALL) as asked:
            await asked.create("kirin_v2_image", {**FOX, "n": 4})
            assert (await asked.create("kirin_v2_image", {**FOX, "external_task_id": "one"})).status == 429
            assert (await asked.query("one")).status == 404

    asyncio.run(scenario())


def test_slots_come_back_when_the_task_ends() -> None:
    async def scenario() -> None:
        async with sandboxed(SMALL) as asked:
            await asked.finished("kirin_v2_image", {**FOX, "n": 4})
            assert (await asked.create("kirin_v2_image", {**FOX, "n": 4})).status == 200
            assert asked.sandbox.books.peak_slots == {"image": 4}

    asyncio.run(scenario())


def test_images_and_films_have_slots_of_their_own() -> None:
    async def scenario() -> None:
        async with sandboxed(SMALL) as asked:
            assert (await asked.create("kirin_v2_image", {**FOX, "n": 4})).status == 200
            assert (await asked.create("kirin_v3_i2v", FILM)).status == 200
            assert (await asked.create("kirin_v3_i2v", FILM)).code == "1303"
            assert asked.sandbox.books.peak_slots == {"image": 4, "video": 1}

    asyncio.run(scenario())


def test_each_user_has_slots_of_their_own() -> None:
    async def scenario() -> None:
        async with sandboxed(SMALL) as asked:
            for key in ("alice", "bob"):
                assert (await asked.create("kirin_v3_i2v", FILM, key=key)).status == 200
            assert asked.sandbox.books.peak_slots == {"video": 1}

    asyncio.run(scenario())


def test_a_series_takes_as_many_slots_as_it_makes_images() -> None:
    async def scenario() -> None:
        async with sandboxed(SandboxSettings(limits={"image": 5})) as asked:
            series = {**FOX, "result_type": "series"}
            assert (await asked.create("kirin_v3_omni_image", {**series, "series_amount": 9})).status == 429
            created = await asked.create("kirin_v3_omni_image", series)  # four, by default
            assert asked.sandbox.books.tasks[created.body["id"]].slots == 4
            assert (await asked.create("kirin_v2_1_reference2image", _reference(n=2))).status == 429
            assert (await asked.create("kirin_v2_1_reference2image", _reference(n=1))).status == 200

    asyncio.run(scenario())


def _reference(*, n: int) -> dict[str, object]:
    return {"subject_image_list": [{"subject_image": PICTURE}], "n": n}
