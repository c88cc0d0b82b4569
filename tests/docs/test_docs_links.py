"""Every link within the repository leads somewhere, headings included, and every test that a page names exists."""

import re

import pytest
from doc_pages import Page, pages
from studio import CHECKOUT

TEST_NAME = re.compile(r"`(test_\w+\.py)`")
PAGES = {page.path: page for page in pages()}

by_page = pytest.mark.parametrize("page", PAGES.values(), ids=str)


@by_page
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = [target for target in page.links() if not is_there(page, target)]
    assert not broken


def is_there(page: Page, target: str) -> bool:
    if target.startswith(("https://", "http://")):
        return True
    path, _, anchor = target.partition("#")
    place = (page.path.parent / path).resolve() if path else page.path
    if not anchor:
        return place.exists()
    return place in PAGES and anchor in PAGES[place].anchors()


def test_every_page_is_reached_from_the_first() -> None:
    index = Page(CHECKOUT / "docs" / "README.md")
    linked = {(index.path.parent / target.partition("#")[0]).resolve() for target in index.links()}
    unlinked = {path for path in PAGES if path.parent == index.path.parent} - linked - {index.path}
    assert not unlinked, f"{index} has no link to {', '.join(sorted(path.name for path in unlinked))}"


@by_page
def test_every_test_that_is_named_exists(page: Page) -> None:
    named = set(TEST_NAME.findall(page.path.read_text(encoding="utf-8")))
    assert named - {path.name for path in (CHECKOUT / "tests").rglob("test_*.py")} == set()


@pytest.mark.parametrize(
    ("target", "is_right"),
    [
        ("specs.md", True),
        ("specs.md#types", True),
        ("#documentation", True),
        ("../README.md#install", True),
        ("https://example.org/", True),
        ("spec.md", False),
        ("specs.md#type", False),
        ("#docs", False),
        ("../LICENSE#mit", False),
    ],
)
def test_a_link_to_what_is_not_there_is_broken(target: str, *, is_right: bool) -> None:
    assert is_there(PAGES[CHECKOUT / "docs" / "README.md"], target) is is_right
