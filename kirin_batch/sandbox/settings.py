"""What a sandbox can be told: where it listens, how fast its time runs, and what an account may do at once."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from aiohttp.typedefs import Middleware

from kirin_batch.errors import KirinError

__all__ = ["SandboxSettings"]

DEFAULT_SLOTS: Mapping[str, int] = {"image": 10, "video": 5}
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """A sandbox's settings; what cannot work is a KirinError at once.

    `port` 0 lets the system choose. `speed` divides every latency: 20 makes a film of three minutes take nine seconds,
    `math.inf` ends every task at once. `limits` are slots per account and kind (image, video); a kind left out has its
    default. The same `seed` and the same requests give the same latencies, shapes and pictures. Only loopback hosts are
    taken unless `allow_remote`. `makes_films` is whether tasks of films are taken: by default, where PyAV is installed.
    `middlewares` wrap the gateway's answers and `result_middlewares` those of the results'
    site: the place where tests drop, delay or garble them.
    """

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    seed: int = 0
    limits: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_SLOTS))
    allow_remote: bool = False
    makes_films: bool = field(default_factory=lambda: find_spec("av") is not None)
    middlewares: tuple[Middleware, ...] = ()
    result_middlewares: tuple[Middleware, ...] = ()

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise KirinError(f"the sandbox's speed is {self.speed}: give a number above 0")
        if not 0 <= self.port <= HIGHEST_PORT:
            raise KirinError(f"the sandbox's port is {self.port}: give one from 0 to {HIGHEST_PORT}; 0 lets it choose")
        if unknown := set(self.limits) - set(DEFAULT_SLOTS):
            raise KirinError(f"the sandbox has no slots of kind {min(unknown)!r}: use image or video")
        if not self.allow_remote and not _is_loopback(self.host):
            raise KirinError(
                f"the sandbox would listen on {self.host}, where others could reach it: use 127.0.0.1, ::1 or localhost"
            )

    def slots(self, kind: str) -> int:
        """The slots of one account for `kind`."""
        return self.limits.get(kind, DEFAULT_SLOTS[kind])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
