"""Texts that must not come into files for others: what the environment holds under names of secrets."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["known_secrets"]

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_LEAST_LENGTH = 6  # a shorter text stands in innocent words as well


def known_secrets(names: Iterable[str]) -> tuple[str, ...]:
    """What must not come into files for others: the key, and what specs take from variables named like secrets.

    `names` are those variables that specs may use. Longer ones stand first: of one that begins with another, no rest is
    to stay.
    """
    wanted = ("KIRIN_API_KEY", *(name for name in names if _SECRET_NAME.search(name)))
    values = (*(os.environ.get(name, "").strip() for name in wanted), _key_in_file())
    return tuple(
        sorted({value for value in values if len(value) >= _LEAST_LENGTH}, key=lambda value: (-len(value), value))
    )


def _key_in_file() -> str:
    """The key where a file holds it; "" where there is none, or none that can be read: the gateway tells that."""
    try:
        return Path(os.environ.get("KIRIN_API_KEY_FILE", "")).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
