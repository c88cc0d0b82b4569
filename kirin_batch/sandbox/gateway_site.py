"""The gateway's two requests over HTTP: who asks, what the body holds, and the answer. The business is the desk's."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import hdrs, web

from kirin_batch.sandbox.answers import Json, answer_for
from kirin_batch.sandbox.desk import Desk
from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.refusals import RequestRefusedError, wrong_parameter
from kirin_batch.sandbox.rules import rules_of
from kirin_batch.sandbox.settings import SandboxSettings
from kirin_batch.sandbox.tasks import Task, user_of

__all__ = ["gateway_app"]

MOST_BODY_BYTES = 64 * 1024 * 1024
LONG_BODY_BYTES = 64 * 1024  # from here on a thread checks the images, and the event loop goes on
WRONG_KEY = "wrong"


@dataclass(frozen=True, slots=True)
class _Site:
    desk: Desk
    settings: SandboxSettings
    clock: Callable[[], float]
    epoch: float

    async def create(self, request: web.Request) -> web.Response:
        """POST /model/v1/generation."""
        try:
            user = _user(request)
            self.desk.books.creates += 1
            model, params = await self._read(request)
            task = self.desk.create(user, model, params)
        except RequestRefusedError as refused:
            self.desk.books.refusals[refused.code] += 1
            return refused.response()
        return self._answer(task)

    async def query(self, request: web.Request) -> web.Response:
        """GET /model/v1/generation/task/{id}."""
        try:
            user = _user(request)
            self.desk.books.queries += 1
            task = self.desk.find(user, request.match_info["id"])
        except RequestRefusedError as refused:
            return refused.response()
        return self._answer(task)

    async def _read(self, request: web.Request) -> tuple[Model, Json]:
        """The model and the params of a request that passes the rules of its page."""
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise wrong_parameter("body", f"is larger than {MOST_BODY_BYTES} bytes") from error
        if len(raw) < LONG_BODY_BYTES:
            return self._checked(raw)
        return await asyncio.to_thread(self._checked, raw)

    def _checked(self, raw: bytes) -> tuple[Model, Json]:
        model, params = _parsed(raw)
        if model is Model.VIDEO_V3 and not self.settings.makes_films:
            raise wrong_parameter("model", f"{model} needs PyAV here: pip install 'kirin-batch[sandbox]'")
        rules_of(model).check(params)
        return model, params

    def _answer(self, task: Task) -> web.Response:
        answer = answer_for(task, now=self.clock(), epoch=self.epoch)
        return web.json_response(body=orjson.dumps(answer))


def gateway_app(desk: Desk, settings: SandboxSettings, *, clock: Callable[[], float], epoch: float) -> web.Application:
    """The app of the gateway's own port."""
    site = _Site(desk, settings, clock, epoch)
    app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=settings.middlewares)
    app.router.add_post("/model/v1/generation", site.create)
    app.router.add_get("/model/v1/generation/task/{id}", site.query)
    return app


def _user(request: web.Request) -> str:
    scheme, _, key = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise RequestRefusedError(401, "401", "Authorization is missing: send a header `Authorization: Bearer KEY`")
    if key == WRONG_KEY:
        raise RequestRefusedError(401, "401", "the API key is not valid")
    return user_of(key)


def _parsed(raw: bytes) -> tuple[Model, Json]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise wrong_parameter("body", f"is no JSON: {error}") from error
    match body:
        case {"model": str(name), "input": [{"params": dict(params), **more_input}], **more}:
            for stranger in (*more, *more_input):
                raise wrong_parameter(str(stranger), "is not a member of a request")
            if name not in set(Model):
                raise wrong_parameter("model", f"{name!r} does not exist")
            return Model(name), params
    raise wrong_parameter("input", 'the body must be {"model": MODEL, "input": [{"params": {...}}]}')
