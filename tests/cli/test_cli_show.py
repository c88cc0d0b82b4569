"""Takes and attempts: all that was paid for is listed by `show`, and its files are where it says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def ask(studio: Studio, prompt: str = "a", take: int = 1) -> None:
    studio.spec(f"  one: {{take: {take}, params: {{prompt: {prompt}}}}}")


def make(studio: Studio, prompt: str = "a", take: int = 1) -> bytes:
    """Run with this request; the content of the result."""
    ask(studio, prompt, take)
    assert studio.run("run").code == 0
    return studio.result("film:one").read_bytes()


def tasks(studio: Studio) -> list[tuple[int, bool, str | None, str]]:
    """Take, whether it is the present one, where its first result is recorded to be, and the state of that file."""
    told = studio.run("show", "one", "--format", "json").json["tasks"]
    return [(task["take"], task["is_current"], task["outputs"][0]["path"], task["outputs"][0]["file"]) for task in told]


def test_every_take_is_listed_newest_first_with_its_cost_and_its_file(studio: Studio) -> None:
    contents = [make(studio, take=take) for take in (1, 2, 3)]
    listed = tasks(studio)
    assert [(take, is_current, state) for take, is_current, _, state in listed] == [
        (3, True, "present"),
        (2, False, "present"),
        (1, False, "present"),
    ]
    assert [(studio.root / str(path)).read_bytes() for _, _, path, _ in reversed(listed)] == contents
    text = studio.run("show", "one").out
    assert text.count(", $0.0140") == 3
    assert "take 2, attempt 1: completed" in text
    assert text.count("(earlier)") == 2


def test_a_take_that_is_asked_for_again_comes_back_to_its_place_and_costs_nothing(studio: Studio) -> None:
    first = make(studio, take=1)
    second = make(studio, take=2)
    place, creates = studio.result("film:one"), studio.books.creates
    downloads = len(studio.downloads)
    assert make(studio, take=1) == first
    assert (studio.result("film:one"), studio.books.creates, len(studio.downloads)) == (place, creates, downloads)
    [earlier] = studio.records["film:one"].earlier
    assert (studio.root / str(earlier.outputs[0].path)).read_bytes() == second
    assert make(studio, take=2) == second
    assert [state for *_, state in tasks(studio)] == ["present", "present"]


def test_what_was_edited_stays_where_it_is_when_a_take_comes_back(studio: Studio) -> None:
    first = make(studio, take=1)
    make(studio, take=2)
    edited = studio.result("film:one")
    edited.write_bytes(b"retouched")
    ask(studio, take=1)
    assert studio.run("run").code == 0
    assert edited.read_bytes() == b"retouched"
    assert studio.result("film:one").read_bytes() == first


def test_a_spec_that_has_moved_on_still_shows_what_was_paid_for(studio: Studio) -> None:
    make(studio, "a")
    ask(studio, "something else")
    [(_, is_current, _, state)] = tasks(studio)
    assert (is_current, state) == (False, "present")
    document = studio.run("show", "one", "--format", "json").json
    assert (document["status"], document["cost"], len(document["earlier"])) == ("pending", None, 1)


def test_a_file_that_is_gone_or_changed_is_told_with_its_url(studio: Studio) -> None:
    make(studio)
    path, url = studio.result("film:one"), studio.records["film:one"].outputs[0].url
    path.write_bytes(b"retouched")
    assert f"(holds something else now; as it was made: {url})" in studio.run("show", "one").out
    path.unlink()
    assert f"{url}  (not on disk)" in studio.run("show", "one").out


def test_failed_attempts_are_listed_with_their_reason(studio: Studio) -> None:
    ask(studio, "forbidden-content")
    assert studio.run("run").code == 1
    make(studio, "a fox")
    text = studio.run("show", "one").out
    assert "take 1, attempt 1: failed, " in text
    assert "the prompt violates the content policy" in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_of_a_variable_or_a_url_is_shown(studio: Studio, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("CDN_TOKEN", "hush-hush")
    (studio.root / "kirin.yaml").write_text("env: [CDN_TOKEN]\n")
    url = "https://cdn.example/${{ env.CDN_TOKEN }}/fox.png?signature=0a1b"
    studio.spec(f'  one: {{params: {{prompt: "a fox, ${{{{ env.CDN_TOKEN }}}}", image: "{url}"}}}}')
    ran = studio.run("show", "one", "--format", form)
    assert (ran.code, "hush-hush" in ran.out, "0a1b" in ran.out) == (0, False, False)
    assert "a fox, [secret]" in ran.out
    assert "https://cdn.example/[secret]/fox.png" in ran.out
