"""What the client sends, what it never sends, and what it tells of every way in which a connection can end."""

import asyncio
import gc
import json
import logging
import time
from collections.abc import Mapping

import pytest
from fake_clock import FakeClock
from gateway_wire import KEY, Break, Sent, Wire, answer, serve, settings_for

from kirin_batch.clock import Clock
from kirin_batch.errors import UsageError
from kirin_batch.gateway.answers import Answer, Broken, Busy, Denied, Gateway, Missing, Received, Running, Unknown
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.settings import GatewaySettings

TASK = answer(200, {"id": "t", "status": "in_progress"})
PARAMS: Mapping[str, object] = {"prompt": "a fox — 狐", "n": 2, "external_task_id": "kb-1"}


async def create(settings: GatewaySettings, *, clock: Clock | None = None) -> Answer:
    async with HttpGateway(settings, clock=clock) as gateway:
        return await gateway.create("kirin_v2_image", PARAMS)


async def query(settings: GatewaySettings, task: str = "t") -> Answer:
    async with HttpGateway(settings) as gateway:
        return await gateway.query(task)


def created(*script: bytes | Break, timeout_seconds: float = 5.0) -> tuple[Answer, list[Sent]]:
    async def scenario() -> tuple[Answer, list[Sent]]:
        async with serve(*script) as wire:
            return await create(settings_for(wire, timeout_seconds=timeout_seconds)), wire.requests

    return asyncio.run(scenario())


def queried(task: str, *script: bytes | Break, path: str = "") -> tuple[Answer, list[Sent]]:
    async def scenario() -> tuple[Answer, list[Sent]]:
        async with serve(*script) as wire:
            return await query(settings_for(f"{wire.url}{path}"), task), wire.requests

    return asyncio.run(scenario())


def test_a_create_posts_model_and_params_with_the_key() -> None:
    said, (sent,) = created(TASK)
    assert said == Running("t")
    assert (sent.method, sent.target) == ("POST", "/model/v1/generation")
    assert sent.json() == {"model": "kirin_v2_image", "input": [{"params": PARAMS}]}
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"


def test_a_query_gets_the_task_with_the_key() -> None:
    said, (sent,) = queried("t-1", TASK)
    assert said == Running("t")
    assert (sent.method, sent.target, sent.body) == ("GET", "/model/v1/generation/task/t-1", b"")
    assert sent.headers["authorization"] == f"Bearer {KEY}"


def test_a_query_by_a_strange_id_stays_one_segment_of_the_path() -> None:
    _, (sent,) = queried("a/../b c?d#e%41é", TASK)
    assert sent.target == "/model/v1/generation/task/a%2F..%2Fb%20c%3Fd%23e%2541%C3%A9"


def test_a_base_url_may_have_a_path_and_a_slash_at_its_end() -> None:
    _, (sent,) = queried("t", TASK, path="/proxy/")
    assert sent.target == "/proxy/model/v1/generation/task/t"


def test_images_of_many_megabytes_arrive_whole() -> None:
    async def scenario() -> int:
        async with serve(TASK) as wire, HttpGateway(settings_for(wire)) as gateway:
            assert await gateway.create("m", {"image": "A" * 3_000_000}) == Running("t")
            return len(wire.requests[0].json()["input"][0]["params"]["image"])

    assert asyncio.run(scenario()) == 3_000_000


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (answer(404, b"<html>"), Missing()),
        (answer(429, {"code": 1302, "message": "too fast"}, Retry_After="2"), Busy(2.0, "1302", "too fast")),
        (answer(429, {"message": "m"}, Retry_After="Thu, 01 Jan 1970 00:00:09 GMT"), Busy(9.0, "", "m")),
    ],
)
def test_status_headers_and_body_reach_the_answer(told: bytes, said: Answer) -> None:
    async def scenario() -> Answer:
        async with serve(told) as wire:
            return await create(settings_for(wire), clock=FakeClock())

    assert asyncio.run(scenario()) == said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    async def scenario() -> tuple[Answer, list[Sent]]:
        async with serve(TASK) as other, serve(answer(status, Location=f"{other.url}/there")) as wire:
            return await create(settings_for(wire)), other.requests

    said, followed = asyncio.run(scenario())
    assert isinstance(said, Unknown)
    assert (followed, "redirect" in said.reason) == ([], True)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Break.RESET, "the connection broke"),
        (Break.CLOSE, "closed before the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{", "not the HTTP that was expected"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99_999 + b"\r\n\r\n", "not the HTTP that was expected"),
        (b"HTTP/1.1 what\r\n\r\n", "not the HTTP that was expected"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not the HTTP that was expected"),
        (b"\x00\xff" * 50, "not the HTTP that was expected"),
        (answer(200, b'{"id": "t", '), "HTTP 200 without a task"),
        (answer(503, b"<html>busy</html>"), "HTTP 503, an HTML page"),
        (answer(200, b" " * (16 * 1024**2 + 1)), "more than 16777216 bytes"),
    ],
)
def test_an_answer_that_tells_nothing_is_unknown(told: bytes | Break, words: str) -> None:
    said, requests = created(told)
    assert isinstance(said, Unknown)
    assert words in said.reason
    assert len(requests) == 1  # a create is never sent again by the library


def test_silence_is_unknown_after_the_time_out() -> None:
    said, _ = created(Break.SILENCE, timeout_seconds=0.1)
    assert said == Unknown("no answer in time")


def test_a_server_that_is_not_there_was_surely_never_reached() -> None:
    async def scenario() -> Answer:
        async with serve(TASK) as wire:
            pass
        return await create(settings_for(wire))

    said = asyncio.run(scenario())
    assert isinstance(said, Broken)
    assert said.reason.startswith("no connection to 127.0.0.1: ")


def test_a_handshake_that_fails_was_surely_never_past() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
        writer.close()

    async def scenario() -> Answer:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            return await create(settings_for(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"))

    said = asyncio.run(scenario())
    assert isinstance(said, Broken)
    assert "SSL" in said.reason


def test_a_handshake_without_end_was_surely_never_past() -> None:
    async def scenario() -> Answer:
        async with serve(TASK) as wire:
            return await create(settings_for(wire.url.replace("http:", "https:"), timeout_seconds=0.2))

    assert asyncio.run(scenario()) == Broken("no connection in time")


@pytest.mark.parametrize("url", ["http://a..b", f"http://{'a' * 64}.test", "http://127.1"])
def test_a_base_url_that_no_name_service_can_hold_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="KIRIN_BASE_URL"):
        asyncio.run(create(settings_for(url)))


def test_a_key_that_is_echoed_reaches_nobody() -> None:
    body = {"error": {"code": KEY, "message": f"the key {KEY} is wrong"}}
    escaped = json.dumps(body).replace("sk-a", "\\u0073k-a").encode()
    for told in (answer(401, body), answer(401, escaped), answer(500, KEY.encode()), answer(200, {"id": KEY})):
        said, _ = created(told)
        assert "[key]" in repr(said)
        assert KEY not in repr(said)


def test_the_key_is_in_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> str:
        async with serve(answer(401, {"message": KEY}), Break.RESET) as wire:
            settings = settings_for(wire)
            async with HttpGateway(settings) as gateway:
                shown = [gateway, settings, vars(gateway), await gateway.query("t"), await gateway.query("t")]
                return repr(shown)

    with caplog.at_level(logging.DEBUG):
        shown = asyncio.run(scenario())
    assert KEY not in shown + caplog.text


def test_a_request_is_logged_without_headers_and_body(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="kirin_batch.gateway"):
        created(TASK)
        created(Break.RESET)
    first, second = (vars(record)["fields"] for record in caplog.records if record.name.startswith("kirin"))
    assert (first["method"], first["path"], first["status"]) == ("POST", "/model/v1/generation", 200)
    assert first.keys() == {"method", "path", "status", "bytes_sent", "bytes_received", "seconds"}
    assert second["fault"] == "the connection broke: [Errno 104] Connection reset by peer"


def test_cookies_are_not_kept() -> None:
    async def scenario() -> list[Sent]:
        async with serve(answer(404, Set_Cookie="a=b")) as wire, HttpGateway(settings_for(wire)) as gateway:
            await gateway.query("1")
            await gateway.query("2")
            return wire.requests

    assert ["cookie" in sent.headers for sent in asyncio.run(scenario())] == [False, False]


def test_no_more_connections_than_the_settings_say() -> None:
    async def scenario() -> Wire:
        async with serve(TASK) as wire, HttpGateway(settings_for(wire, connections=2)) as gateway:
            async with asyncio.TaskGroup() as group:
                for number in range(9):
                    group.create_task(gateway.query(str(number)))
            return wire

    wire = asyncio.run(scenario())
    assert (len(wire.requests), wire.open_most) == (9, 2)


def test_waiting_for_a_connection_does_not_count_as_no_answer() -> None:
    async def scenario() -> tuple[Answer, Answer]:
        async with (
            serve(Break.SILENCE, TASK) as wire,
            HttpGateway(settings_for(wire, timeout_seconds=0.3, connections=1)) as gateway,
            asyncio.TaskGroup() as group,
        ):
            first, second = (group.create_task(gateway.query(task)) for task in "ab")
        return first.result(), second.result()

    assert asyncio.run(scenario()) == (Unknown("no answer in time"), Running("t"))


def test_creates_and_queries_keep_the_pace_together() -> None:
    async def scenario() -> float:
        async with serve(TASK) as wire, HttpGateway(settings_for(wire, requests_per_second=25.0)) as gateway:
            begin = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for _ in range(2):
                    group.create_task(gateway.query("t"))
                    group.create_task(gateway.create("m", {}))
            return time.monotonic() - begin

    assert asyncio.run(scenario()) > 0.119  # three intervals: the limiter goes by the event loop's own time


@pytest.mark.parametrize(
    ("told", "slept"),
    [
        (answer(429, {"code": 1302, "message": "too fast"}, Retry_After="7"), [7.0]),
        (answer(429, {"code": 1302, "message": "too fast"}), []),
        (answer(429, {"code": 1303, "message": "parallel task over limit"}, Retry_After="7"), []),
        (answer(503, b"", Retry_After="7"), []),
    ],
)
def test_too_fast_holds_all_requests_back_for_as_long_as_is_asked(told: bytes, slept: list[float]) -> None:
    async def scenario() -> tuple[list[float], Answer]:
        clock = FakeClock()
        async with serve(told, TASK) as wire, HttpGateway(settings_for(wire), clock=clock) as gateway:
            await gateway.create("m", {})
            return clock.slept, await gateway.query("t")

    assert asyncio.run(scenario()) == (slept, Running("t"))


def test_downloads_go_without_the_key_through_the_same_gateway() -> None:
    async def scenario() -> tuple[object, bytes, Sent]:
        async with serve(answer(200, b"film", Content_Type="video/mp4")) as wire:
            gateway: Gateway
            async with HttpGateway(settings_for(wire)) as gateway:
                film = bytearray()
                return await gateway.download(f"{wire.url}/film", film.extend), bytes(film), wire.requests[0]

    fetched, film, sent = asyncio.run(scenario())
    assert (fetched, film) == (Received(4, "video/mp4"), b"film")
    assert KEY not in str(sent)


def test_a_cancelled_request_ends_at_once_and_leaves_nothing_open() -> None:
    async def scenario() -> None:
        async with serve(Break.SILENCE) as wire, HttpGateway(settings_for(wire)) as gateway:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(gateway.query("t"), 0.05)

    asyncio.run(scenario())
    gc.collect()  # what was left open would warn here, and a warning is an error


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_denial_says_what_to_do(status: int) -> None:
    said, _ = created(answer(status, b"<html>"))
    assert isinstance(said, Denied)
    assert f"(HTTP {status}, an HTML page): " in said.message
