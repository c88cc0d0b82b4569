"""Where the gateway is and how hard it may be asked, checked when made. Must not know where settings come from."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from kirin_batch.errors import UsageError
from kirin_batch.gateway.secret import Secret

__all__ = ["GatewaySettings"]


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How to reach the gateway. Raises UsageError where the base URL is no http(s) address of a server.

    `timeout_seconds`: for one create or query, from connecting to the end of its answer, beside what an upload takes
    by its size, and for each silence in a download. `requests_per_second`: creates and queries; None for no limit.
    `connections`: requests at once. `result_bytes`: no result may be larger.
    """

    base_url: str
    api_key: Secret
    timeout_seconds: float = 60.0
    requests_per_second: float | None = None
    connections: int = 64
    result_bytes: int = 4 * 1024**3

    def __post_init__(self) -> None:
        if problem := _problem(self.base_url):
            message = f"gateway.base_url (KIRIN_BASE_URL) {problem}; it looks like https://cloud.vtrix.ai"
            raise UsageError(message)


def _problem(base_url: str) -> str | None:
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password, which are not used: the key is all"  # and must not be printed
    if not base_url.isprintable() or " " in base_url:
        return "holds blanks or control characters"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return f"is no http(s) address: {base_url!r}"
    if parts.query or parts.fragment:
        return f"ends in a query or a fragment: {base_url!r}"
    return None
