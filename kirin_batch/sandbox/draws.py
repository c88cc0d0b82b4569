"""Everything that looks like chance in the sandbox. Each draw has its own name, so that a new one moves no other."""

import random

__all__ = ["draw"]


def draw(*words: object) -> random.Random:
    """A generator that gives the same numbers for the same words, on every machine and in every Python."""
    return random.Random("/".join(str(word) for word in words))  # noqa: S311 - looks, not secrets
