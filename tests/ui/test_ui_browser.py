"""The live page in a real browser: opened while a run is going on, it shows results as they arrive."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from chromium import grave_problems, open_browser
from live_server import serving
from playwright.sync_api import Browser, Page, expect
from studio import Studio, open_studio

pytestmark = pytest.mark.browser


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys, holds_time=True) as studio:
        (tmp_path / "kirin.yaml").write_text("version: 1\npoll: {min: 0.05, max: 0.2}\n")
        studio.prompts(one="a fox", two="b", three="forbidden-content")
        yield studio


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    yield context.new_page()
    context.close()


def complaints_of(page: Page, address: str) -> list[str]:
    """Open the address; the list takes what the browser complains about, and what it asks of others."""
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith((address, "data:")) else complaints.append(sent.url))
    page.goto(address)
    return complaints


def loaded(page: Page) -> int:
    """How many pictures of tiles are there."""
    script = "() => [...document.querySelectorAll('.tile img')].filter((one) => one.naturalWidth > 0).length"
    return int(page.evaluate(script))


def test_results_appear_in_place_while_the_run_goes_on_and_its_end_is_told(page: Page, studio: Studio) -> None:
    with serving(studio, "run", "--ui", "-q") as served:
        complaints = complaints_of(page, served.url)
        expect(page.locator("#live-kinds")).to_contain_text("slots 2/10")
        expect(page.locator("#live-state")).to_have_text("Running")
        expect(page.locator(".tile img")).to_have_count(0)
        tile = page.get_by_role("button", name="film:one, in flight", exact=True)
        tile.focus()
        failed = page.locator(".tile.failed").element_handle()
        studio.holds_time = False
        expect(page.locator("#live-state")).to_contain_text("The run has ended")
        expect(page.locator(".tile img")).to_have_count(2)
        assert loaded(page) == 2
        served.process.wait(30)
    assert page.get_by_role("button", name="film:one, completed", exact=True).evaluate("it => it.matches(':focus')")
    assert failed.evaluate("it => it.isConnected")  # a tile that did not change is the same one
    page.get_by_label("Search").fill("fox")
    expect(page.locator("#count")).to_have_text("1 of 3 jobs")
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem_while_a_run_goes_on_and_after(
    browser: Browser, studio: Studio, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    with closing(context), serving(studio, "run", "--ui", "-q") as served:
        page = context.new_page()
        page.goto(served.url)
        expect(page.locator("#live-state")).to_have_text("Running")
        assert grave_problems(page) == []
        studio.holds_time = False
        expect(page.locator("#live-state")).to_contain_text("The run has ended")
        assert grave_problems(page) == []


def test_an_open_view_turns_into_the_result_that_came(page: Page, studio: Studio) -> None:
    with serving(studio) as served:
        complaints = complaints_of(page, served.url)
        page.select_option("#group", "status")
        page.get_by_role("button", name="film:one, pending", exact=True).click()
        expect(page.locator("#detail .words")).to_contain_text("Pending")
        studio.holds_time = False
        studio.start("run", "-q").communicate(timeout=30)
        expect(page.locator("#detail .show img")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".group h2")).to_have_text(["Completed", "Failed"])
        expect(page.locator("#live-kinds")).to_contain_text("2/3 done · 1 failed")
        assert complaints == []
