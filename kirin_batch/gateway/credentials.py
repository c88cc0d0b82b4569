"""Where the API key comes from: a variable, or a file that one names. It goes into a `Secret` at once."""

import os
from pathlib import Path

from kirin_batch.errors import GatewayRefusedError
from kirin_batch.gateway.secret import Secret

__all__ = ["read_api_key"]


def read_api_key(base_url: str) -> Secret:
    """The key of `KIRIN_API_KEY`, or of the file that `KIRIN_API_KEY_FILE` names. Raises GatewayRefusedError.

    `base_url`: the gateway that it is for.
    """
    if key := os.environ.get("KIRIN_API_KEY"):
        return Secret(key)
    file = os.environ.get("KIRIN_API_KEY_FILE")
    if not file:
        raise GatewayRefusedError(
            f"there is no API key: your account at {base_url} has one; set KIRIN_API_KEY to it, or KIRIN_API_KEY_FILE "
            "to the path of a file that holds it\n"
            "`kirin-batch run --sandbox` needs none: it makes pictures on this machine, at no cost"
        )
    try:
        return Secret(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise GatewayRefusedError(f"the file that KIRIN_API_KEY_FILE names cannot be read: {file}") from None
