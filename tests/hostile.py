"""A disturber around a studio's server: it delays, drops and garbles about a third of all answers, by a seed.

It keeps books of its own: of which creates the sender never heard what became of them, and which were refused because
their id was taken. The same seed draws the same faults; which request meets which one is up to the machine.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from random import Random

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

__all__ = ["Hostile"]

_SHARE = 0.3
_LATE_SECONDS = 0.03
_LINGERING_SECONDS = 0.4  # longer than a killed client takes to come back
_PAGE = "<html><body><h1>The server is having a bad day</h1></body></html>"


class _Fault(Enum):
    LATE_REQUEST = auto()
    LATE_ANSWER = auto()
    LINGERING = auto()
    DROPPED_BEFORE = auto()
    DROPPED_AFTER = auto()
    BAD_PAGE = auto()
    CUT = auto()
    EMPTY = auto()
    BUSY = auto()
    FULL = auto()
    GARBAGE = auto()
    UNAVAILABLE = auto()


_F = _Fault
_ALWAYS = (_F.LATE_REQUEST, _F.LATE_ANSWER, _F.DROPPED_BEFORE, _F.DROPPED_AFTER)
_OF_QUERIES = (*_ALWAYS, _F.BAD_PAGE, _F.CUT, _F.EMPTY, _F.BUSY, _F.FULL)
_OF_CREATES = (*_OF_QUERIES, _F.LINGERING, _F.LINGERING)
_OF_RESULTS = (*_ALWAYS, _F.CUT, _F.GARBAGE, _F.UNAVAILABLE)
_NOT_TAKEN = {_F.DROPPED_BEFORE, _F.BUSY, _F.FULL, _F.GARBAGE, _F.UNAVAILABLE}
_HEARD = {None, _F.LATE_REQUEST, _F.LATE_ANSWER, _F.LINGERING}


@dataclass(slots=True)
class Hostile:
    """Use `wrap` as that of a studio; it disturbs nothing while `is_kind`.

    `unheard` are the external_task_ids of creates that were taken while their sender did not hear of it, `taken_twice`
    those of creates that were refused because a task had the id, `unasked` those of creates that came though no look-up
    had found the id missing since it was last sent. `asked` counts requests.
    """

    random: Random
    is_kind: bool = False
    unheard: set[str] = field(default_factory=set)
    taken_twice: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    asked: int = 0
    _missing: set[str] = field(default_factory=set)

    async def wrap(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = self._draw(request)
        self.asked += 1
        if request.method != "POST":
            answer = await self._answer(request, handler, fault)
            if answer.status == HTTPStatus.NOT_FOUND:
                self._missing.add(request.path.rpartition("/")[2])
            return answer
        external_id = str((await request.json())["input"][0]["params"]["external_task_id"])
        self._check_asked(external_id, fault)
        answer = await self._answer(request, handler, fault, external_id)
        if fault not in _NOT_TAKEN and (fault not in _HEARD or _is_gone(request)):
            self.unheard.add(external_id)
        return answer

    def _check_asked(self, external_id: str, fault: _Fault | None) -> None:
        if external_id not in self._missing:
            self.unasked.append(external_id)
        if fault not in {_F.BUSY, _F.FULL}:  # after these its sender knows that there is no task
            self._missing.discard(external_id)

    def _draw(self, request: web.Request) -> _Fault | None:
        if self.is_kind or self.random.random() >= _SHARE:
            return None
        if not request.path.startswith("/model/"):
            return self.random.choice(_OF_RESULTS)
        return self.random.choice(_OF_CREATES if request.method == "POST" else _OF_QUERIES)

    async def _answer(
        self, request: web.Request, handler: Handler, fault: _Fault | None, external_id: str = ""
    ) -> web.StreamResponse:
        if fault in _NOT_TAKEN:
            return _refuse(request, fault)
        if fault in {_F.LATE_REQUEST, _F.LINGERING}:
            most = _LATE_SECONDS if fault is _F.LATE_REQUEST else _LINGERING_SECONDS
            await asyncio.sleep(self.random.uniform(0, most))
        answer = await handler(request)
        assert isinstance(answer, web.Response)
        if b"already exists" in _body(answer):
            self.taken_twice.append(external_id)
        if fault is _F.LATE_ANSWER:
            await asyncio.sleep(self.random.uniform(0, _LATE_SECONDS))
        return await self._garble(request, answer, fault)

    async def _garble(self, request: web.Request, answer: web.Response, fault: _Fault | None) -> web.StreamResponse:
        """The answer to what was taken, as its sender gets it."""
        match fault:
            case _F.DROPPED_AFTER:
                return _drop(request)
            case _F.BAD_PAGE:
                statuses = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
                return _page(self.random.choice(statuses))
            case _F.EMPTY:
                return web.Response(body=b"", content_type="application/json")
            case _F.CUT if request.path.startswith("/model/"):
                half = _body(answer)[: len(_body(answer)) // 2]
                return web.Response(status=answer.status, body=half, content_type="application/json")
            case _F.CUT:
                return await _break_off(request, _body(answer))
            case _:
                return answer


def _refuse(request: web.Request, fault: _Fault | None) -> web.StreamResponse:
    """An answer to what was never taken."""
    match fault:
        case _F.BUSY:
            return _error("1302", "too many requests")
        case _F.FULL:
            return _error("1303", "parallel task over resource pack limit")
        case _F.GARBAGE:
            return _page(HTTPStatus.OK)
        case _F.UNAVAILABLE:
            return _page(HTTPStatus.SERVICE_UNAVAILABLE)
        case _:
            return _drop(request)


def _error(code: str, message: str) -> web.Response:
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return web.Response(status=429, body=body, content_type="application/json", headers={"Retry-After": "0"})


def _page(status: HTTPStatus) -> web.Response:
    return web.Response(status=status, text=_PAGE, content_type="text/html")


def _drop(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


async def _break_off(request: web.Request, body: bytes) -> web.StreamResponse:
    begun = web.StreamResponse()
    begun.content_length = len(body)
    try:
        await begun.prepare(request)
        await begun.write(body[: len(body) // 2])
    except ConnectionError:  # its client was killed
        return begun
    if request.transport:
        request.transport.close()
    return begun


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _body(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body
