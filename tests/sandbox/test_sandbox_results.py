"""The results' site and the shapes in which results are told."""

import asyncio
import re

import pytest
from sandbox_wire import PICTURE, Reply, Sandboxed, sandboxed

from kirin_batch.sandbox import SandboxSettings
from kirin_batch.sandbox.orders import PictureOrder, Scene
from kirin_batch.sandbox.results import Results

FOX = {"prompt": "a fox"}


async def picture_url(asked: Sandboxed) -> str:
    answer = await asked.finished("kirin_v2_image", FOX)
    return str(answer.contents[0]["url"])


def test_a_result_lies_on_another_port_under_a_path_that_nobody_guesses() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            url = await picture_url(asked)
            assert not url.startswith(asked.sandbox.base_url)
            assert re.fullmatch(asked.sandbox.results_url + r"/[\w-]{32}/result\.(jpg|png)", url)
            assert (await asked.fetch(f"{url}x")).status == 404

    asyncio.run(scenario())


def test_a_download_has_its_length_and_type_and_is_counted() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            url = await picture_url(asked)
            answer = await asked.fetch(url)
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) == len(answer.raw)
            assert answer.headers["Content-Type"] == ("image/png" if url.endswith(".png") else "image/jpeg")
            assert asked.sandbox.books.downloads == 1

    asyncio.run(scenario())


def test_a_download_that_carries_a_key_is_refused_and_counted_as_a_leak() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            answer = await asked.fetch(await picture_url(asked), Authorization="Bearer alice")
            assert answer.status == 400
            assert (asked.sandbox.books.downloads, asked.sandbox.books.downloads_with_key) == (0, 1)

    asyncio.run(scenario())


RANGES = [
    pytest.param("bytes=0-9", slice(0, 10), id="first ten"),
    pytest.param("bytes=10-", slice(10, None), id="without the first ten"),
    pytest.param("bytes=-10", slice(-10, None), id="last ten"),
    pytest.param("bytes=-99999999", slice(0, None), id="more than there is, from the end"),
    pytest.param("bytes=5-99999999", slice(5, None), id="more than there is"),
]


@pytest.mark.parametrize(("wanted", "part"), RANGES)
def test_a_part_of_a_result_can_be_asked_for(wanted: str, part: slice) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            url = await picture_url(asked)
            whole = (await asked.fetch(url)).raw
            answer = await asked.fetch(url, Range=wanted)
            start, end, _ = part.indices(len(whole))
            assert (answer.status, answer.raw) == (206, whole[part])
            assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(whole)}"

    asyncio.run(scenario())


def test_a_part_is_served_of_the_version_that_it_is_asked_of() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            url = await picture_url(asked)
            whole = await asked.fetch(url)
            assert re.fullmatch(r'"[\w-]+"', whole.headers["ETag"])
            same = await asked.fetch(url, **{"Range": "bytes=10-", "If-Range": whole.headers["ETag"]})
            assert (same.status, same.raw) == (206, whole.raw[10:])
            assert same.headers["ETag"] == whole.headers["ETag"]
            other = await asked.fetch(url, **{"Range": "bytes=10-", "If-Range": '"another"'})
            assert (other.status, other.raw) == (200, whole.raw)

    asyncio.run(scenario())


def test_two_results_have_two_versions() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            first, second = [await asked.fetch(await picture_url(asked)) for _ in range(2)]
            assert first.headers["ETag"] != second.headers["ETag"]

    asyncio.run(scenario())


@pytest.mark.parametrize("wanted", ["bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", f"bytes={'9' * 5000}-"])
def test_a_range_that_is_not_understood_gives_the_whole(wanted: str) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            answer = await asked.fetch(await picture_url(asked), Range=wanted)
            assert (answer.status, answer.headers["Accept-Ranges"]) == (200, "bytes")

    asyncio.run(scenario())


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=5-4", "bytes=-0"])
def test_a_range_outside_the_result_is_416(wanted: str) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            answer = await asked.fetch(await picture_url(asked), Range=wanted)
            assert answer.status == 416
            assert re.fullmatch(r"bytes \*/\d+", answer.headers["Content-Range"])

    asyncio.run(scenario())


async def _shapes(asked: Sandboxed) -> set[tuple[int, ...]]:
    answers = [await asked.finished("kirin_v2_image", {**FOX, "n": 3}) for _ in range(16)]
    assert all(len({content["url"] for content in answer.contents}) == 3 for answer in answers)
    return {tuple(len(group["content"]) for group in answer.body["output"]) for answer in answers}


def test_several_images_come_in_one_group_or_in_several() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            assert await _shapes(asked) == {(3,), (1, 1, 1), (1, 2)}

    asyncio.run(scenario())


def test_one_image_comes_in_one_group() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            answers = [await asked.finished("kirin_v2_image", FOX) for _ in range(12)]
            assert {len(answer.body["output"]) for answer in answers} == {1}

    asyncio.run(scenario())


async def _films(asked: Sandboxed) -> list[Reply]:
    return [await asked.finished("kirin_v3_i2v", {"prompt": "x", "image": PICTURE}) for _ in range(16)]


def test_a_film_is_a_video_or_a_video_url_and_its_duration_a_number_or_a_string() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            contents = [content for answer in await _films(asked) for content in answer.contents]
            assert {content["type"] for content in contents} == {"video", "video_url"}
            assert {repr(content["duration"]) for content in contents} == {"5", "'5'"}

    asyncio.run(scenario())


def test_some_answers_tell_quantity_and_unit_price() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            usages = [answer.body["usage"] for answer in await _films(asked)]
            assert {usage["cost"] for usage in usages} == {"0.4200"}
            told = [usage for usage in usages if "quantity" in usage]
            assert 0 < len(told) < len(usages)
            assert {(usage["quantity"], usage["unit_price"]) for usage in told} == {(5, "0.0840")}

    asyncio.run(scenario())


def test_a_result_that_fell_out_of_the_cache_is_painted_again_byte_by_byte() -> None:
    async def scenario() -> None:
        results = Results(most_cached_bytes=1)
        scene = Scene("a fox", "1")
        first, second = (results.add(PictureOrder(96, 54, "jpeg", scene, label)) for label in ("1/2", "2/2"))
        before = await results.content(first)
        assert await results.content(first) is before
        await results.content(second)
        again = await results.content(first)
        assert again == before
        assert again is not before

    asyncio.run(scenario())


def test_one_picture_asked_for_by_many_at_once_is_painted_once() -> None:
    async def scenario() -> None:
        async with sandboxed(SandboxSettings(seed=3)) as asked:
            url = await picture_url(asked)
            async with asyncio.TaskGroup() as group:
                asks = [group.create_task(asked.fetch(url)) for _ in range(6)]
            assert len({ask.result().raw for ask in asks}) == 1

    asyncio.run(scenario())
