"""The account's concurrency: slots by kind, never overdrawn, and a limit that follows what the gateway says of it.

The gateway answers 1303 where others use the same account: then the limit halves, and grows by one with each success
until it is what the user set (additive increase, multiplicative decrease).
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Slots"]


@dataclass(slots=True)
class _Kind:
    most: int
    limit: int
    in_use: int = 0


class Slots:
    """Slots in use and free, by kind (`image`, `video`)."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        """`limits`: the most slots of each kind that may be in use at once."""
        self._kinds = {kind: _Kind(most=limit, limit=limit) for kind, limit in limits.items()}

    def fits(self, kind: str, slots: int) -> bool:
        """Whether `slots` are free now. With nothing in use the limit as the user set it counts: else a large job
        could never start after the limit shrank.
        """
        state = self._kinds[kind]
        return state.in_use + slots <= (state.limit if state.in_use else state.most)

    def take(self, kind: str, slots: int) -> None:
        """Count `slots` as in use; a task in flight from an earlier run holds its slots whether they fit or not."""
        self._kinds[kind].in_use += slots

    def give_back(self, kind: str, slots: int) -> None:
        """Count `slots` as free again."""
        self._kinds[kind].in_use -= slots

    def shrink(self, kind: str) -> None:
        """The gateway has no slot left: use half as many."""
        state = self._kinds[kind]
        state.limit = max(1, state.limit // 2)

    def grow(self, kind: str) -> None:
        """The gateway took a task: use one more, up to what the user set."""
        state = self._kinds[kind]
        state.limit = min(state.most, state.limit + 1)

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Slots in use and allowed at the moment, by kind."""
        return {kind: (state.in_use, state.limit) for kind, state in self._kinds.items()}
