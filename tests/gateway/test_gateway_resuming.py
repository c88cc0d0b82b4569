"""A download that broke off goes on where it ended, or begins anew; two versions are never mixed."""

import asyncio

import pytest
from fake_clock import FakeClock
from gateway_wire import Break, Sent, answer, serve
from sandbox_wire import sandboxed

from kirin_batch.fault_points import FaultPoint, arm
from kirin_batch.gateway.answers import Begun, Fetched, Gone, Interrupted, Received, Rejected, Resumption
from kirin_batch.gateway.download import Downloads

GATEWAY = "http://127.0.0.1"
FILM = bytes(range(256)) * 40
BEGUN = Begun(1000, '"v1"', len(FILM))
REST = answer(206, FILM[1000:], ETag='"v1"', Content_Range=f"bytes 1000-{len(FILM) - 1}/{len(FILM)}")


def chunked(body: bytes, **headers: str) -> bytes:
    """A 206 whose length only its Content-Range tells."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(["HTTP/1.1 206 Part", "Transfer-Encoding: chunked", *lines, "", ""])
    return head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def resumed(told: bytes | Break, *, most_bytes: int = 10_000_000) -> tuple[Fetched, bytes, Sent]:
    """Ask for what is missing of FILM after its first 1000 bytes; what is there in the end, and what was sent."""
    film = bytearray(FILM[:1000])

    async def scenario() -> tuple[Fetched, Sent]:
        downloads = Downloads(gateway_url=GATEWAY, silence_seconds=5.0, clock=FakeClock(), most_bytes=most_bytes)
        async with serve(told) as wire, downloads:
            fetched = await downloads.download(wire.url, film.extend, resumption=Resumption(BEGUN, film.clear))
            return fetched, wire.requests[0]

    fetched, sent = asyncio.run(scenario())
    return fetched, bytes(film), sent


def test_a_download_that_breaks_off_tells_what_it_can_go_on_from() -> None:
    async def scenario() -> Fetched:
        whole = answer(200, FILM, ETag='"v1"')
        downloads = Downloads(gateway_url=GATEWAY, silence_seconds=5.0, clock=FakeClock())
        async with serve(whole[: len(whole) - len(FILM) + 1000]) as wire, downloads:
            return await downloads.download(wire.url, bytearray().extend)

    broken = asyncio.run(scenario())
    assert isinstance(broken, Interrupted)
    assert broken.begun == BEGUN


def test_the_rest_is_asked_for_and_added() -> None:
    fetched, film, sent = resumed(REST)
    assert (fetched, film == FILM) == (Received(len(FILM)), True)
    assert (sent.headers["range"], sent.headers["if-range"]) == ("bytes=1000-", '"v1"')
    assert sent.headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie"} & set(sent.headers)


def test_the_whole_in_answer_to_a_request_for_the_rest_replaces_what_was_there() -> None:
    other = FILM[::-1]
    assert resumed(answer(200, other, ETag='"v2"'))[:2] == (Received(len(other)), other)


@pytest.mark.parametrize(
    "told",
    [
        answer(206, FILM[1000:], ETag='"v1"'),
        answer(206, FILM[1000:], ETag='"v2"', Content_Range=f"bytes 1000-{len(FILM) - 1}/{len(FILM)}"),
        answer(206, FILM[999:], ETag='"v1"', Content_Range=f"bytes 999-{len(FILM) - 1}/{len(FILM)}"),
        answer(416, Content_Range=f"bytes */{len(FILM)}"),
        answer(412),
        answer(400),
        chunked(FILM[1000:-1], ETag='"v1"', Content_Range=f"bytes 1000-{len(FILM) - 1}/{len(FILM)}"),
        chunked(FILM[1000:] + b"x", ETag='"v1"', Content_Range=f"bytes 1000-{len(FILM) - 1}/{len(FILM)}"),
    ],
    ids=["untold", "other", "overlapping", "416", "412", "400", "less than told", "more than told"],
)
def test_what_is_not_the_rest_leaves_nothing_to_go_on_from(told: bytes) -> None:
    fetched, _, _ = resumed(told)
    assert isinstance(fetched, Interrupted)
    assert fetched.begun is None


@pytest.mark.parametrize("told", [answer(503), answer(429), Break.RESET, Break.CLOSE, b"nonsense\r\n\r\n"])
def test_a_try_that_brings_nothing_takes_nothing_away(told: bytes | Break) -> None:
    fetched, film, _ = resumed(told)
    assert isinstance(fetched, Interrupted)
    assert (fetched.begun, film) == (BEGUN, FILM[:1000])


@pytest.mark.parametrize(
    "told",
    [
        REST[:-200],
        answer(206, FILM[1000:-200], ETag='"v1"', Content_Range=f"bytes 1000-{len(FILM) - 201}/{len(FILM)}"),
    ],
    ids=["broken off", "served so far"],
)
def test_a_part_of_the_rest_is_kept(told: bytes) -> None:
    fetched, film, _ = resumed(told)
    assert isinstance(fetched, Interrupted)
    assert (fetched.begun, film == FILM[:-200]) == (Begun(len(FILM) - 200, '"v1"', len(FILM)), True)


def test_a_rest_that_makes_the_whole_too_large_is_rejected() -> None:
    fetched, film, _ = resumed(REST, most_bytes=len(FILM) - 1)
    assert fetched == Rejected(f"larger than {len(FILM) - 1} bytes")
    assert len(film) < len(FILM)


def test_a_url_that_died_meanwhile_is_gone() -> None:
    assert resumed(answer(404))[0] == Gone("HTTP 404")


def test_the_sandbox_serves_the_rest_of_its_results() -> None:
    async def scenario() -> None:
        async with (
            sandboxed() as asked,
            Downloads(gateway_url=GATEWAY, silence_seconds=5.0, clock=FakeClock()) as downloads,
        ):
            finished = await asked.finished("kirin_v2_image", {"prompt": "a fox"})
            url = str(finished.contents[0]["url"])
            whole = await asked.fetch(url)
            picture = bytearray(whole.raw[:100])
            resumption = Resumption(Begun(100, whole.headers["ETag"], len(whole.raw)), picture.clear)
            fetched = await downloads.download(url, picture.extend, resumption=resumption)
            assert isinstance(fetched, Received)
            assert (fetched.size_bytes, bytes(picture)) == (len(whole.raw), whole.raw)

    asyncio.run(scenario())


def test_a_download_passes_its_moment_before_anything_is_written() -> None:
    reached: list[FaultPoint] = []
    arm(reached.append)
    try:
        resumed(REST)
    finally:
        arm(None)
    assert reached == [FaultPoint.DOWNLOAD_BEGUN]
