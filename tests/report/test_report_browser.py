"""The gallery of a real sandbox run in a real browser: opened from disk and from a server, nothing asked of others."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chromium import grave_problems, open_browser
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

CHECKOUT = Path(__file__).resolve().parent.parent.parent
WIDE, NARROW = (1440, 900), (390, 844)
SPEC = """
version: 1
defaults: {model: kirin_v2_image, tags: [fair]}
jobs:
  stall:
    matrix: {light: [dawn, dusk]}
    params: {prompt: 'A stall at ${{ matrix.light }}, </script><img src=x onerror="document.title=1"> & "quoted"'}
    tags: [fair, stall]
  pair:
    params: {prompt: Two lanterns, n: 2, aspect_ratio: "1:1"}
  broken:
    params: {prompt: forbidden-content}
  walk:
    model: kirin_v3_i2v
    params: {image: "${{ jobs.stall[light=dawn].url }}", prompt: the crowd walks by, duration: 3}
"""


@dataclass
class Visit:
    """A page that is open, and what the browser complained about or asked of others."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    size: tuple[int, int] = WIDE

    def names(self) -> list[str]:
        """The names under the tiles."""
        return self.page.locator(".tile .caption > span:first-child").all_inner_texts()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fair")
    (root / "specs").mkdir()
    (root / "specs" / "fair.yaml").write_text(SPEC)
    call(root, "run", "--sandbox", "-q", code=1)
    call(root, "report")
    call(root, "report", "--out", "public")
    return root


def call(root: Path, *command: str, code: int = 0) -> None:
    program = [sys.executable, "-m", "kirin_batch", *command]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TZ": "UTC"}
    done = subprocess.run(program, cwd=root, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == code, f"{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@contextmanager
def visiting(browser: Browser, address: str, *, size: tuple[int, int] = WIDE, scheme: str = "light") -> Iterator[Visit]:
    """A page at the address; at the end of the block there must have been no complaint."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    visit = Visit(context.new_page())
    own = address.rpartition("/")[0] if address.startswith("http") else "file:///"
    visit.page.on("console", lambda told: visit.complaints.append(told.text))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("request", lambda sent: visit.complaints.append(sent.url) if is_foreign(sent.url, own) else None)
    visit.page.goto(address)
    expect(visit.page.locator(".tile").first).to_be_visible()
    yield visit
    assert visit.complaints == []
    context.close()


def is_foreign(url: str, own: str) -> bool:
    return not url.startswith((own, "data:", "blob:"))


@pytest.fixture
def visit(browser: Browser, project: Path) -> Iterator[Visit]:
    with visiting(browser, (project / ".kirin" / "report" / "index.html").as_uri()) as visit:
        yield visit


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[str]:
    """The address of a plain server of the folder `public`."""
    handler = functools.partial(QuietHandler, directory=str(project / "public"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


def until(page: Page, claim: str) -> None:
    """Wait until a claim holds; Playwright's own way evaluates a text, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(claim):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"it does not come to hold: {claim}")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_every_job_is_shown_with_its_results_and_markup_stays_text(visit: Visit) -> None:
    expect(visit.page.locator("#totals")).to_contain_text("5 jobs · 5 results")
    assert len(visit.names()) == 6
    visit.page.get_by_role("button", name="fair:stall[light=dawn], completed", exact=True).click()
    expect(visit.page.locator(".prompt")).to_contain_text('</script><img src=x onerror="document.title=1"> & "quoted"')
    assert visit.page.title().endswith("gallery")


def test_pictures_load_from_disk(visit: Visit) -> None:
    pictures = visit.page.locator(".tile img")
    expect(pictures).to_have_count(5)
    for number in range(5):
        pictures.nth(number).scroll_into_view_if_needed()
        until(visit.page, f"document.querySelectorAll('.tile img')[{number}].naturalWidth > 0")


def test_search_and_filters_narrow_each_other_and_stay_in_the_address(visit: Visit) -> None:
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("LANTERNS")
    expect(visit.page.locator("#count")).to_have_text("1 of 5 jobs")
    visit.page.keyboard.press("Escape")
    visit.page.select_option("#tag", "stall")
    expect(visit.page.locator("#count")).to_have_text("2 of 5 jobs")
    visit.page.select_option("#status", "failed")
    expect(visit.page.locator(".empty")).to_be_visible()
    visit.page.reload()
    expect(visit.page.locator(".empty")).to_be_visible()
    visit.page.click("#clear")
    assert len(visit.names()) == 6


def test_results_are_sorted_by_cost_time_and_name(visit: Visit) -> None:
    visit.page.select_option("#sort", "cost")
    assert visit.names()[0] == "walk"
    visit.page.select_option("#sort", "name")
    assert [name.split("\n")[0] for name in visit.names()] == [
        "broken",
        "pair",
        "pair",
        "stalldawn",
        "stalldusk",
        "walk",
    ]
    visit.page.select_option("#group", "model")
    assert visit.page.locator(".group h2").all_inner_texts() == ["kirin_v2_image", "kirin_v3_i2v"]


def test_a_film_plays_while_the_mouse_is_on_it_and_in_its_own_view(visit: Visit) -> None:
    film = visit.page.locator(".tile", has_text="walk")
    film.hover()
    until(visit.page, "document.querySelector('.tile video')?.currentTime > 0.1")
    visit.page.mouse.move(5, 5)
    expect(visit.page.locator(".tile video")).to_have_count(0)
    film.locator(".open").click()
    until(visit.page, "document.querySelector('#detail video')?.currentTime > 0.1")
    visit.page.keyboard.press("Space")
    until(visit.page, "document.querySelector('#detail video').paused")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#detail video")).to_have_count(0)


def test_the_keyboard_walks_opens_steps_and_closes(visit: Visit) -> None:
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        visit.page.keyboard.press(key)
    head = visit.page.locator("#detail h2")
    expect(head).to_contain_text("stall")
    visit.page.keyboard.press("ArrowRight")
    expect(head).to_contain_text("pair")
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#detail")).to_be_hidden()
    expect(visit.page.locator(":focus")).to_have_attribute("aria-label", "fair:pair, result 1 of 2, completed")


def test_the_shortcuts_are_told_and_closed_again(visit: Visit) -> None:
    visit.page.keyboard.press("?")
    expect(visit.page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    visit.page.get_by_role("button", name="Close").click()
    expect(visit.page.get_by_role("dialog")).to_have_count(0)


def test_two_pictures_are_compared_by_a_slider(visit: Visit) -> None:
    for light in ("dawn", "dusk"):
        visit.page.get_by_role("button", name=f"fair:stall[light={light}], completed", exact=True).focus()
        visit.page.keyboard.press("c")
    expect(visit.page.locator("#compare .differs")).to_contain_text(["Prompt"])
    box = visit.page.locator(".slider").bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 40)
    expect(visit.page.locator(".slider input")).to_have_value("25")
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.locator(".slider").evaluate("it => it.style.getPropertyValue('--cut')") == "26%"
    visit.page.get_by_role("button", name="Side by side").click()
    expect(visit.page.locator("#compare figure img")).to_have_count(2)


def test_an_earlier_result_is_told_with_what_it_was_asked_for(browser: Browser, project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project")
    (root / "specs" / "fair.yaml").write_text(SPEC.replace("Two lanterns", "Two candles"))
    call(root, "run", "--sandbox", "-q", "--job", "pair")
    call(root, "report")
    with visiting(browser, (root / ".kirin" / "report" / "index.html").as_uri()) as visit:
        visit.page.locator('.tile .open[aria-label^="fair:pair"]').first.click()
        expect(visit.page.locator("#detail .prompt")).to_have_text("Two candles")
        visit.page.locator("#detail .task", has_text="Take 1").nth(1).click()
        expect(visit.page.locator("#detail .prompt")).to_have_text("Two lanterns")


def test_what_a_film_was_made_from_is_a_step_away_and_back(visit: Visit) -> None:
    visit.page.get_by_role("button", name="fair:walk, completed", exact=True).click()
    visit.page.locator("section", has=visit.page.get_by_text("Made from", exact=True)).get_by_role("button").click()
    expect(visit.page.locator("#detail h2")).to_contain_text("stall")
    visit.page.locator("section", has=visit.page.get_by_text("Made of it", exact=True)).get_by_role("button").click()
    expect(visit.page.locator("#detail h2")).to_contain_text("walk")


def test_plots_tell_costs_and_times_of_what_is_shown(visit: Visit) -> None:
    visit.page.keyboard.press("t")
    plots = visit.page.locator(".chart svg")
    expect(plots).to_have_count(4)
    assert (plots.first.get_attribute("aria-label") or "").startswith("Cost by model: kirin_v3_i2v $")
    visit.page.select_option("#model", "kirin_v2_image")
    assert "kirin_v3_i2v" not in (plots.first.get_attribute("aria-label") or "")


def test_the_folder_opens_from_a_plain_server(browser: Browser, server: str) -> None:
    with visiting(browser, server) as visit:
        visit.page.locator(".tile", has_text="walk").locator(".open").click()
        until(visit.page, "document.querySelector('#detail video')?.currentTime > 0.1")
        visit.page.keyboard.press("ArrowLeft")
        visit.page.keyboard.press("ArrowLeft")
        until(visit.page, "document.querySelector('#detail .show img')?.naturalWidth > 0")


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Browser, server: str) -> None:
    with visiting(browser, server, size=NARROW) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") == NARROW[0]
        visit.page.click("#more")
        visit.page.select_option("#status", "failed")
        visit.page.locator(".tile .open").click()
        expect(visit.page.locator("#detail .error")).to_contain_text("content policy")
        assert visit.page.evaluate("document.querySelector('#detail').scrollWidth") <= NARROW[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_no_serious_problem(browser: Browser, server: str, scheme: str, size: tuple[int, int]) -> None:
    with visiting(browser, server, scheme=scheme, size=size) as visit:
        visit.page.click("#charts-button")
        assert grave_problems(visit.page) == []
        visit.page.locator(".tile .open").first.click()
        assert grave_problems(visit.page) == []
        visit.page.keyboard.press("Escape")
        picks = visit.page.locator(".pick")
        picks.nth(0).click(force=True)
        assert grave_problems(visit.page) == []
        picks.nth(1).click(force=True)
        expect(visit.page.locator(".slider")).to_be_visible()
        assert grave_problems(visit.page) == []
