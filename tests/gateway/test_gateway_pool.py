"""Any number of requests shares few connections, which are kept, and asks for the gateway's address once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from gateway_wire import settings_for

from kirin_batch.gateway.answers import Running
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.settings import GatewaySettings


class Counter:
    """A server that keeps connections; by the client's port, how many requests came over each."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: dict[int, int] = {}

    async def reply(self, request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        port = request.transport.get_extra_info("peername")[1]
        self.asked[port] = self.asked.get(port, 0) + 1
        await request.read()
        return web.json_response({"id": "t", "status": "in_progress"})


@asynccontextmanager
async def count() -> AsyncIterator[Counter]:
    counter = Counter()
    server = web.Server(counter.reply)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with listening:
        counter.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield counter
        await server.shutdown()


async def ask(settings: GatewaySettings, requests: int) -> None:
    async with HttpGateway(settings) as gateway, asyncio.TaskGroup() as group:
        asked = [group.create_task(gateway.query(str(number))) for number in range(requests // 2)]
        asked += [group.create_task(gateway.create("m", {})) for _ in range(requests // 2)]
    assert {task.result() for task in asked} == {Running("t")}


@pytest.mark.parametrize("connections", [32, 64])
def test_hundreds_of_requests_at_once_share_few_connections(connections: int) -> None:
    async def scenario() -> Counter:
        async with count() as counter:
            await ask(settings_for(counter.url, connections=connections), 500)
            return counter

    asked = asyncio.run(scenario()).asked
    assert sum(asked.values()) == 500
    assert len(asked) <= connections
    assert max(asked.values()) >= 500 // connections


class AskedLoop(asyncio.SelectorEventLoop):
    """An event loop that remembers which names it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[object] = []

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:  # noqa: ANN401 - as the library declares it
        self.names.append(host)
        return await super().getaddrinfo(host, port, **how)


def test_the_gateways_name_is_looked_up_once() -> None:
    async def scenario() -> list[object]:
        async with count() as counter:
            await ask(settings_for(counter.url.replace("127.0.0.1", "localhost")), 100)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, AskedLoop)
        return [name for name in loop.names if name == "localhost"]

    with asyncio.Runner(loop_factory=AskedLoop) as runner:
        assert runner.run(scenario()) == ["localhost"]
