"""A gateway on loopback that takes any model, keeps books, and serves results from a second port.

It knows no schema: what a task weighs and yields, each test says. A task ends when it is queried the second time.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web
from studio import plain_picture

__all__ = ["AnyModelGateway", "Task", "open_gateway"]

_QUERIES_OF_A_LIFE = 2

Weighing = Callable[[str, Mapping[str, Any]], int]
Yielding = Callable[[str, Mapping[str, Any]], list[dict[str, Any]] | int]


@dataclass(slots=True)
class Task:
    """A task as it was asked for: `params` are the request's, without its external id."""

    id: str
    external_id: str
    model: str
    params: dict[str, Any]
    slots: int
    queries: int = 0


@dataclass(slots=True)
class AnyModelGateway:
    """`weigh` says the slots of a task, `yield_of` its contents, or how many pictures it makes."""

    weigh: Weighing
    yield_of: Yielding
    url: str = ""
    results_url: str = ""
    tasks: dict[str, Task] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    downloads: list[Mapping[str, str]] = field(default_factory=list)
    slots_now: int = 0
    slots_most: int = 0

    def of_model(self, model: str) -> list[Task]:
        """The tasks of a model in the order of their creation."""
        return [task for task in self.tasks.values() if task.model == model]

    async def create(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers[hdrs.AUTHORIZATION])
        body = await request.json()
        [entry] = body["input"]
        params = dict(entry["params"])
        external_id = params.pop("external_task_id")
        if any(task.external_id == external_id for task in self.tasks.values()):
            return web.json_response({"error": {"code": "1201", "message": "external_task_id is taken"}}, status=400)
        slots = self.weigh(body["model"], params)
        task = Task(f"task-{len(self.tasks) + 1}", external_id, body["model"], params, slots)
        self.tasks[task.id] = task
        self.slots_now += slots
        self.slots_most = max(self.slots_most, self.slots_now)
        return web.json_response(self._told(task))

    async def query(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        task = next((task for task in self.tasks.values() if name in {task.id, task.external_id}), None)
        if task is None:
            return web.json_response({"error": {"code": "1203", "message": "no such task"}}, status=404)
        task.queries += 1
        if task.queries == _QUERIES_OF_A_LIFE:
            self.slots_now -= task.slots
        return web.json_response(self._told(task))

    async def result(self, request: web.Request) -> web.Response:
        self.downloads.append(dict(request.headers))
        return web.Response(body=plain_picture(request.path))

    def _told(self, task: Task) -> dict[str, Any]:
        told = {"id": task.id, "model": task.model, "created_at": 1, "status": "in_progress"}
        if task.queries < _QUERIES_OF_A_LIFE:
            return told
        contents = self.yield_of(task.model, task.params)
        if isinstance(contents, int):
            contents = [{"type": "image", "url": f"{self.results_url}/{task.id}/{i}.png"} for i in range(contents)]
        return {**told, "status": "completed", "output": [{"content": contents}], "usage": {"cost": "0.0100"}}


@contextmanager
def open_gateway(weigh: Weighing, yield_of: Yielding) -> Iterator[AnyModelGateway]:
    """Serve in a thread of its own for as long as the block lasts."""
    gateway = AnyModelGateway(weigh, yield_of)
    started, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(gateway, started, ended)))
    thread.start()
    try:
        assert started.wait(10)
        yield gateway
    finally:
        ended.set()
        thread.join(10)


async def _serve(gateway: AnyModelGateway, started: threading.Event, ended: threading.Event) -> None:
    tasks, results = web.Application(client_max_size=2**25), web.Application()
    tasks.router.add_post("/model/v1/generation", gateway.create)
    tasks.router.add_get("/model/v1/generation/task/{id}", gateway.query)
    results.router.add_get("/{path:.*}", gateway.result)
    runners = [web.AppRunner(app, access_log=None, shutdown_timeout=0.1) for app in (tasks, results)]
    try:
        gateway.url, gateway.results_url = [await _listen(runner) for runner in runners]
        started.set()
        await asyncio.to_thread(ended.wait)
    finally:
        for runner in runners:
            await runner.cleanup()


async def _listen(runner: web.AppRunner) -> str:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
