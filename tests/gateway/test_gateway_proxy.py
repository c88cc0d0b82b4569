"""The environment's proxy is used, its password reaches the proxy alone, and ~/.netrc reaches nobody."""

import asyncio
import base64
from pathlib import Path

import pytest
from gateway_wire import KEY, Sent, answer, serve, settings_for

from kirin_batch.errors import UsageError
from kirin_batch.gateway.answers import Answer, Broken, Received, Running
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.proxy import Proxy, proxy_for

LOGIN = f"Basic {base64.b64encode(b'me:p@ss').decode()}"
TASK = answer(200, {"id": "t"})


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def asked(
    base_url: str, monkeypatch: pytest.MonkeyPatch, *, told: bytes = TASK, login: str = ""
) -> tuple[Answer, Sent]:
    async def scenario() -> tuple[Answer, Sent]:
        async with serve(told) as proxy:
            for name in ("http_proxy", "https_proxy"):
                monkeypatch.setenv(name, proxy.url.replace("//", f"//{login}"))
            async with HttpGateway(settings_for(base_url)) as gateway:
                return await gateway.query("t"), proxy.requests[0]

    return asyncio.run(scenario())


def test_without_a_proxy_an_address_is_reached_directly() -> None:
    assert proxy_for("https://gateway.test/x") == Proxy()


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://gateway.test", "http://proxy.test:3128"),
        ("https://gateway.test", None),
        ("http://inside.test", None),
        ("http://localhost:1", None),
        ("http://127.0.0.1:1", None),
        ("http://[::1]:1", None),
        ("http://10.0.0.1:1", "http://proxy.test:3128"),
        ("http:///x", None),
    ],
)
def test_a_proxy_is_for_its_scheme_and_never_for_this_machine(
    address: str, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inside.test")
    assert proxy_for(address).url == url


def test_the_password_of_a_proxy_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:p%40ss@proxy.test:3128/")
    proxy = proxy_for("https://gateway.test")
    assert repr(proxy) == "Proxy(url='http://proxy.test:3128/')"
    assert proxy.headers == {"Authorization": LOGIN}


@pytest.mark.parametrize("url", ["socks5://me:secret@proxy.test:1", "http://", "ftp://x"])
def test_a_proxy_of_another_kind_is_a_usage_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", url)
    with pytest.raises(UsageError, match="HTTPS_PROXY is no http") as caught:
        proxy_for("https://gateway.test")
    assert "secret" not in str(caught.value)


def test_a_request_goes_through_the_proxy_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    said, sent = asked("http://gateway.test", monkeypatch, login="me:p%40ss@")
    assert said == Running("t")
    assert sent.target == "http://gateway.test/model/v1/generation/task/t"
    assert (sent.headers["proxy-authorization"], sent.headers["authorization"]) == (LOGIN, f"Bearer {KEY}")


def test_a_proxy_that_refuses_a_tunnel_has_passed_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said, sent = asked("https://gateway.test", monkeypatch, told=answer(407))
    assert said == Broken("the proxy refused to connect: HTTP 407")
    assert (sent.method, KEY in str(sent)) == ("CONNECT", False)


def test_a_download_goes_through_the_proxy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> object:
        async with serve(answer(200, b"film")) as proxy, HttpGateway(settings_for("http://127.0.0.1:9")) as gateway:
            monkeypatch.setenv("http_proxy", proxy.url)
            return await gateway.download("http://results.test/film", bytearray().extend)

    assert asyncio.run(scenario()) == Received(4)


def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    async def scenario() -> list[Sent]:
        async with serve(TASK) as wire, HttpGateway(settings_for(wire)) as gateway:
            await gateway.query("t")
            await gateway.download(wire.url, bytearray().extend)
            return wire.requests

    told = [sent.headers.get("authorization") for sent in asyncio.run(scenario())]
    assert told == [f"Bearer {KEY}", None]
