"""Results come whole or not at all, from hosts that never see the key."""

import asyncio
import gzip
import logging

import pytest
from fake_clock import FakeClock
from gateway_wire import Break, Sent, answer, serve

from kirin_batch.clock import SystemClock
from kirin_batch.gateway.answers import Fetched, Gone, Interrupted, Received, Rejected
from kirin_batch.gateway.download import CHUNK_BYTES, Downloads

GATEWAY = "http://127.0.0.1"
FILM = bytes(range(256)) * 4000


def downloads_for(gateway: str) -> Downloads:
    return Downloads(gateway_url=gateway, silence_seconds=5.0, clock=FakeClock())


async def fetch(url: str, *, most_bytes: int = 10_000_000, silence_seconds: float = 5.0) -> tuple[Fetched, bytes]:
    film = bytearray()
    async with Downloads(
        gateway_url=GATEWAY, silence_seconds=silence_seconds, clock=FakeClock(), most_bytes=most_bytes
    ) as downloads:
        return await downloads.download(url, film.extend), bytes(film)


def fetched(
    *script: bytes | Break, most_bytes: int = 10_000_000, silence_seconds: float = 5.0
) -> tuple[Fetched, bytes, list[Sent]]:
    async def scenario() -> tuple[Fetched, bytes, list[Sent]]:
        async with serve(*script) as wire:
            url = f"{wire.url}/a%20b.mp4?sign=%2F1"
            said, film = await fetch(url, most_bytes=most_bytes, silence_seconds=silence_seconds)
            return said, film, wire.requests

    return asyncio.run(scenario())


def test_a_download_is_whole_and_asks_without_key_and_cookies() -> None:
    said, film, (sent,) = fetched(answer(200, FILM, Content_Type="Video/MP4; codecs=x"))
    assert (said, film == FILM) == (Received(len(FILM), "video/mp4"), True)
    assert sent.target == "/a%20b.mp4?sign=%2F1"
    assert not {"authorization", "cookie"} & set(sent.headers)


def test_a_download_comes_in_pieces_to_an_async_writer() -> None:
    pieces: list[int] = []

    async def write(piece: bytes) -> None:
        await asyncio.sleep(0)
        pieces.append(len(piece))

    async def scenario() -> Fetched:
        async with (
            serve(answer(200, FILM)) as wire,
            Downloads(gateway_url=GATEWAY, silence_seconds=5.0, clock=SystemClock()) as downloads,
        ):
            return await downloads.download(wire.url, write)

    assert asyncio.run(scenario()) == Received(len(FILM))
    assert (sum(pieces), len(pieces) > 1, max(pieces) <= CHUNK_BYTES) == (len(FILM), True, True)


def test_a_download_in_chunks_needs_no_length() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    said, film, _ = fetched(head + b"4\r\nfilm\r\n0\r\n\r\n")
    assert (said, film) == (Received(4), b"film")


def test_a_host_that_packs_unasked_is_unpacked() -> None:
    said, film, _ = fetched(answer(200, gzip.compress(FILM), Content_Encoding="gzip"))
    assert (said, film == FILM) == (Received(len(FILM)), True)


def test_an_empty_download_is_received_as_such() -> None:
    assert fetched(answer(200))[:2] == (Received(0), b"")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (answer(200, b"half", Content_Length="9"), "after 4 bytes: the connection broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "after 4 bytes: the connection broke"),
        (Break.RESET, "the connection broke"),
        (Break.CLOSE, "closed before the answer"),
        (b"nonsense\r\n\r\n", "not the HTTP that was expected"),
        (answer(500), "HTTP 500"),
        (answer(503), "HTTP 503"),
        (answer(429), "HTTP 429"),
        (answer(408), "HTTP 408"),
        (answer(204), "HTTP 204"),
        (answer(206, b"part"), "HTTP 206"),
    ],
)
def test_what_may_work_later_is_interrupted(told: bytes | Break, words: str) -> None:
    said, _, _ = fetched(told)
    assert isinstance(said, Interrupted)
    assert words in said.reason


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_an_expired_url_is_gone(status: int) -> None:
    assert fetched(answer(status, b"<Error>"))[:2] == (Gone(f"HTTP {status}"), b"")


def test_silence_interrupts_a_download() -> None:
    assert fetched(Break.SILENCE, silence_seconds=0.1)[0] == Interrupted("no answer in time")


def test_a_host_that_is_not_there_interrupts() -> None:
    async def scenario() -> Fetched:
        async with serve(b"") as wire:
            pass
        return (await fetch(wire.url))[0]

    assert isinstance(asyncio.run(scenario()), Interrupted)


@pytest.mark.parametrize(
    "told",
    [answer(200, FILM), b"HTTP/1.1 200 OK\r\n\r\n" + FILM],
    ids=["told in the head", "found on the way"],
)
def test_what_is_too_large_is_rejected(told: bytes) -> None:
    said, film, _ = fetched(told, most_bytes=1000)
    assert said == Rejected("larger than 1000 bytes")
    assert len(film) <= 1000


def test_a_redirect_to_another_host_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> tuple[Fetched, list[str]]:
        script = (answer(302, Location="http://b.test/film?sign=%2F2"), answer(200, b"film"))
        async with serve(*script) as proxy, downloads_for("https://gateway.test") as downloads:
            monkeypatch.setenv("http_proxy", proxy.url)
            said = await downloads.download("http://a.test/film", bytearray().extend)
            return said, [sent.target for sent in proxy.requests]

    asked = ["http://a.test/film", "http://b.test/film?sign=%2F2"]
    assert asyncio.run(scenario()) == (Received(4), asked)


def test_a_redirect_within_one_host_is_followed() -> None:
    said, film, requests = fetched(answer(302, Location="../film?x=%2F"), answer(200, b"film"))
    assert (said, film, requests[1].target) == (Received(4), b"film", "/film?x=%2F")


def test_a_redirect_to_another_port_of_this_machine_is_not_followed() -> None:
    async def scenario(host: str) -> tuple[Fetched, int]:
        async with serve(answer(200, b"film")) as other:
            place = other.url.replace("127.0.0.1", host)
            async with serve(answer(302, Location=f"{place}/film")) as wire:
                return (await fetch(wire.url))[0], len(other.requests)

    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        said, asked = asyncio.run(scenario(host))
        assert isinstance(said, Rejected)
        assert ("on this machine or its network" in said.reason, asked) == (True, 0)


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "http://", "http://[x"]
)
def test_a_redirect_to_what_is_no_http_is_rejected(place: str) -> None:
    said, film, _ = fetched(answer(302, Location=place))
    assert isinstance(said, Rejected)
    assert film == b""


def test_redirects_in_a_circle_are_rejected() -> None:
    said, _, requests = fetched(answer(302, Location="/again"))
    assert said == Rejected("more than 5 redirects")
    assert len(requests) <= 6


@pytest.mark.parametrize("status", [300, 302, 304])
def test_a_redirect_to_nowhere_is_rejected(status: int) -> None:
    assert fetched(answer(status))[0] == Rejected(f"HTTP {status} that leads nowhere")


@pytest.mark.parametrize(
    "url", ["", "film.mp4", "file:///etc/passwd", "ftp://h/1", "http://", "http://[x", "http://a..b/1"]
)
def test_an_address_that_never_works_is_rejected(url: str) -> None:
    assert isinstance(asyncio.run(fetch(url))[0], Rejected)


def test_what_the_writer_raises_reaches_the_caller() -> None:
    def write(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def scenario() -> None:
        async with (
            serve(answer(200, FILM)) as wire,
            Downloads(gateway_url=GATEWAY, silence_seconds=5.0, clock=FakeClock()) as downloads,
        ):
            await downloads.download(wire.url, write)

    with pytest.raises(OSError, match="No space left"):
        asyncio.run(scenario())


def test_a_download_is_logged_without_its_signature(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="kirin_batch.gateway"):
        fetched(answer(200, b"film"))
        fetched(answer(403))
    told = [vars(record)["fields"] for record in caplog.records if record.name.startswith("kirin")]
    assert [(facts["status"], facts.get("bytes"), facts.get("fault")) for facts in told] == [
        (200, 4, None),
        (403, None, "HTTP 403"),
    ]
    assert all(facts["url"].startswith("http://127.0.0.1:") for facts in told)
    assert all(facts["url"].endswith("/a%20b.mp4") for facts in told)


def test_the_proxy_of_a_host_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[list[str]]:
        downloads = Downloads(gateway_url=GATEWAY, silence_seconds=5.0, clock=FakeClock())
        async with serve(answer(200, b"film")) as first, serve(answer(200, b"film")) as second, downloads:
            for proxy, host in ((first, "a"), (second, "a"), (second, "b")):
                monkeypatch.setenv("http_proxy", proxy.url)
                await downloads.download(f"http://{host}.test/film", bytearray().extend)
            return [[sent.headers["host"] for sent in wire.requests] for wire in (first, second)]

    assert asyncio.run(scenario()) == [["a.test", "a.test"], ["b.test"]]
