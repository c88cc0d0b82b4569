"""What runs have seen of how long tasks take: by model and by the parameters that matter, kept in one small file.

A key with few samples leans on its model's other keys, those on what is usual for the kind. The file is a cache:
nothing depends on it, so one that cannot be read is an empty one, and a warning.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson

from kirin_batch.disk import write_atomic
from kirin_batch.jobs import Job
from kirin_batch.scheduler.latency import SMOOTHED_FROM, Latency, fit_log_normal, fit_smoothed

__all__ = ["Latencies", "load_latencies"]

_PARAMETERS = ("mode", "duration", "n")
_MEDIANS = {"image": 25.0, "video": 180.0}
_USUAL_MEDIAN = 60.0  # of a kind that nobody told of
_SPREAD = 0.45  # of the logarithms within a key: what is usual
_SPREAD_WEIGHT = 4.0  # samples that this spread is worth
_KIND_WEIGHT = 0.45  # samples that a kind's median is worth: models differ by a factor of two
_MODEL_WEIGHT = 2.0  # samples that the other keys of a model are worth, at most
_MOST_SAMPLES = 200
_MOST_KEYS = 64
_NEWS_SHARE = 0.1  # of the samples of a fit: so many further ones make it anew
_HARDLY_ENDED = 0.9  # the share of tasks that outlast an age, from which on an end before it is a surprise
_HALVED_AFTER = 40  # younger samples by which one weighs half: so that drifts are followed
_SHORTEST, _LONGEST = 1e-3, 1e6
_VERSION: Final = 1
_MOST_BYTES = 1_000_000  # many times what is ever written
_TEXT_MOST = 64
_DECIMALS = 3

logger = logging.getLogger("kirin_batch.scheduler")


@dataclass(frozen=True, slots=True)
class _Key:
    """What the latency of a task hangs on: its model, and parameters by name."""

    model: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Belief:
    """A log-normal distribution and how well it is known: what `weight` samples with this mean would tell.

    `variance` is that of the logarithms, worth `variance_weight` samples.
    """

    mean: float
    weight: float
    variance: float = _SPREAD**2
    variance_weight: float = _SPREAD_WEIGHT

    def learn(self, logs: Sequence[float]) -> "_Belief":
        """The belief after these samples: the mean of both, each as heavy as it is worth (normal-inverse-gamma)."""
        if not logs:
            return self
        count, mean = len(logs), math.fsum(logs) / len(logs)
        weight, variance_weight = self.weight + count, self.variance_weight + count
        squares = math.fsum((log - mean) ** 2 for log in logs)
        apart = (mean - self.mean) ** 2 * self.weight * count / weight
        variance = (self.variance * self.variance_weight + squares + apart) / variance_weight
        return _Belief((self.mean * self.weight + mean * count) / weight, weight, variance, variance_weight)

    def as_latency(self) -> Latency:
        """What the next task may take: the wider, the less is known of the mean."""
        return fit_log_normal(self.mean, math.sqrt(self.variance * (1 + 1 / self.weight)), samples=self.weight)


class Latencies:
    """How long tasks take, learned as they end; the last samples of each key, and of the keys seen last.

    `haste`: by how much the gateway's time is faster than usual, as a sandbox's may be.
    """

    def __init__(self, *, haste: float = 1.0) -> None:
        self._haste = haste
        self._logs: dict[_Key, list[float]] = {}  # logarithms of seconds, the youngest last; so are the keys
        self._ended: Counter[str] = Counter()  # samples ever seen, by model
        self._early: Counter[_Key] = Counter()  # tasks in a row that ended sooner than they should have
        self._fits: dict[tuple[_Key, str], tuple[Latency, int]] = {}  # each with the samples of its model that it is of

    def of(self, job: Job) -> Latency:
        """What is known of the latency of a task of `job`, but for the last few samples: each fit takes a while."""
        known = (_key_of(job), job.kind)
        ended = self._ended[job.model]  # a model's keys lean on each other
        fit, at = self._fits.get(known, (None, 0))
        if fit is None or ended - at > min(at, _MOST_SAMPLES) * _NEWS_SHARE:
            fit = self._fit(*known)
            self._fits[known] = fit, ended
        return fit

    def observe(self, job: Job, *, earliest: float, latest: float) -> None:
        """A task ended, in whatever way, after it was seen running at `earliest` and when it was asked for at `latest`.

        Both in seconds from its create; 0 for `earliest` if nobody had asked. The end counts as the middle of what
        was likely between: after a long silence that is not the middle of the time.
        """
        if not 0 <= earliest <= latest < math.inf:
            return
        key, latency = _key_of(job), self.of(job)
        share = (latency.survival(earliest) + latency.survival(latest)) / 2
        seconds = min(max(latency.outlasted_by(share), earliest), latest)
        if self._is_outdated(key, earliest, latency.survival(latest)):
            seconds = latest / 2
            del self._fits[key, job.kind]
        self._add(key, [_logarithm(seconds)])

    def _is_outdated(self, key: _Key, earliest: float, outlasting: float) -> bool:
        """Whether tasks have become so fast that what was learned tells nothing: two in a row had ended at the first
        look, at an age at which hardly any should have.
        """
        is_early = earliest == 0 and outlasting > _HARDLY_ENDED
        self._early[key] = self._early[key] + 1 if is_early else 0
        return self._early[key] > 1

    def save(self, path: Path) -> None:
        """Put what is known at `path`, in a folder that exists; a disk that refuses is only warned of."""
        try:
            write_atomic(path, self.dump())
        except OSError as error:
            logger.warning("how long tasks took is not kept: %s", error)

    def dump(self) -> bytes:
        """What is known, in the form of the file."""
        entries = [
            {
                "model": key.model,
                "parameters": dict(key.parameters),
                "seconds": [round(math.exp(log), _DECIMALS) for log in logs],
            }
            for key, logs in self._logs.items()
        ]
        return orjson.dumps({"version": _VERSION, "latencies": entries})

    def learn(self, dumped: bytes) -> None:
        """Take over what `dump` gave. Raises ValueError where it is anything else."""
        for model, parameters, seconds in _checked(dumped)[-_MOST_KEYS:]:
            self.restore(model, parameters, seconds)

    def restore(self, model: str, parameters: Mapping[str, str], seconds: Sequence[float]) -> None:
        """Take over what `save` wrote of one key; the oldest first."""
        self._add(_Key(model, tuple(parameters.items())), map(_logarithm, seconds))

    def _add(self, key: _Key, logs: Iterable[float]) -> None:
        known = self._logs.pop(key, [])
        grown = [*known, *logs]
        self._ended[key.model] += len(grown) - len(known)
        self._logs[key] = grown[-_MOST_SAMPLES:]
        while len(self._logs) > _MOST_KEYS:
            del self._logs[next(iter(self._logs))]

    def _fit(self, key: _Key, kind: str) -> Latency:
        logs = self._logs.get(key, [])
        if len(logs) >= SMOOTHED_FROM:
            return fit_smoothed(logs, [0.5 ** (age / _HALVED_AFTER) for age in range(len(logs) - 1, -1, -1)])
        others = (seen for other, seen in self._logs.items() if other != key and other.model == key.model)
        usual = _Belief(math.log(_MEDIANS.get(kind, _USUAL_MEDIAN) / self._haste), _KIND_WEIGHT)
        model = usual.learn([log for seen in others for log in seen[-SMOOTHED_FROM:]])
        prior = _Belief(model.mean, min(model.weight, _MODEL_WEIGHT), model.variance, _SPREAD_WEIGHT)
        return prior.learn(logs).as_latency()


def load_latencies(path: Path) -> Latencies:
    """What `save` put at `path`; nothing where there is no file, and, with a warning, where it cannot be read."""
    latencies = Latencies()
    try:
        with path.open("rb") as file:
            latencies.learn(file.read(_MOST_BYTES + 1))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        logger.warning("how long tasks took is learned anew: %s cannot be read: %s", path, error)
    return latencies


def _checked(data: bytes) -> list[tuple[str, dict[str, str], list[float]]]:
    """Model, parameters and seconds of each key; raises ValueError where the data is anything else."""
    if len(data) > _MOST_BYTES:
        raise ValueError("it is too large")
    match orjson.loads(data):
        case {"version": int(version), "latencies": [*entries]} if version == _VERSION:
            return [_checked_entry(entry) for entry in entries]
    raise ValueError(f"it is not of version {_VERSION}")


def _checked_entry(entry: object) -> tuple[str, dict[str, str], list[float]]:
    match entry:
        case {"model": str(model), "parameters": dict(parameters), "seconds": list(seconds)}:
            said = {str(name): value for name, value in parameters.items() if isinstance(value, str)}
            took = [each for each in seconds if isinstance(each, float | int) and each > 0]
            if len(said) == len(parameters) and len(took) == len(seconds):
                return model, said, took
    raise ValueError("an entry is not what was written")


def _logarithm(seconds: float) -> float:
    return math.log(min(max(seconds, _SHORTEST), _LONGEST))


def _key_of(job: Job) -> _Key:
    said = [(name, value) for name in _PARAMETERS if (value := job.params.get(name)) is not None]
    try:
        return _key(job.model, job.slots, tuple(said))
    except TypeError:  # a list or a mapping, which tells nothing
        return _key(job.model, job.slots, ())


@lru_cache(maxsize=4 * _MOST_KEYS)
def _key(model: str, slots: int, said: tuple[tuple[str, object], ...]) -> _Key:
    texts = ((name, str(value)[:_TEXT_MOST]) for name, value in said if isinstance(value, str | int | float))
    # Slots stand for how much a task makes, under whatever name its model takes that.
    return _Key(model, (*texts, ("slots", str(slots))))
