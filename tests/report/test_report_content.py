"""What the page tells of a job: where its results are and what became of them, and what was asked for."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from kirin_batch.records import Output, Record, Status
from kirin_batch.report.asked import Asked, load_asked
from kirin_batch.report.content import Entry, Files, describe
from kirin_batch.report.previews import Look

NOW = datetime(2026, 1, 20, tzinfo=UTC)
SHA, OTHER, THIRD = ("a" * 64, "b" * 64, "c" * 64)
URL = "https://results.example/a.png?sign=x"


def record(*outputs: Output) -> Record:
    return Record(
        job="film:one",
        model="kirin_v2_image",
        status=Status.COMPLETED,
        digest="d" * 64,
        external_task_id="kb-1",
        created_at="2026-01-10T12:00:00Z",
        finished_at="2026-01-10T12:01:30Z",
        outputs=outputs,
    )


def output(path: str | None = "outputs/one.png", *, sha256: str | None = SHA, url: str = URL) -> Output:
    return Output(url=url, type="image", path=path, sha256=sha256, bytes=10)


def described(entry: Entry, looks: dict[str, Look] | None = None) -> dict[str, Any]:
    root = Path("/project")
    seen = {root / path: look for path, look in (looks or {}).items()}
    files = Files.of(root, seen, lambda path, look: f"{path.name}?{look.size}", [entry])
    [job] = describe([entry], files, title="project", version="1", now=NOW)["jobs"]
    orjson.dumps(job)
    return dict(job)


def entry(*tasks: Record, asked: Asked | None = None) -> Entry:
    current, *earlier = tasks
    return Entry(
        job="film:one", model="m", status=current.status, record=current, earlier=tuple(reversed(earlier)), asked=asked
    )


def look(sha256: str = SHA, media: str = "image") -> Look:
    return Look(sha256, 12, 0, media=media, ext=".png", width=30, height=20, thumbnail=bool(media))


def test_a_result_on_disk_has_address_preview_and_size() -> None:
    [result] = described(entry(record(output())), {"outputs/one.png": look()})["tasks"][0]["results"]
    assert (result["state"], result["address"], result["bytes"]) == ("here", "one.png?12", 12)
    assert (result["thumbnail"], result["width"], result["height"]) == (f"thumbnails/{SHA}.webp", 30, 20)
    assert "url" not in result


def test_a_file_that_is_no_media_has_no_address() -> None:
    [result] = described(entry(record(output())), {"outputs/one.png": look(media="")})["tasks"][0]["results"]
    assert result["state"] == "here"
    assert not {"address", "thumbnail", "url"} & result.keys()


@pytest.mark.parametrize(
    ("on_disk", "states"),
    [
        (SHA, ("here", "replaced")),
        (OTHER, ("replaced", "here")),
        (THIRD, ("edited", "edited")),
        (None, ("missing",) * 2),
    ],
)
def test_tasks_that_shared_a_path_are_told_apart_by_content(on_disk: str | None, states: tuple[str, str]) -> None:
    looks = {"outputs/one.png": look(on_disk)} if on_disk else {}
    job = described(entry(replace(record(output()), take=2), record(output(sha256=OTHER))), looks)
    assert tuple(task["results"][0]["state"] for task in job["tasks"]) == states
    assert [task["is_current"] for task in job["tasks"]] == [True, False]


@pytest.mark.parametrize(
    ("url", "finished_at", "link"),
    [
        (URL, "2026-01-10T12:00:00Z", URL),
        (URL, "2025-12-01T12:00:00Z", None),
        ("http://127.0.0.1:80/a.png", "2026-01-10T12:00:00Z", None),
        ("javascript:alert(1)", "2026-01-10T12:00:00Z", None),
        ("https://[broken", "2026-01-10T12:00:00Z", None),
        (URL, "no time", URL),
    ],
)
def test_a_missing_result_links_to_a_live_https_url_alone(url: str, finished_at: str, link: str | None) -> None:
    job = described(entry(replace(record(output(url=url)), finished_at=finished_at)))
    [result] = job["tasks"][0]["results"]
    assert result["state"] == "missing"
    assert result.get("url") == link


def test_a_task_tells_cost_seconds_and_a_subject_without_losing_digits() -> None:
    [task] = described(entry(replace(record(), cost="0.0140", element_id=3067078169425960001)))["tasks"]
    assert (task["cost"], task["seconds"], task["element_id"]) == ("0.0140", 90.0, "3067078169425960001")


def asked(params: dict[str, Any]) -> Asked:
    return Asked(digest="d" * 64, params=params)


def test_a_long_base64_is_cut_and_says_so() -> None:
    job = described(entry(record(), asked=asked({"prompt": "p", "list": [{"image": "A" * 9000}]})))
    assert job["params"]["list"][0]["image"].endswith("… (9000 characters)")


@pytest.mark.parametrize(
    ("params", "prompt"),
    [
        ({"prompt": "one", "negative_prompt": "no"}, "one"),
        ({"multi_prompt": [{"prompt": "first"}, {"prompt": "second"}]}, "first\nsecond"),
        ({"element_name": "Fox", "element_description": "A fox"}, "A fox"),
        ({"n": 1}, ""),
    ],
)
def test_the_prompt_is_what_people_would_call_it(params: dict[str, Any], prompt: str) -> None:
    assert asked(params).prompt == prompt


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b'{"jobs":[{"job":"a"}]}', b'{"jobs":[1]}'])
def test_a_manifest_that_cannot_be_read_is_not_missed(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(damage)
    assert load_asked(tmp_path / "manifest.json") == load_asked(tmp_path / "none.json") == {}
