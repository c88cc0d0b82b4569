"""Turns what came over the wire (status, Retry-After, body) into an answer: pure functions, no network.

Every rule is a row of the gateway's table of answers; what no row tells is `Unknown`, never a guess.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

import orjson

from kirin_batch.gateway.answers import Answer, Broken, Busy, Denied, Done, Failed, Missing, Refused, Running, Unknown
from kirin_batch.gateway.fault import Fault, read_fault
from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.task import read_task

__all__ = ["Reply", "presentable", "read_reply", "retry_after_seconds"]

_BALANCE = frozenset({"1101", "1102", *(str(code) for code in range(40201, 40209))})
_KEY_ADVICE = "check KIRIN_API_KEY and what the key is allowed to do"
_BALANCE_ADVICE = "the balance or the resource pack is used up; top it up, then run the same command again"
_ID_NAMED = re.compile(r"external[ _-]?task[ _-]?id", re.IGNORECASE)
_IN_USE = re.compile(r"already|exist|duplicate|unique|taken|in use|been used", re.IGNORECASE)
_UNCLEAR_STATUSES = frozenset({408, 425, 499})  # a proxy's: whether the request got through, it does not say
_SUCCESS, _REDIRECT, _REQUEST = 2, 3, 4  # the hundreds of a status
_TEXT_CHARACTERS = 500
_CODE_CHARACTERS = 64
_LONGEST_WAIT_SECONDS = 3600.0  # a longer Retry-After would hold a run for good, on the word of any proxy


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer, as far as it matters; `is_create`: it answers a create, else a query."""

    status: int
    body: bytes
    retry_after: str | None = None
    is_create: bool = False

    @property
    def family(self) -> int:
        """The hundreds of the status."""
        return self.status // 100


def read_reply(reply: Reply, *, now: datetime) -> Answer:
    """Tell what a reply means. The texts in it are still those of strangers: see `presentable`."""
    body = _decoded(reply.body)
    if reply.family not in {_SUCCESS, _REQUEST}:
        return Unknown(_said(reply, read_fault(body)))
    if reply.family == _SUCCESS and (task := read_task(body)):
        return task
    fault = read_fault(body)
    return _by_code(reply, fault, now=now) or _by_status(reply, fault, now=now)


def _decoded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode(errors="replace").strip()
        return "an HTML page" if text.startswith("<") else text


def _by_code(reply: Reply, fault: Fault, *, now: datetime) -> Answer | None:
    """Vendor codes tell more than statuses do: 1102 comes as 429, and yet no waiting helps."""
    codes = frozenset(fault.codes)
    if codes & _BALANCE:
        return Denied(reply.status, fault.code, _denied(reply, fault, _BALANCE_ADVICE))
    if codes & {"1302", "1303"}:
        return _busy(reply, fault, now=now)
    if codes & {"1201", "1301"} or ("1203" in codes and reply.is_create):
        return _refused(reply, fault)
    return Missing() if "1203" in codes else None


def _by_status(reply: Reply, fault: Fault, *, now: datetime) -> Answer:
    match reply.status:
        case 401 | 403:
            return Denied(reply.status, fault.code, _denied(reply, fault, _KEY_ADVICE))
        case 402:
            return Denied(reply.status, fault.code, _denied(reply, fault, _BALANCE_ADVICE))
        case 404:
            return Missing()
        case 429:
            return _busy(reply, fault, now=now)
        case status if reply.family == _SUCCESS or status in _UNCLEAR_STATUSES:
            return Unknown(_said(reply, fault))
        case _:
            return _refused(reply, fault)


def _busy(reply: Reply, fault: Fault, *, now: datetime) -> Busy:
    text = fault.message.lower()
    is_parallel = "1303" in fault.codes or ("parallel" in text and "limit" in text)
    seconds = retry_after_seconds(reply.retry_after, now=now)
    return Busy(seconds, fault.code, fault.message or _said(reply, fault), parallel=is_parallel)


def _refused(reply: Reply, fault: Fault) -> Refused:
    names_id = bool(_ID_NAMED.search(fault.message))
    is_taken = names_id and bool(_IN_USE.search(fault.message))
    return Refused(fault.code, fault.message or _said(reply, fault), taken=is_taken, names_id=names_id)


def _denied(reply: Reply, fault: Fault, advice: str) -> str:
    return f"the gateway refused ({_said(reply, fault)}): {advice}"


def _said(reply: Reply, fault: Fault) -> str:
    """The answer for people: `HTTP 502, an HTML page`."""
    if reply.family == _SUCCESS:
        return f"HTTP {reply.status} without a task{f': {fault.message}' if fault.message else ''}"
    if reply.family == _REDIRECT:
        return f"HTTP {reply.status}, a redirect, which is not followed: the key is for gateway.base_url alone"
    parts = (f"HTTP {reply.status}", fault.code and f"code {fault.code}", fault.message)
    return ", ".join(part for part in parts if part)


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After, seconds or an HTTP date (RFC 9110, 10.2.3); None where it is garbage or lies in the past.

    At most an hour.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now=now)
    return min(seconds, _LONGEST_WAIT_SECONDS) if isfinite(seconds) and seconds >= 0 else None


def _seconds_until(date: str, *, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return -1.0
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def presentable(answer: Answer, *, secret: Secret) -> Answer:
    """Make the texts of an answer fit for people: without the key, in one line, without what moves a terminal."""
    match answer:
        case Running() | Done() | Missing():  # first: nearly all answers are, and none holds a text
            return answer
        case Unknown() | Broken():
            return replace(answer, reason=_clean(answer.reason, secret, _TEXT_CHARACTERS))
        case Failed() | Refused() | Denied() | Busy():
            code = _clean(answer.code, secret, _CODE_CHARACTERS)
            return replace(answer, code=code, message=_clean(answer.message, secret, _TEXT_CHARACTERS))


def _clean(text: str, secret: Secret, most: int) -> str:
    shown = "".join(character if character.isprintable() else " " for character in secret.redact(text))
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
