"""Every error class of the HTTP library is known to the wall, and none is mistaken for "never sent"."""

import ssl
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import client_exceptions as library
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from gateway_wire import KEY
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from kirin_batch.gateway.answers import Broken, Unknown
from kirin_batch.gateway.wall import BAD_ADDRESS, FAULTS, read_error

WHERE = ConnectionKey(
    host="gateway.test",
    port=443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
    server_hostname=None,
)
ASKED = RequestInfo(URL("http://h"), "POST", CIMultiDictProxy(CIMultiDict({"Authorization": KEY})), URL("http://h"))
REFUSED = ConnectionRefusedError(111, "Connection refused")

SENT_NOTHING: dict[type[Exception], tuple[Callable[[], Exception], str]] = {
    library.ClientConnectorError: (
        lambda: library.ClientConnectorError(WHERE, REFUSED),
        "no connection to gateway.test: Connection refused",
    ),
    library.ClientProxyConnectionError: (
        lambda: library.ClientProxyConnectionError(WHERE, OSError("all failed")),
        "no connection to gateway.test: all failed",
    ),
    library.ClientConnectorDNSError: (
        lambda: library.ClientConnectorDNSError(WHERE, OSError(-2, "Name or service not known")),
        "the name gateway.test cannot be resolved",
    ),
    library.ClientSSLError: (
        lambda: library.ClientSSLError(WHERE, OSError(1, "TLS")),
        "no connection to gateway.test: TLS",
    ),
    library.ClientConnectorSSLError: (
        lambda: library.ClientConnectorSSLError(WHERE, ssl.SSLError(1, "wrong version")),
        "no connection to gateway.test: wrong version",
    ),
    library.ClientConnectorCertificateError: (
        lambda: library.ClientConnectorCertificateError(WHERE, ssl.CertificateError(1, "expired")),
        "no connection to gateway.test: expired",
    ),
    library.UnixClientConnectorError: (
        lambda: library.UnixClientConnectorError("/run/s", WHERE, REFUSED),
        "no connection to gateway.test: Connection refused",
    ),
    library.ConnectionTimeoutError: (
        lambda: library.ConnectionTimeoutError("Connection timeout to host"),
        "no connection in time",
    ),
    library.ClientHttpProxyError: (
        lambda: library.ClientHttpProxyError(ASKED, (), status=407, message="Proxy"),
        "the proxy refused to connect: HTTP 407",
    ),
}

NOBODY_KNOWS: dict[type[Exception], tuple[Callable[[], Exception], str]] = {
    TimeoutError: (TimeoutError, "no answer in time"),
    library.ServerTimeoutError: (library.ServerTimeoutError, "no answer in time"),
    library.SocketTimeoutError: (lambda: library.SocketTimeoutError("Timeout on reading"), "no answer in time"),
    library.ServerDisconnectedError: (
        library.ServerDisconnectedError,
        "the connection was closed before the answer",
    ),
    library.ClientResponseError: (
        lambda: library.ClientResponseError(ASKED, (), message="Bad status line"),
        "not the HTTP that was expected: Bad status line",
    ),
    aiohttp.TooManyRedirects: (
        lambda: aiohttp.TooManyRedirects(ASKED, ()),
        "not the HTTP that was expected: TooManyRedirects",
    ),
    library.ClientError: (library.ClientError, "the connection broke: ClientError"),
    library.ClientOSError: (
        lambda: library.ClientOSError(104, "reset by peer"),
        "the connection broke: [Errno 104] reset by peer",
    ),
    ConnectionResetError: (ConnectionResetError, "the connection broke: ConnectionResetError"),
    library.ClientPayloadError: (lambda: library.ClientPayloadError("cut off"), "the connection broke: cut off"),
}

NEVER_RAISED_HERE = {  # web sockets, content types, fingerprints and aborts are not used, the rest are bases
    "WSServerHandshakeError",
    "ContentTypeError",
    "ServerFingerprintMismatch",
    "UploadAbortedError",
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ServerConnectionError",
    "RedirectClientError",
}


@pytest.mark.parametrize("kind", SENT_NOTHING)
def test_an_error_of_connecting_has_sent_nothing(kind: type[Exception]) -> None:
    make, words = SENT_NOTHING[kind]
    assert isinstance(make(), FAULTS)
    assert read_error(make()) == Broken(words)


@pytest.mark.parametrize("kind", NOBODY_KNOWS)
def test_after_any_other_error_nobody_knows(kind: type[Exception]) -> None:
    make, words = NOBODY_KNOWS[kind]
    assert isinstance(make(), FAULTS)
    assert read_error(make()) == Unknown(words)


def test_every_error_class_of_the_library_is_thought_of() -> None:
    classes = {
        kind for kind in vars(library).values() if isinstance(kind, type) and issubclass(kind, aiohttp.ClientError)
    }
    judged = {*SENT_NOTHING, *NOBODY_KNOWS}
    left = {kind.__name__ for kind in classes - judged if not issubclass(kind, BAD_ADDRESS)}
    assert left <= NEVER_RAISED_HERE


def test_what_only_has_bases_is_unknown_too() -> None:
    kinds = [getattr(library, name) for name in NEVER_RAISED_HERE if hasattr(library, name)]
    connected = [kind for kind in kinds if issubclass(kind, library.ClientConnectionError)]
    assert len(connected) >= 3
    for kind in connected:
        assert not issubclass(kind, (library.ClientConnectorError, library.ConnectionTimeoutError))


def test_the_words_for_an_error_never_hold_the_key() -> None:
    for make, _ in (*SENT_NOTHING.values(), *NOBODY_KNOWS.values()):
        assert KEY not in repr(read_error(make()))
