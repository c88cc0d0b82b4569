"""What pages promise and no block can show, because it needs the gateway: each promise as a small story."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from doc_pages import Page
from studio import CHECKOUT, KEY, Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def saved(page: str, path: str) -> str:
    """What a page has the reader save at a path."""
    blocks = Page(CHECKOUT / "docs" / page).blocks()
    return next(block.text for block in blocks if block.notes.get("file") == path)


def send_as_a_script(studio: Studio, entry: dict[str, object]) -> None:
    """What a script without kirin-batch does with an entry of its list."""
    params = {key: value for key, value in entry.items() if key not in {"name", "model"}}
    body = json.dumps({"model": entry["model"], "input": [{"params": params}]}).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    with urlopen(Request(f"{studio.url}/model/v1/generation", body, headers)) as answer:  # noqa: S310 - our own sandbox
        assert answer.status == 200


def test_what_scripts_paid_for_under_an_id_is_found_and_not_paid_again(studio: Studio) -> None:
    prompts = saved("recipes.md", "prompts.json")
    send_as_a_script(studio, json.loads(prompts)[0])
    script = [sys.executable, "-c", saved("recipes.md", "to_spec.py")]
    studio.spec(subprocess.run(script, input=prompts, capture_output=True, text=True, check=True).stdout, "old")  # noqa: S603 - the page's own
    ran = studio.run("recover")
    assert (ran.code, "not found  old:tin" in ran.out) == (1, True), ran
    assert studio.run("fetch").code == 0
    assert studio.run("plan", "--format", "json").actions == {"old:tea-house": "none", "old:tin": "create"}
    assert studio.run("run").code == 0
    assert studio.books.creates == 2
