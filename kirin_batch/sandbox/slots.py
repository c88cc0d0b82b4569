"""The slots that each account holds, per kind. Slots come back by themselves when the time of their task is over."""

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

__all__ = ["SlotsInUse"]


@dataclass(slots=True)
class _Account:
    held: int = 0
    ends: list[tuple[float, int]] = field(default_factory=list)


class SlotsInUse:
    """Counts slots of tasks that have not ended. Times are the clock's seconds."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str], _Account] = defaultdict(_Account)

    def held(self, user: str, kind: str, *, now: float) -> int:
        """The slots of `kind` that the user's unfinished tasks hold at `now`."""
        account = self._accounts[user, kind]
        while account.ends and account.ends[0][0] <= now:
            account.held -= heapq.heappop(account.ends)[1]
        return account.held

    def take(self, user: str, kind: str, *, slots: int, until: float) -> None:
        """Hold slots until a task's end."""
        account = self._accounts[user, kind]
        account.held += slots
        heapq.heappush(account.ends, (until, slots))
