"""When to ask again: pure functions of what has passed and of how long such tasks take. Seconds are floats."""

import math
from dataclasses import dataclass

from kirin_batch.scheduler.latency import Latency

__all__ = ["IDLE_WORTH", "PollPolicy", "backoff_seconds", "query_price"]

_PRICE = 0.031  # benchmarks/polling.py shows what it buys: queries against delay
_JITTER_SHARE = 0.1
_BACKOFF_BASE = 1.0
_BACKOFF_MOST = 60.0

IDLE_WORTH = 0.25
"""What a second late is worth, in slots that others wait for, where nothing waits: a person may."""


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """Queries come at most every `least` and at least every `most` seconds."""

    least: float = 1.0
    most: float = 30.0

    def next_delay(self, age: float, latency: Latency, *, worth: float, jitter: float, is_first: bool = False) -> float:
        """Seconds until the next query of a task that is `age` seconds old and takes as long as `latency` tells.

        A query has a price, in seconds by which a result is seen late. Where a task ends with a steady chance a second
        (its hazard), queries `sqrt(2 price / hazard)` apart cost least, late seconds and queries together; there each
        second takes `sqrt(hazard / 2 price)` of a query. As the hazard changes with the age, these shares are summed
        up from now on, and the query comes when they make a whole one. That looks ahead: a young task, of which none
        has ended yet, waits for the age at which they begin to, and not for ever.

        `worth` is what a second late is worth, in slots that others wait for meanwhile (see `query_price`): querying
        is free, and a slot seen late is capacity lost. Where nothing waits, results may come late, for fewer queries.

        `is_first`: nobody has asked since the create; then no two queries lie more than `most` apart even if this one
        comes later, as it may while hardly a task has ever ended, unless `least` and `most` are one. `jitter`, from 0
        to 1, spreads tasks of one age by up to a twentieth to both sides.
        """
        price = query_price(latency.median, worth=worth)
        is_fixed = self.least == self.most
        most = max(self.most, latency.quiet_until - age) if is_first and not is_fixed else self.most
        due = latency.age_by(latency.root_sum(age) + math.sqrt(2 * price))
        return min(most, max(self.least, (due - age) * (1 + (jitter - 0.5) * _JITTER_SHARE)))


def query_price(median: float, *, worth: float) -> float:
    """The seconds by which a task may be seen late to save a query: the fewer, the more a second is worth.

    They grow with the latency, as a second late is a larger loss for a short task; but less than in proportion, or
    short tasks would be queried all the time, and long ones be seen very late.
    """
    return _PRICE * math.pow(median, 2 / 3) / max(worth, IDLE_WORTH)


def backoff_seconds(failures: int, *, jitter: float) -> float:
    """Seconds to wait after the `failures`-th answer in a row that was none (1, 2, 3, …): 1, 2, 4, … up to 60.

    `jitter`, from 0 to 1, adds up to a half, so that jobs which failed together do not come back together.
    """
    return min(_BACKOFF_MOST, _BACKOFF_BASE * 2.0 ** min(failures - 1, 10)) * (1 + jitter / 2)
