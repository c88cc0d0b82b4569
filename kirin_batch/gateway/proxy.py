"""The proxy of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) for one address.

The HTTP library's own way, `trust_env`, also sends the passwords of ~/.netrc: to the gateway, and to hosts of results.
"""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from kirin_batch.errors import UsageError

__all__ = ["Proxy", "proxy_for"]


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where to send a request instead; `headers` are for the proxy alone, and for nobody's eyes.

    The HTTP library takes the login as the proxy's `Authorization` and sends it as Proxy-Authorization, be it with
    CONNECT or with a plain request; under its own name a plain request would lack it.
    """

    url: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)


def proxy_for(url: str) -> Proxy:
    """Find the proxy for an http(s) address; one without a URL where there is none.

    Raises UsageError for a proxy that is not http(s), whose address is never shown: it may hold a password.
    """
    target = urlsplit(url)
    found = getproxies().get(target.scheme)
    if not found or not target.hostname or _is_loopback(target.hostname) or proxy_bypass(target.hostname):
        return Proxy()
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"the proxy in {target.scheme.upper()}_PROXY is no http(s) address, and no other kind works")
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.username is None:
        return Proxy(place)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(place, {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"})


def _is_loopback(host: str) -> bool:
    """A server on this machine, such as the sandbox: a proxy elsewhere would look for it on its own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
