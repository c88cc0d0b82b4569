"""Keys, bodies and addresses: what the gateway's port answers before any parameter is looked at."""

import asyncio
import io
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from sandbox_wire import PICTURE, sandboxed

from kirin_batch.sandbox import SandboxSettings

CREATE = "/model/v1/generation"
GOOD = json.dumps({"model": "kirin_v2_image", "input": [{"params": {"prompt": "a fox"}}]}).encode()
ALICE = {"Authorization": "Bearer alice"}


async def send(method: str, path: str, *, headers: dict[str, str], body: bytes = b"") -> tuple[int, Any]:
    async with (
        sandboxed() as asked,
        asked.session.request(
            method, asked.sandbox.base_url + path, data=io.BytesIO(body), headers=headers
        ) as response,
    ):
        return response.status, await response.json()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic alice", "alice", "Bearer wrong"])
@pytest.mark.parametrize(("method", "path"), [("POST", CREATE), ("GET", f"{CREATE}/task/x")])
def test_without_a_good_key_both_requests_are_refused_with_401(method: str, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    status, body = asyncio.run(send(method, path, headers=headers, body=GOOD if method == "POST" else b""))
    assert (status, body["error"]["code"]) == (401, "401")


def test_a_refused_key_is_counted_as_no_create() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            await asked.create("kirin_v2_image", {"prompt": "a fox"}, key="wrong")
            assert (asked.sandbox.books.creates, asked.sandbox.books.tasks) == (0, {})

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half"),
        pytest.param(b'{"model": NaN}', id="not a number"),
        pytest.param(b'{"model": "\xff"}', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"7", id="a number"),
        pytest.param(b"{}", id="no member"),
        pytest.param(b'{"model": "kirin_v2_image"}', id="no input"),
        pytest.param(b'{"model": "kirin_v2_image", "input": {"params": {}}}', id="input is no list"),
        pytest.param(b'{"model": "kirin_v2_image", "input": []}', id="input is empty"),
        pytest.param(b'{"model": "kirin_v2_image", "input": [{"params": {}}, {"params": {}}]}', id="two inputs"),
        pytest.param(b'{"model": "kirin_v2_image", "input": [{}]}', id="no params"),
        pytest.param(b'{"model": "kirin_v2_image", "input": [{"params": []}]}', id="params are a list"),
        pytest.param(b'{"model": 7, "input": [{"params": {}}]}', id="model is a number"),
        pytest.param(b'{"model": "kirin_v9", "input": [{"params": {}}]}', id="no such model"),
        pytest.param(b'{"model": "kirin_v2_image", "input": [{"params": {"prompt": "x"}}], "n": 1}', id="a stranger"),
        pytest.param(b'{"model": "kirin_v2_image", "input": [{"params": {"prompt": "x"}, "n": 1}]}', id="one inside"),
    ],
)
def test_a_body_of_the_wrong_shape_is_a_clean_400(body: bytes) -> None:
    status, answer = asyncio.run(send("POST", CREATE, headers=ALICE, body=body))
    assert (status, answer["error"]["code"]) == (400, "1201")


def test_a_body_over_64_mib_is_a_clean_400() -> None:
    status, answer = asyncio.run(send("POST", CREATE, headers=ALICE, body=b" " * (64 * 1024 * 1024 + 1)))
    assert status == 400
    assert "larger than 67108864 bytes" in answer["error"]["message"]


def test_a_good_request_makes_a_task() -> None:
    status, answer = asyncio.run(send("POST", CREATE, headers=ALICE, body=GOOD))
    assert (status, answer["status"], answer["model"]) == (200, "submitted", "kirin_v2_image")
    assert set(answer) == {"id", "status", "model", "created_at"}


def test_a_film_is_refused_with_advice_where_pyav_is_missing() -> None:
    async def scenario() -> None:
        async with sandboxed(SandboxSettings(makes_films=False)) as asked:
            refused = await asked.create("kirin_v3_i2v", {"image": PICTURE, "prompt": "it walks"})
            assert (refused.status, refused.code) == (400, "1201")
            assert "pip install 'kirin-batch[sandbox]'" in refused.message

    asyncio.run(scenario())


def test_odd_bytes_in_a_key_or_an_id_harm_nobody() -> None:
    async def scenario() -> bytes:
        async with sandboxed() as asked:
            host, _, port = asked.sandbox.base_url.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /model/v1/generation/task/%FF%2Fa HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
            writer.write(b"Authorization: Bearer \xff\xfe\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(scenario()).startswith(b"HTTP/1.1 404 ")


def test_a_client_that_goes_away_harms_nobody() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            host, _, port = asked.sandbox.base_url.removeprefix("http://").partition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /model/v1/generation HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n")
            writer.write(b"Content-Length: 9\r\n\r\n{")
            await writer.drain()
            writer.close()
            assert (await asked.create("kirin_v2_image", {"prompt": "a fox"})).status == 200

    asyncio.run(scenario())


def test_a_middleware_may_spoil_an_answer_after_the_deed() -> None:
    @web.middleware
    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        response.set_status(503)
        return response

    async def scenario() -> None:
        async with sandboxed(SandboxSettings(middlewares=(spoil,), result_middlewares=(spoil,))) as asked:
            assert (await asked.create("kirin_v2_image", {"prompt": "a fox"})).status == 503
            assert (await asked.fetch(f"{asked.sandbox.results_url}/a/b")).status == 503
            assert len(asked.sandbox.books.tasks) == 1

    asyncio.run(scenario())
