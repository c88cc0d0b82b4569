"""Settings are refused before anything is sent, the key shows nowhere, and importing the answers is light."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_wire import KEY

from kirin_batch.errors import GatewayRefusedError, UsageError
from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.settings import GatewaySettings

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("url", ["https://cloud.vtrix.ai", "http://127.0.0.1:80/", "https://[::1]:8/v/", "HTTPS://h"])
def test_an_http_address_is_a_base_url(url: str) -> None:
    assert GatewaySettings(url, Secret(KEY)).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cloud.vtrix.ai",
        "ftp://h",
        "file:///x",
        "https://",
        "https:///x",
        "https://h:99999",
        "https://h:0",
        "https://h:x",
        "https://h?a=b",
        "https://h#a",
        "https://a b",
        "https://h\n",
        "https://[::1",
        "//h",
    ],
)
def test_what_is_no_http_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match=r"gateway.base_url \(KIRIN_BASE_URL\) .*it looks like https"):
        GatewaySettings(url, Secret(KEY))


def test_a_password_in_the_base_url_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="a user or a password") as caught:
        GatewaySettings("https://me:hidden@h", Secret(KEY))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("show", [repr, str, ascii, "{}".format, lambda key: repr([key, {"a": key}])])
def test_a_secret_shows_nowhere(show: Callable[[object], str]) -> None:
    secret = Secret(KEY)
    assert KEY not in show(secret)
    assert KEY not in repr(GatewaySettings("https://h", secret))
    assert copy.copy(secret).reveal() == KEY


def test_blanks_around_a_key_are_dropped() -> None:
    assert Secret(f" {KEY}\r\n").reveal() == KEY


@pytest.mark.parametrize("value", ["", " \n", "two words", "line\r\nX-Header: 1", "schlüssel", "a\x00b", "a\tb"])
def test_what_no_header_can_hold_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(GatewayRefusedError, match="KIRIN_API_KEY") as caught:
        Secret(value)
    assert not value.strip() or value.strip() not in str(caught.value)


def test_a_short_key_does_not_tear_a_body_apart() -> None:
    body = b'{"id": "test-1", "message": "test"}'
    assert Secret("test").redact_body(body) == body
    assert Secret(KEY).redact_body(KEY.encode()) == b"[key]"


@pytest.mark.parametrize("module", ["kirin_batch.gateway.answers", "kirin_batch.gateway.settings"])
def test_answers_and_settings_do_not_load_the_http_library(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'aiohttp', 'yarl', 'asyncio'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=CHECKOUT)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
