"""Where the API key comes from: a variable, or a file that one names. It goes into a `Secret` at once."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from kirin_batch.errors import GatewayRefusedError
from kirin_batch.gateway.secret import Secret

__all__ = ["known_secrets", "read_api_key"]

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_LEAST_LENGTH = 6  # a shorter text stands in innocent words as well


def read_api_key() -> Secret:
    """The key of `KIRIN_API_KEY`, or of the file that `KIRIN_API_KEY_FILE` names. Raises GatewayRefusedError."""
    if key := os.environ.get("KIRIN_API_KEY"):
        return Secret(key)
    file = os.environ.get("KIRIN_API_KEY_FILE")
    if not file:
        raise GatewayRefusedError(
            "there is no API key: set KIRIN_API_KEY, or KIRIN_API_KEY_FILE to the path of a file that holds it "
            "(`run --sandbox` needs none)"
        )
    try:
        return Secret(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise GatewayRefusedError(f"the file that KIRIN_API_KEY_FILE names cannot be read: {file}") from None


def known_secrets(names: Iterable[str]) -> tuple[str, ...]:
    """What must not come into files for others: the key, and what specs take from variables named like secrets.

    `names` are those variables that specs may use.
    """
    wanted = ("KIRIN_API_KEY", *(name for name in names if _SECRET_NAME.search(name)))
    values = (os.environ.get(name, "").strip() for name in wanted)
    return tuple(value for value in values if len(value) >= _LEAST_LENGTH)
