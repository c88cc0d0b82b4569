"""When to ask again: pure functions of what has passed. Seconds are floats."""

from dataclasses import dataclass

__all__ = ["PollPolicy", "backoff_seconds"]

_AGE_SHARE = 0.15
_BACKOFF_BASE = 1.0
_BACKOFF_MOST = 60.0


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """Queries come at most every `least` and at least every `most` seconds."""

    least: float = 1.0
    most: float = 30.0

    def delay(self, age: float, *, jitter: float) -> float:
        """Seconds until the next query of a task that is `age` seconds old.

        A share of the age, so that a result is seen late by a small part of the time that it took, with few queries;
        `jitter`, from 0 to 1, spreads tasks of one age by up to a tenth.
        """
        delay = min(self.most, max(self.least, age * _AGE_SHARE))
        return min(self.most, delay * (1 + jitter / 10))


def backoff_seconds(failures: int, *, jitter: float) -> float:
    """Seconds to wait after the `failures`-th answer in a row that was none (1, 2, 3, …): 1, 2, 4, … up to 60.

    `jitter`, from 0 to 1, adds up to a half, so that jobs which failed together do not come back together.
    """
    return min(_BACKOFF_MOST, _BACKOFF_BASE * 2.0 ** min(failures - 1, 10)) * (1 + jitter / 2)
