"""A sandbox on loopback with a clock of its own, and a small client that asks it as the pages say."""

import base64
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from PIL import Image

from kirin_batch.sandbox import Sandbox, SandboxSettings

__all__ = [
    "BASE64",
    "PICTURE",
    "SUBJECT",
    "FakeTime",
    "Reply",
    "Sandboxed",
    "base64_image",
    "heavy_base64",
    "sandboxed",
]

PICTURE = "https://pictures.example/fox.png"
END_OF_TIME = 1e9


@dataclass(slots=True)
class FakeTime:
    """The sandbox's clock: it stands still until a test moves it."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the sandbox."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    body: Any = None

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])

    @property
    def contents(self) -> list[Any]:
        return [content for group in self.body["output"] for content in group["content"]]


@dataclass(slots=True)
class Sandboxed:
    """A running sandbox, its time, and requests to it."""

    sandbox: Sandbox
    session: aiohttp.ClientSession
    time: FakeTime = field(default_factory=FakeTime)

    async def create(self, model: str, params: Mapping[str, object], *, key: str = "alice") -> Reply:
        return await self.post({"model": model, "input": [{"params": params}]}, key=key)

    async def post(self, body: object, *, key: str = "alice") -> Reply:
        url = f"{self.sandbox.base_url}/model/v1/generation"
        async with self.session.post(url, json=body, headers={"Authorization": f"Bearer {key}"}) as response:
            return Reply(response.status, response.headers, await response.read(), await response.json())

    async def query(self, name: str, *, key: str = "alice") -> Reply:
        url = f"{self.sandbox.base_url}/model/v1/generation/task/{name}"
        async with self.session.get(url, headers={"Authorization": f"Bearer {key}"}) as response:
            return Reply(response.status, response.headers, await response.read(), await response.json())

    async def finished(self, model: str, params: Mapping[str, object], *, key: str = "alice") -> Reply:
        """Create a task, let it end, and query it."""
        created = await self.create(model, params, key=key)
        assert created.status == 200, created.body
        self.time.now += END_OF_TIME
        return await self.query(created.body["id"], key=key)

    async def fetch(self, url: str, **headers: str) -> Reply:
        async with self.session.get(url, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())


@asynccontextmanager
async def sandboxed(settings: SandboxSettings | None = None) -> AsyncIterator[Sandboxed]:
    """Run a sandbox for a test, by default with its time standing still."""
    time = FakeTime()
    async with Sandbox(settings, clock=time) as sandbox, aiohttp.ClientSession() as session:
        yield Sandboxed(sandbox, session, time)


def base64_image(width: int, height: int, *, encoding: str = "PNG", red: int = 200) -> str:
    """A plain image of one colour as raw Base64."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (red, 120, 60)).save(file, encoding)
    return base64.b64encode(file.getvalue()).decode()


def heavy_base64(size: int) -> str:
    """An image of this many bytes, most of them behind its end."""
    return base64.b64encode(base64.b64decode(BASE64).ljust(size, b"\0")).decode()


BASE64 = base64_image(300, 300)
SUBJECT: Mapping[str, object] = {
    "element_name": "Hero",
    "element_description": "A fox in a red scarf",
    "element_frontal_image": PICTURE,
    "element_refer_list": [{"image_url": BASE64}],
    "tag_list": [{"tag_id": "o_103"}],
}
