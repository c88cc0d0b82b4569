"""The page: data stay data, and nothing runs but the script that its policy names."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

from kirin_batch.report.page import MARK, render_page

HOSTILE = "</script><script>alert(1)</script><!--<script> ]]> \u2028 \u202e \"'& 🦊"


class Reader(HTMLParser):
    """The elements of a page in order: name, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", {}, []))  # what follows is its parent's text

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.elements[-1][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.elements if name == tag]


def document(title: str = "fair", *, prompts: Sequence[str] = ()) -> dict[str, Any]:
    return {"title": title, "jobs": [{"prompt": prompt} for prompt in prompts]}


@pytest.fixture
def page() -> Reader:
    return Reader(render_page(document(HOSTILE, prompts=[HOSTILE])).decode())


def test_hostile_texts_come_back_as_they_were(page: Reader) -> None:
    content, *_ = page.texts("script")
    assert json.loads(content) == document(HOSTILE, prompts=[HOSTILE])
    assert not set("<>&'") & set(content)
    assert HOSTILE in page.texts("h1")[0]


def hashes(*texts: str) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def test_the_policy_names_our_scripts_and_style_and_nothing_of_others(page: Reader) -> None:
    _, *scripts = page.texts("script")
    [style] = page.texts("style")
    policy = next(attrs["content"] or "" for tag, attrs, _ in page.elements if attrs.get("http-equiv"))
    assert policy.startswith(
        f"default-src 'none'; script-src {hashes(*scripts)}; style-src {hashes(style)}; img-src 'self'"
    )
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_element_carries_script_or_style_of_its_own(page: Reader) -> None:
    names = {name for _, attrs, _ in page.elements for name in attrs}
    assert not {name for name in names if name.startswith("on") or name in {"style", "srcdoc"}}
    assert not re.search(
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", "".join(page.texts("script")[1:])
    )


def test_the_page_names_no_address_of_others() -> None:
    html = render_page(document()).decode()
    assert set(re.findall(r"https?://[^'\" ]+", html)) == {"http://www.w3.org/2000/svg"}  # a name, which nobody fetches


def test_the_mark_stands_where_it_is_looked_for() -> None:
    assert MARK in render_page(document("x" * 500))[:2048]
