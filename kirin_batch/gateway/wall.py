"""The wall where the HTTP library's errors end: what each means for a request, and the words for it.

A connection that never stood has sent nothing; of all else, even of a time-out without a word, nobody knows how far the
request came. The tests hold every error class of the library against this.
"""

import aiohttp

from kirin_batch.gateway.answers import Broken, Unknown

__all__ = ["BAD_ADDRESS", "FAULTS", "read_error", "words_for"]

FAULTS = (aiohttp.ClientError, OSError)
"""All that the network can raise. A total time-out is a bare TimeoutError with an empty message, and so an OSError."""

BAD_ADDRESS = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError)
"""Raised for an address that never works, before anything is sent; UnicodeError: for a name that DNS cannot hold."""

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)

_WORDS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ServerDisconnectedError, "the connection was closed before the answer"),
)


def read_error(error: Exception) -> Broken | Unknown:
    """Tell what an error of the network means for the request: it surely sent nothing, or nobody knows."""
    return Broken(words_for(error)) if isinstance(error, _NEVER_SENT) else Unknown(words_for(error))


def words_for(error: Exception) -> str:
    """Describe an error of the network in one line, never empty.

    Never by its repr: that of a response error holds the request's headers, and with them the key.
    """
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused to connect: HTTP {error.status}"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} cannot be resolved"
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientResponseError():
            return f"not the HTTP that was expected: {error.message or type(error).__name__}"
        case _:
            return f"the connection broke: {str(error) or type(error).__name__}"
