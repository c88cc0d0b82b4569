"""Takes requests and finds tasks: the gateway's rules of business, without HTTP.

Between the look for a taken external_task_id and the entry in the books nothing waits, so two requests with one id
never both pass (proved by test_two_creates_with_one_id_at_once_make_one_task).
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping

from kirin_batch.sandbox.books import Books
from kirin_batch.sandbox.commissions import orders_of
from kirin_batch.sandbox.elements import is_owned, new_element_id
from kirin_batch.sandbox.models import Model, kind_of, slots_of
from kirin_batch.sandbox.prices import price_of
from kirin_batch.sandbox.refusals import RequestRefusedError, wrong_parameter
from kirin_batch.sandbox.results import Results
from kirin_batch.sandbox.settings import SandboxSettings
from kirin_batch.sandbox.slots import SlotsInUse
from kirin_batch.sandbox.tasks import Task, latency_of

__all__ = ["Desk"]

FORBIDDEN = "forbidden-content"
FAILING = re.compile(r"fail-(00600109[459])")
LONGEST_KEPT = 4096
RETRY_AFTER_SECONDS = 1


class Desk:
    """One sandbox's business: accepts valid requests as tasks, and finds a user's tasks again."""

    def __init__(self, settings: SandboxSettings, *, clock: Callable[[], float], results: Results) -> None:
        self.books = Books()
        self._settings = settings
        self._clock = clock
        self._results = results
        self._slots = SlotsInUse()
        self._ids: dict[tuple[str, str], str] = {}

    def create(self, user: str, model: Model, params: Mapping[str, object]) -> Task:
        """Enter a task for params that passed the page's rules, or raise RequestRefusedError."""
        _refuse_forbidden(params)
        self._refuse_strange_subjects(user, params)
        external_id = _external_id(params)
        if external_id is not None and (user, external_id) in self._ids:
            self.books.duplicates += 1
            raise wrong_parameter("external_task_id", "already exists; it must be unique per user")
        now = self._clock()
        self._refuse_crowd(user, model, params, now=now)
        task = self._new_task(user, model, params, now=now)
        self._enter(task)
        return task

    def find(self, user: str, name: str) -> Task:
        """The user's task with this task id or external_task_id; 404 with code 1203 if there is none."""
        task = self.books.tasks.get(self._ids.get((user, name), name))
        if task is None or task.user != user:
            raise RequestRefusedError(404, "1203", "task not found")
        return task

    def _refuse_strange_subjects(self, user: str, params: Mapping[str, object]) -> None:
        elements = params.get("element_list")
        for index, item in enumerate(elements if isinstance(elements, list) else []):
            if not is_owned(item["element_id"], self._settings.seed, user):
                raise wrong_parameter(f"element_list[{index}].element_id", "is not a subject of this user")

    def _refuse_crowd(self, user: str, model: Model, params: Mapping[str, object], *, now: float) -> None:
        kind = kind_of(model)
        wanted = self._slots.held(user, kind, now=now) + slots_of(model, params)
        if wanted > self._settings.slots(kind):
            message = "parallel task over resource pack limit"
            raise RequestRefusedError(429, "1303", message, retry_after=RETRY_AFTER_SECONDS)
        self.books.peak_slots[kind] = max(self.books.peak_slots[kind], wanted)

    def _new_task(self, user: str, model: Model, params: Mapping[str, object], *, now: float) -> Task:
        task_id = secrets.token_hex(12)
        external_id = _external_id(params)
        seed = f"{self._settings.seed}/{external_id or len(self.books.tasks)}"
        orders = orders_of(model, params, seed=seed, label=external_id or task_id, lookup=self._results.order_at)
        return Task(
            id=task_id,
            user=user,
            model=model,
            params={name: _kept(value) for name, value in params.items()},
            external_id=external_id,
            seed=seed,
            slots=slots_of(model, params),
            price=price_of(model, params),
            created_at=now,
            finished_at=now + latency_of(model, seed, speed=self._settings.speed),
            failure=_failure(params),
            results=tuple(self._results.add(order) for order in orders),
            element_id=new_element_id(self._settings.seed, user, seed) if model is Model.SUBJECT else None,
        )

    def _enter(self, task: Task) -> None:
        self.books.tasks[task.id] = task
        if task.external_id is not None:
            self._ids[task.user, task.external_id] = task.id
        self._slots.take(task.user, task.kind, slots=task.slots, until=task.finished_at)


def _external_id(params: Mapping[str, object]) -> str | None:
    value = params.get("external_task_id")
    return None if value is None else str(value)


def _prompts(params: Mapping[str, object]) -> list[str]:
    shots = params.get("multi_prompt")
    texts = [params.get("prompt", ""), params.get("element_description", "")]
    texts += [shot["prompt"] for shot in shots] if isinstance(shots, list) else []
    return [str(text) for text in texts]


def _refuse_forbidden(params: Mapping[str, object]) -> None:
    if any(FORBIDDEN in text.lower() for text in _prompts(params)):
        raise RequestRefusedError(400, "1301", "the prompt violates the content policy")


def _failure(params: Mapping[str, object]) -> str | None:
    found = FAILING.search(" ".join(_prompts(params)))
    return found[1] if found else None


def _kept(value: object) -> object:
    """The value as the books keep it: a Base64 image of megabytes would stay in memory for as long as the sandbox."""
    match value:
        case str() if len(value) > LONGEST_KEPT:
            return f"{len(value)} characters, SHA-256 {hashlib.sha256(value.encode()).hexdigest()}"
        case list():
            return [_kept(item) for item in value]
        case dict():
            return {name: _kept(item) for name, item in value.items()}
        case _:
            return value
