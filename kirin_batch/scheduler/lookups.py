"""Whether the gateway finds tasks by their external_task_id, on which "look up before create" leans: seen, told once.

Where it does not, nothing is paid twice all the same: it takes an id once. But a create whose answer got lost can only
be sent again and be refused as taken, which leaves the job unknown; a user should hear that before it happens.
"""

import logging

__all__ = ["Lookups"]

_APPEARS_SECONDS = 15.0  # a task that is older and still not found by its id will not be

logger = logging.getLogger("kirin_batch.scheduler")


class Lookups:
    """What this run has seen of lookups by external_task_id."""

    def __init__(self) -> None:
        self._is_settled = False

    def is_due(self, age_seconds: float) -> bool:
        """Whether a task of this age, known by the gateway's own id, should be looked up by the other one."""
        return not self._is_settled and age_seconds >= _APPEARS_SECONDS

    def note(self, external_id: str, *, is_found: bool) -> None:
        """Settle the question by a lookup of a task that surely exists; says so where the answer is no."""
        if not self._is_settled and not is_found:
            logger.warning(
                "this gateway does not look up external_task_ids (%s is there and not found): a create whose answer "
                "gets lost can end as unknown, and another machine cannot adopt it",
                external_id,
            )
        self._is_settled = True
