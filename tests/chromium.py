"""A headless Chromium that reaches loopback and nothing else, for tests that look at pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["grave_problems", "open_browser"]

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_IN_CI = bool(os.environ.get("CI"))  # read before the tests' own environment leaves it out
_OFFLINE = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-domain-reliability", "--disable-sync", "--no-first-run", "--no-pings"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The browser of this machine; where there is none the test is skipped, and fails in CI."""
    if _CHROMIUM is None:
        reason = "there is no Chromium: Debian's is `apt-get install chromium`"
        pytest.fail(reason) if _IN_CI else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_OFFLINE)
        yield browser
        browser.close()


def grave_problems(page: Page) -> list[str]:
    """What axe-core calls serious or critical, by rule and place."""
    found = Axe().run(page).response["violations"]
    grave = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
    return [f"{violation['id']}: {node['html'][:200]}" for violation in grave for node in violation["nodes"]]
