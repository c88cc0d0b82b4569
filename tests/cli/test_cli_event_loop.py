"""A run uses uvloop's event loop where it is installed, and does without it where it is not."""

import os
import signal
from pathlib import Path

import pytest
from circumstances import PATIENCE_SECONDS, wait_until
from studio import CHECKOUT, open_studio

MAKES_ONE = """
import asyncio, sys

def new_event_loop():
    print("made by uvloop", file=sys.stderr)
    return asyncio.new_event_loop()
"""
IS_BROKEN = "raise ImportError('made for another Python')"


@pytest.mark.parametrize(("uvloop", "is_used"), [(MAKES_ONE, True), (IS_BROKEN, False)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_takes_the_event_loop_that_there_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    uvloop: str,
    *,
    is_used: bool,
    interrupted: bool,
) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "uvloop.py").write_text(uvloop)
    with open_studio(tmp_path, monkeypatch, capsys, holds_time=interrupted) as studio:
        studio.prompts(one="a")
        run = studio.start("run", PYTHONPATH=os.pathsep.join(map(str, (modules, CHECKOUT))))
        if interrupted:
            wait_until(lambda: len(studio.books.tasks) == 1)
            run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, "made by uvloop" in err) == (130 if interrupted else 0, is_used)
