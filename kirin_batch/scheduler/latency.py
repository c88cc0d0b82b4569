"""How long tasks take, as a distribution: how soon one of some age will end. Pure maths; knows neither jobs nor files.

A distribution is a table over the logarithm of the seconds, made once from a density and then cheap to ask. A small
part of it is always a broad hump for what nobody has seen yet: so a task beyond all experience looks ever less likely
to end within the next second, and no chance is ever nought.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise

__all__ = ["SMOOTHED_FROM", "Latency", "fit_log_normal", "fit_smoothed"]

SMOOTHED_FROM = 20
"""Samples from which their smoothed density tells more than a log-normal distribution."""

_POINTS = 224
_REACH = 4.5  # how far the table goes, in spreads of its humps
_KERNEL_REACH = 4.0
_LEAST_SPREAD = 0.05
_QUARTER_WIDTH = 0.637  # of a bell, in spreads, at its middle
_UNSEEN_SPREAD = 1.0
_UNSEEN_WEIGHT = 0.2  # samples that the broad hump is worth
_QUIET_SHARE = 0.98


class Latency:
    """The distribution of the seconds from a task's create to its end.

    `median`; `quiet_until`: the age before which hardly a task has ended, or 0 where too few tasks were seen to say so.
    """

    def __init__(self, density: Sequence[float], *, first: float, step: float, is_learned: bool) -> None:
        """`density` of the logarithm of the seconds, positive, at `first`, `first + step`, …; its scale is free."""
        self._first = first
        self._step = step
        self._ages = [math.exp(first + step * number) for number in range(len(density))]
        # From the far end, so that small chances are sums of small numbers and not differences of large ones.
        shares = [(one + other) / 2 * step for one, other in pairwise(density)]
        outlasting = list(accumulate(reversed(shares), initial=density[-1] / _REACH))[::-1]
        self._survival = [share / outlasting[0] for share in outlasting]
        # Per logarithm of a second: unlike the hazard per second it is smooth enough to draw lines between points.
        self._ending = [here / share for here, share in zip(density, outlasting, strict=True)]
        self._remaining = self._expect()
        self._root_sums = self._sum_roots()
        self.median = self.outlasted_by(0.5)
        self.quiet_until = self.outlasted_by(_QUIET_SHARE) if is_learned else 0.0

    def _expect(self) -> list[float]:
        """The expected further seconds at each point."""
        ages, survival = self._ages, self._survival
        further = ages[-1] / (_REACH - 1) * survival[-1]
        spans = [
            (ages[at + 1] - ages[at]) * (survival[at] + survival[at + 1]) / 2 for at in range(len(ages) - 2, -1, -1)
        ]
        sums = list(accumulate(spans, initial=further))[::-1]
        return [seconds / share for seconds, share in zip(sums, survival, strict=True)]

    def _sum_roots(self) -> list[float]:
        """The square root of the hazard, summed over the seconds up to each point; before the first it is even."""
        roots = [math.sqrt(ending * age) for ending, age in zip(self._ending, self._ages, strict=True)]
        return list(accumulate(((one + other) / 2 * self._step for one, other in pairwise(roots)), initial=roots[0]))

    def hazard(self, age_seconds: float) -> float:
        """The chance, per second, that a task which is still running at this age ends now: positive and finite."""
        age = max(age_seconds, self._ages[0])
        return self._between(self._ending, age) / age

    def root_sum(self, age_seconds: float) -> float:
        """The square root of the hazard, summed over the seconds up to this age; it grows without end."""
        first, last = self._ages[0], self._ages[-1]
        if age_seconds <= first:
            return self._root_sums[0] * max(0.0, age_seconds) / first
        further = 2 * math.sqrt(self._ending[-1]) * (math.sqrt(max(age_seconds, last)) - math.sqrt(last))
        return self._between(self._root_sums, age_seconds) + further

    def age_by(self, root_sum: float) -> float:
        """The age at which `root_sum` comes to this."""
        sums, ages = self._root_sums, self._ages
        if root_sum <= sums[0]:
            return ages[0] * root_sum / sums[0]
        if root_sum >= sums[-1]:
            return (math.sqrt(ages[-1]) + (root_sum - sums[-1]) / (2 * math.sqrt(self._ending[-1]))) ** 2
        after = bisect_left(sums, root_sum)
        part = (root_sum - sums[after - 1]) / (sums[after] - sums[after - 1])
        return math.exp(self._first + self._step * (after - 1 + part))

    def remaining(self, age_seconds: float) -> float:
        """The expected further seconds of a task which is still running at this age."""
        if age_seconds <= self._ages[0]:
            return self._remaining[0] + self._ages[0] - max(0.0, age_seconds)
        return self._between(self._remaining, age_seconds) * max(1.0, age_seconds / self._ages[-1])

    def survival(self, age_seconds: float) -> float:
        """The share of tasks that are still running at this age."""
        if age_seconds <= self._ages[0]:
            return 1.0
        return self._between(self._survival, age_seconds)

    def outlasted_by(self, share: float) -> float:
        """The age at which this share of tasks is still running."""
        survival = self._survival
        after = min(max(1, bisect_left(survival, -share, key=float.__neg__)), len(survival) - 1)
        over, under = survival[after - 1], survival[after]
        part = min(1.0, max(0.0, (over - share) / (over - under))) if over > under else 0.0
        return math.exp(self._first + self._step * (after - 1 + part))

    def _between(self, values: Sequence[float], age: float) -> float:
        """A value of the table, on the line between two of its points; the last one beyond its end."""
        place = (math.log(age) - self._first) / self._step
        before = int(place)
        if before >= len(values) - 1:
            return values[-1]
        return values[before] + (values[before + 1] - values[before]) * (place - before)


def fit_log_normal(mean: float, spread: float, *, samples: float) -> Latency:
    """The log-normal distribution whose logarithms have this mean and standard deviation.

    `samples`: how many are behind it, in whole or in part; the fewer, the more is left to what nobody has seen.
    """
    spread = max(spread, _LEAST_SPREAD)
    first, step = _grid(mean - _REACH * spread, mean + _REACH * spread, mean)
    density = [_bell(first + step * at, mean, spread) for at in range(_POINTS)]
    return Latency(_with_unseen(density, first, step, mean, samples), first=first, step=step, is_learned=False)


def fit_smoothed(logs: Sequence[float], weights: Sequence[float]) -> Latency:
    """The distribution of these logarithms of seconds, each as heavy as its weight and blurred by a little.

    How much is told by the narrowest quarter of them: humps that lie far from each other stay apart.
    """
    total = sum(weights)
    mean = sum(log * weight for log, weight in zip(logs, weights, strict=True)) / total
    blur = max(_blur(sorted(logs)), _LEAST_SPREAD)
    first, step = _grid(min(logs) - _REACH * blur, max(logs) + _REACH * blur, mean)
    blur = max(blur, step)
    heights = [0.0] * _POINTS
    for log, weight in zip(logs, weights, strict=True):
        place = (log - first) / step
        before = int(place)
        heights[before] += weight * (before + 1 - place)
        heights[before + 1] += weight * (place - before)
    density = _blurred(heights, blur / step, step * total)
    return Latency(_with_unseen(density, first, step, mean, total), first=first, step=step, is_learned=True)


def _grid(low: float, high: float, mean: float) -> tuple[float, float]:
    """The first point and the step of a table that holds all between and most of the broad hump."""
    low, high = min(low, mean - 3 * _UNSEEN_SPREAD), max(high, mean + _REACH * _UNSEEN_SPREAD)
    return low, (high - low) / (_POINTS - 1)


def _with_unseen(density: Sequence[float], first: float, step: float, mean: float, samples: float) -> list[float]:
    unseen = _UNSEEN_WEIGHT / (1 + samples)
    return [
        (1 - unseen) * here + unseen * _bell(first + step * at, mean, _UNSEEN_SPREAD) for at, here in enumerate(density)
    ]


def _bell(at: float, mean: float, spread: float) -> float:
    return math.exp(-0.5 * ((at - mean) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))


def _blur(logs: Sequence[float]) -> float:
    """The spread of the kernel: Silverman's rule, for the spread that the narrowest quarter would have in a bell."""
    quarter = len(logs) // 4
    narrowest = min(logs[at + quarter] - logs[at] for at in range(len(logs) - quarter))
    return 0.9 * narrowest / _QUARTER_WIDTH / math.pow(len(logs), 0.2)


def _blurred(heights: Sequence[float], spread: float, area: float) -> list[float]:
    """The heights, each spread over its neighbourhood; `spread` in steps."""
    reach = math.ceil(spread * _KERNEL_REACH)
    kernel = [math.exp(-0.5 * (offset / spread) ** 2) for offset in range(-reach, reach + 1)]
    scale = 1 / (sum(kernel) * area)
    density = [0.0] * (len(heights) + 2 * reach)
    for at, height in enumerate(heights):
        if height:
            for offset, share in enumerate(kernel):
                density[at + offset] += height * scale * share
    return density[reach : reach + len(heights)]
