"""Films: files that play, of the asked length, shape and sound."""

import asyncio
import io
import math
import threading
import time
from typing import Any

import aiohttp
import av
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from sandbox_wire import PICTURE, Sandboxed, base64_image, sandboxed

from kirin_batch.sandbox import Sandbox, SandboxSettings
from kirin_batch.sandbox.films import codec_among, encode_film
from kirin_batch.sandbox.orders import FilmOrder, Scene, Shot

FILM = {"prompt": "it walks away", "image": PICTURE, "duration": "3"}
SHOTS = (Shot(Scene("night", "1"), "first", 1), Shot(Scene("snow", "2"), "second", 2))
SMALL = FilmOrder(160, 90, SHOTS, sound=True, label="x")


async def film_of(asked: Sandboxed, params: dict[str, Any]) -> bytes:
    answer = await asked.finished("kirin_v3_i2v", params)
    reply = await asked.fetch(answer.contents[0]["url"])
    assert reply.headers["Content-Type"] == "video/mp4"
    return reply.raw


@pytest.mark.parametrize(
    ("changes", "size", "has_sound"),
    [
        pytest.param({"sound": "on"}, (1280, 720), True, id="with sound"),
        pytest.param({"image": base64_image(300, 450)}, (720, 1080), False, id="the shape of the image"),
    ],
)
def test_a_film_has_the_asked_length_size_and_sound(
    changes: dict[str, Any], size: tuple[int, int], *, has_sound: bool
) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            data = await film_of(asked, {**FILM, **changes})
        with av.open(io.BytesIO(data), "r") as film:
            assert (film.streams.video[0].width, film.streams.video[0].height) == size
            assert film.duration is not None
            assert abs(film.duration / 1_000_000 - 3) < 0.1
            assert bool(film.streams.audio) is has_sound
            assert sum(1 for _ in film.decode(video=0)) == 24

    asyncio.run(scenario())


def test_a_pro_film_has_1080_rows() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            await asked.create("kirin_v3_i2v", {**FILM, "mode": "pro"})
            [task] = asked.sandbox.books.tasks.values()
            order = asked.sandbox.order_of(task.results[0])
            assert order is not None
            assert (order.width, order.height) == (1920, 1080)

    asyncio.run(scenario())


@pytest.mark.parametrize(("ratio", "size"), [((1200, 300), (1800, 720)), ((300, 1200), (720, 1800))])
def test_a_film_is_never_longer_than_2_5_to_1_whatever_its_end_frame(
    ratio: tuple[int, int], size: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            params = {"prompt": "x", "image_tail": base64_image(*ratio)}
            await asked.create("kirin_v3_i2v", params)
            [task] = asked.sandbox.books.tasks.values()
            order = asked.sandbox.order_of(task.results[0])
            assert order is not None
            assert (order.width, order.height) == size

    asyncio.run(scenario())


def test_a_film_begins_with_the_picture_that_the_sandbox_made_for_it() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            picture = await asked.finished("kirin_v2_image", {"prompt": "a fox", "aspect_ratio": "1:1"})
            url = picture.contents[0]["url"]
            film = await asked.create("kirin_v3_i2v", {**FILM, "image": url})
            [result] = asked.sandbox.books.tasks[film.body["id"]].results
            still, moving = asked.sandbox.order_of(url), asked.sandbox.order_of(result)
            assert isinstance(moving, FilmOrder)
            assert moving.shots[0].scene == still.scene  # type: ignore[union-attr] # a picture, as asked for above
            assert (moving.width, moving.height, moving.shots[0].caption) == (720, 720, "it walks away")

    asyncio.run(scenario())


def test_each_shot_shows_its_own_picture_at_its_own_time() -> None:
    with av.open(io.BytesIO(encode_film(SMALL, stop=threading.Event())), "r") as film:
        brightness = [sum(bytes(frame.planes[0])[:3200]) for frame in film.decode(video=0)]  # of the upper twenty rows
    assert len(brightness) == 24
    assert max(brightness[:8]) < min(brightness[8:])  # one second of night, two of snow


def test_the_shots_of_a_request_come_in_the_order_of_their_index() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            shots = [{"index": 2, "prompt": "b", "duration": "2"}, {"index": 1, "prompt": "a", "duration": "3"}]
            params = {"image": PICTURE, "multi_shot": True, "shot_type": "customize", "multi_prompt": shots}
            film = await asked.create("kirin_v3_i2v", params)
            order = asked.sandbox.order_of(asked.sandbox.books.tasks[film.body["id"]].results[0])
            assert isinstance(order, FilmOrder)
            assert [(shot.caption, shot.seconds) for shot in order.shots] == [("a", 3), ("b", 2)]

    asyncio.run(scenario())


def test_the_same_film_has_the_same_bytes() -> None:
    first, again = (encode_film(SMALL, stop=threading.Event()) for _ in range(2))
    assert first == again


def test_the_sandbox_stops_without_waiting_for_a_film_in_work() -> None:
    asked_for = asyncio.Event()

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked_for.set()
        return await handler(request)

    async def scenario() -> int:
        settings = SandboxSettings(speed=math.inf, result_middlewares=(tell,))
        async with aiohttp.ClientSession() as session, Sandbox(settings) as sandbox:
            asked = Sandboxed(sandbox, session)
            film = await asked.create("kirin_v3_i2v", {**FILM, "mode": "pro", "duration": "15"})
            async with asyncio.TaskGroup() as group:
                fetching = group.create_task(asked.fetch(film.contents[0]["url"]))
                await asked_for.wait()
                await sandbox.__aexit__(None, None, None)
        return fetching.result().status

    started = time.monotonic()
    assert asyncio.run(asyncio.wait_for(scenario(), timeout=10)) == 503
    assert time.monotonic() - started < 2.5  # painting the film would take twice as long


def test_a_film_in_work_ends_when_the_sandbox_stops() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedError):
        encode_film(SMALL, stop=stop)


def test_without_x264_a_film_is_mpeg_4() -> None:
    assert codec_among({"libx264", "mpeg4"})[0] == "libx264"
    assert codec_among({"mpeg4"})[0] == "mpeg4"
