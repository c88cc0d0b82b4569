"""Ids of subjects: 64-bit integers with a check of their user, so that a sandbox knows its own without a record."""

import hashlib

from kirin_batch.sandbox.draws import draw

__all__ = ["is_owned", "new_element_id"]

CHECK_BITS = 24
SMALL_BITS = 26  # with the check 50 bits: a JSON number that every reader keeps
LARGE_BITS = 38  # with the check 62 bits: beyond 2^53, where readers that use doubles lose digits


def new_element_id(seed: int, user: str, task_seed: str) -> int:
    """A positive id below 2^63 for the subject of one task; half of them are above 2^53."""
    dice = draw(task_seed, "element")
    bits = dice.choice((SMALL_BITS, LARGE_BITS))
    serial = dice.getrandbits(bits) | 1 << (bits - 1)
    return serial << CHECK_BITS | _check(seed, user, serial)


def is_owned(element_id: int, seed: int, user: str) -> bool:
    """Whether a sandbox of this seed gave the id to this user."""
    serial, check = element_id >> CHECK_BITS, element_id & ((1 << CHECK_BITS) - 1)
    return serial > 0 and check == _check(seed, user, serial)


def _check(seed: int, user: str, serial: int) -> int:
    digest = hashlib.sha256(f"{seed}/{user}/{serial}".encode()).digest()
    return int.from_bytes(digest[: CHECK_BITS // 8])
