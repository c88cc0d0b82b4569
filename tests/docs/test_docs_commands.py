"""Whoever does what a page says, in order, in a fresh folder, gets what the page shows."""

from pathlib import Path

import pytest
from doc_pages import COMMANDS, Page, pages
from doc_reader import Reader
from git_repository import isolate_git

SAVED = frozenset({"yaml", "json", "diff", "python"})
LONG = {"docs/recipes.md"}
by_page = pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.soak] * (str(page) in LONG))
        for page in pages()
        if any(block.language in COMMANDS | SAVED for block in page.blocks())
    ],
    ids=str,
)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    isolate_git(monkeypatch)
    home = tmp_path / "home"
    home.mkdir()
    return Reader(home)


def faults_of(text: str, reader: Reader) -> list[str]:
    page = reader.home / "page.md"
    page.write_text(text, encoding="utf-8")
    return list(reader.read(Page(page)))


@by_page
def test_a_reader_gets_what_the_page_shows(page: Page, reader: Reader) -> None:
    faults = list(reader.read(page))
    assert not faults, "\n\n".join(faults)


@by_page
def test_a_reader_knows_where_to_save_each_file(page: Page) -> None:
    loose = [f"{page}:{block.line}" for block in page.blocks() if block.language in SAVED and not block.notes]
    assert not loose, f"a comment above the fence is missing, <!-- file: PATH -->: {loose}"


@pytest.mark.parametrize(
    ("shown", "is_right"),
    [
        ("one\ntwo\nthree", True),
        ("one\n...\nthree", True),
        ("...", True),
        ("o…\n…\nt…e", True),
        ("one\ntwo", False),
        ("two\nthree", False),
        ("one\n...\nfour", False),
        ("o\ntwo\nthree", False),
        ("one.\n...", False),
    ],
)
def test_what_is_shown_must_be_what_is_told(shown: str, *, is_right: bool, reader: Reader) -> None:
    text = f"```console\n$ printf 'one\\ntwo  \\nthree\\n'\n{shown}\n```\n"
    assert (faults_of(text, reader) == []) is is_right


def test_a_command_that_fails_is_a_fault_unless_the_page_says_so(reader: Reader) -> None:
    fails = "```sh\nkirin-batch run --nonsense\n```\n"
    assert "page.md:2: $ kirin-batch run --nonsense\nends with 2" in faults_of(fails, reader)[0]
    assert faults_of(f"<!-- not run: it fails -->\n{fails}", reader) == []
    assert len(faults_of(f"<!-- not run: it fails -->\n{fails}\n{fails}", reader)) == 1


def test_a_reader_goes_from_folder_to_folder(reader: Reader) -> None:
    inner = "```console\n$ mkdir inner && cd inner\n$ pwd\n…/home/inner\n```\n"
    other = "<!-- project: two -->\n```sh\ncd assets\nls fox.png\n```\n"
    assert faults_of(inner + other, reader) == []


def test_specs_that_are_left_behind_must_be_valid(reader: Reader) -> None:
    saved = "<!-- project: {} -->\n<!-- file: specs/a.yaml -->\n```yaml\nversion: 1\njobs: {{a: {{}}}}\n```\n"
    mended = "<!-- edit: specs/a.yaml -->\n```diff\n version: 1\n-jobs: {a: {}}\n+jobs: {}\n```\n"
    assert faults_of(saved.format("one") + mended, reader) == []
    assert "a:a: has no model" in faults_of(saved.format("two"), reader)[0]


def test_what_is_said_to_be_there_must_be_there(reader: Reader) -> None:
    saved = "<!-- project: one -->\n<!-- file: a.yaml -->\n```yaml\na: 1 # one\n```\n"
    shown = "<!-- same as: a.yaml -->\n```yaml\na: 1\n```\n"
    assert faults_of(saved + shown, reader) == []
    again = saved.replace("one", "two")
    assert "says something else than a.yaml" in faults_of(again + shown.replace("1", "2"), reader)[0]
