"""What a run says at its end: what to do next, and nothing that loses what was paid for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def test_nobody_is_told_to_delete_a_lockfile_that_holds_what_was_paid_for(studio: Studio) -> None:
    studio.prompts(paid="a")
    assert studio.run("run").code == 0
    studio.prompts(paid="a", tried="b")
    ran = studio.run("run", "--sandbox", "--job", "tried")
    assert (ran.code, "delete kirin.lock" in ran.err) == (0, False)
    assert "another `take:` to have them made by the gateway" in ran.err
    studio.spec("  paid: {params: {prompt: a}}\n  tried: {take: 2, params: {prompt: b}}")
    assert (studio.run("run").code, studio.books.creates) == (0, 2)
