"""What a run does and decides, as events of the program's log. Without a log file it costs nothing but a look."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Measures, Stage

__all__ = ["RunLog"]

_WORD = re.compile(r"[\w.:+/-]{1,32}", re.ASCII)  # a value that is no prompt: `16:9`, `kirin_v2_image`
_TELLTALE = 16  # characters of a param: a message that repeats so many repeats it, in whole or in part

logger = logging.getLogger("kirin_batch.run")


class RunLog:
    """An observer that logs; `ended` when no more comes."""

    def __init__(self) -> None:
        self._measure: Callable[[], Measures] | None = None
        self._created: set[str] = set()
        self._limits: Mapping[str, int] = {}

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer."""
        if not logger.isEnabledFor(logging.INFO):
            return
        self.ended()  # the canaries of this run
        self._measure = measure
        self._limits = _limits(measure())
        _log("run_began", {"jobs": jobs, "working": working, "limits": self._limits})

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        if self._measure is None:
            return
        facts: dict[str, object] = {"job": job.id, "model": job.model, "stage": stage.name.lower()}
        if stage is Stage.CREATING:
            self._created.add(job.id)
        elif stage is Stage.RUNNING:
            facts["found"] = job.id not in self._created  # made before this run: adopted, or taken up again
        elif stage is Stage.RETRYING:
            self._created.discard(job.id)
        if detail:
            facts["cost" if stage is Stage.COMPLETED else "detail"] = _without_params(detail, job)
        _log("job", facts)
        self._tell_limits(_limits(self._measure()))

    def _tell_limits(self, limits: Mapping[str, int]) -> None:
        for kind, limit in limits.items():
            if limit != self._limits[kind]:
                _log("limit", {"kind": kind, "before": self._limits[kind], "slots": limit})
        self._limits = limits

    def ended(self) -> None:
        """A run that began has ended: where it stands now is how."""
        if self._measure is None:
            return
        measures, self._measure = self._measure(), None
        self._created.clear()
        kinds = {kind: asdict(of_kind) for kind, of_kind in measures.kinds.items()}
        _log("run_ended", {"spent": str(measures.spent), "reserved": str(measures.reserved), "kinds": kinds})


def _log(event: str, facts: Mapping[str, object]) -> None:
    logger.info(event, extra={"fields": facts})


def _limits(measures: Measures) -> Mapping[str, int]:
    return {kind: of_kind.slot_limit for kind, of_kind in measures.kinds.items()}


def _without_params(detail: str, job: Job) -> str:
    """A message up to where it repeats what was asked for, as the gateway's may."""
    starts = (detail.find(text[:_TELLTALE]) for text in _texts(job.params) if not _WORD.fullmatch(text))
    cut = min((start for start in starts if start >= 0), default=len(detail))
    return detail if cut == len(detail) else f"{detail[:cut]}[params]"


def _texts(value: object) -> Iterator[str]:
    """All texts in params, at any depth."""
    match value:
        case str():
            yield from filter(None, [value])
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
