"""Bodies are the JSON that orjson gives, whatever files are in them, and never whole with another content."""

import asyncio
import base64
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from gateway_wire import Break, Sent, Wire, answer, serve, settings_for
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sent_bodies import pieces_of

from kirin_batch.encoded_file import EncodedFile, FileChangedError
from kirin_batch.gateway.answers import Answer, Refused, Running
from kirin_batch.gateway.body import StreamedBody, json_body
from kirin_batch.gateway.client import HttpGateway

TASK = answer(200, {"id": "t", "status": "in_progress"})
PIECE = 96 * 1024
SIZES = [0, 1, 2, 3, 100, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 2]
HEAD = len(b'{"model":"m","input":[{"params":{"image":"')


def save(path: Path, content: bytes) -> EncodedFile:
    path.write_bytes(content)
    return EncodedFile.of(path, hashlib.sha256(content).hexdigest())


def content_of(size: int, seed: int = 0) -> bytes:
    return hashlib.shake_128(bytes([seed])).digest(size)


def written_out(value: object) -> object:
    """The same with Base64 where files are."""
    match value:
        case EncodedFile():
            return base64.b64encode(value.path.read_bytes()).decode()
        case dict():
            return {key: written_out(item) for key, item in value.items()}
        case list():
            return [written_out(item) for item in value]
    return value


def sent_for(params: dict[str, Any]) -> Sent:
    async def scenario() -> Sent:
        async with serve(TASK) as wire, HttpGateway(settings_for(wire)) as gateway:
            assert await gateway.create("m", params) == Running("t")
            return wire.requests[0]

    return asyncio.run(scenario())


def params_with_files(folder: Path) -> st.SearchStrategy[dict[str, Any]]:
    files = st.sampled_from([save(folder / f"{size}.png", content_of(size)) for size in SIZES])
    scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
    values = st.recursive(scalars | files, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
    return st.dictionaries(st.text(), values)


@settings(max_examples=15, deadline=None, phases=set(Phase) - {Phase.shrink})  # which takes minutes
@given(st.data())
def test_what_is_sent_is_what_orjson_writes_for_the_texts(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        params = data.draw(params_with_files(Path(folder)))
        sent = sent_for(params)
        expected = orjson.dumps({"model": "m", "input": [{"params": written_out(params)}]})
    assert sent.body == expected
    assert sent.headers["content-length"] == str(len(expected))
    assert "transfer-encoding" not in sent.headers


@pytest.mark.parametrize("size", SIZES)
def test_several_images_of_any_size_are_encoded_each_in_its_place(tmp_path: Path, size: int) -> None:
    one, other = save(tmp_path / "1", content_of(size)), save(tmp_path / "2", content_of(size + 1, seed=1))
    params = {"image": one, "image_list": [{"image": other}, {"image": one}], "prompt": 'a "fox" — \n狐'}
    body = json_body(params)
    assert isinstance(body, StreamedBody)
    pieces = asyncio.run(pieces_of(body))
    assert b"".join(pieces) == orjson.dumps(written_out(params))
    assert body.size_bytes == sum(map(len, pieces))
    assert max(map(len, pieces)) <= PIECE // 3 * 4


@pytest.mark.parametrize(("length", "kind"), [(60_000, bytes), (70_000, StreamedBody)])
def test_a_body_without_files_is_one_piece_where_it_is_small(length: int, kind: type) -> None:
    params = {"image": "A" * length}
    body = json_body(params)
    assert isinstance(body, kind)
    assert b"".join(asyncio.run(pieces_of(body))) == orjson.dumps(params)


def test_what_json_cannot_say_is_a_bug_and_no_request() -> None:
    with pytest.raises(TypeError, match=r"not JSON serializable: .*Path"):
        json_body({"image": Path("fox.png")})


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"!")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


CHANGES: list[tuple[Callable[[Path], None], str]] = [
    (rewrite, "has changed since it was checked: run again"),
    (grow, "has changed since it was checked: run again"),
    (shrink, "has changed since it was checked: run again"),
    (Path.unlink, "cannot be read: No such file or directory"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
@pytest.mark.parametrize("size", [5, PIECE, 3 * PIECE])
def test_a_file_that_is_another_is_never_given_whole(
    tmp_path: Path, change: Callable[[Path], None], words: str, size: int
) -> None:
    file = save(tmp_path / "fox.png", content_of(size))
    change(file.path)
    given_away: list[bytes] = []
    with pytest.raises(FileChangedError, match=words):
        given_away.extend(encode() for encode in file.pieces())
    assert sum(map(len, given_away)) < file.encoded_bytes


@asynccontextmanager
async def partial_bodies() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that keeps what it got of each request until the connection ends; it never answers."""
    got: list[bytes] = []
    over = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(-1))
        writer.close()
        over.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
        await asyncio.wait_for(over.wait(), 5)


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_file_that_changes_before_it_is_sent_breaks_the_request_off(
    tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    first, second = save(tmp_path / "1.png", content_of(9 * PIECE)), save(tmp_path / "2.png", content_of(9 * PIECE))
    change(second.path)

    async def scenario() -> tuple[Answer, list[bytes]]:
        async with partial_bodies() as (url, got), HttpGateway(settings_for(url)) as gateway:
            return await gateway.create("m", {"image": first, "image_tail": second}), got

    said, (got,) = asyncio.run(scenario())
    assert said == Refused("", f"{second.path} {words}", is_unsent=True)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    assert HEAD + first.encoded_bytes < len(body) < length - len('"}}]}')


def test_a_request_that_is_asked_again_is_sent_whole_again(tmp_path: Path) -> None:
    file = save(tmp_path / "fox.png", content_of(3 * PIECE))

    async def scenario() -> list[Sent]:
        async with serve(Break.CLOSE, TASK) as wire, HttpGateway(settings_for(wire)) as gateway:
            params = {"image": file}
            await gateway.create("m", params)
            assert await gateway.create("m", params) == Running("t")
            return wire.requests

    first, second = asyncio.run(scenario())
    assert first.body == second.body
    assert len(first.body) > file.encoded_bytes


def test_a_request_that_is_cancelled_while_it_is_sent_leaves_nothing_open(tmp_path: Path) -> None:
    file = save(tmp_path / "fox.png", content_of(200 * PIECE))

    async def scenario() -> Wire:
        async with serve(TASK) as wire, HttpGateway(settings_for(wire)) as gateway:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(gateway.create("m", {"image": file}), 0.03)
        return wire

    assert asyncio.run(scenario()).requests == []


@pytest.mark.parametrize(("size", "is_waited_for"), [(100, False), (200_000, True)])
def test_an_upload_has_time_by_its_size_beside_that_for_the_answer(
    tmp_path: Path, size: int, *, is_waited_for: bool
) -> None:
    async def scenario() -> Answer:
        answered = asyncio.Event()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(1.0)  # a slow line
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
                writer.write(TASK)
            writer.close()
            answered.set()

        async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with HttpGateway(settings_for(url, timeout_seconds=0.5)) as gateway:
                said = await gateway.create("m", {"image": save(tmp_path / "a.png", content_of(size))})
            await answered.wait()
            return said

    assert (asyncio.run(scenario()) == Running("t")) is is_waited_for
