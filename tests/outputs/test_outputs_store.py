"""A store by itself: nothing half lies in it, many keys are asked for at once, and what fails has a reason."""

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest
from stores import KINDS, StorePlace, open_place

from kirin_batch.disk import PART_SUFFIX
from kirin_batch.outputs.crew import Crew
from kirin_batch.outputs.store import Store, StoreError, in_groups, key_of
from kirin_batch.records import Output

LARGE = bytes(range(256)) * 60_000  # more than a bucket's clients send or read in one piece


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorePlace]:
    with open_place(request.param, tmp_path, monkeypatch) as place:
        yield place


def save(folder: Path, content: bytes) -> Path:
    file = folder / "result"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("content", [b"", b"film", LARGE], ids=["empty", "small", "large"])
def test_what_is_put_is_got_again(place: StorePlace, tmp_path: Path, content: bytes) -> None:
    place.make()
    store = Store(place.url)
    store.put(save(tmp_path, content), "sha256/ab/abc.mp4")
    assert place.objects() == {"sha256/ab/abc.mp4": content}
    assert store.get("sha256/ab/abc.mp4", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_what_is_not_there_is_not_got_and_leaves_no_file(place: StorePlace, tmp_path: Path) -> None:
    place.make()
    assert not Store(place.url).get("sha256/ab/abc.png", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_one_key_and_many_are_found_where_they_are(place: StorePlace, tmp_path: Path) -> None:
    place.make()
    store, file = Store(place.url), save(tmp_path, b"film")
    keys = [f"sha256/ab/ab{number}.png" for number in range(5)]
    assert store.find(keys) == store.find(keys[:1]) == {}
    for key in keys[:3]:
        store.put(file, key)
    found = dict.fromkeys(keys[:3], 4)
    assert (store.find(keys), store.find(keys[:1]), store.find(keys[4:])) == (found, {keys[0]: 4}, {})


@pytest.mark.parametrize("source", ["none", "/proc/self/mem"], ids=["not there", "breaks off"])
def test_what_cannot_be_read_leaves_nothing_and_has_a_reason(place: StorePlace, tmp_path: Path, source: str) -> None:
    place.make()
    with pytest.raises(StoreError, match=r"the store .* failed: .*(No such file|Input/output error)"):
        Store(place.url).put(tmp_path / source, "sha256/ab/abc.png")
    assert place.objects() == {}


def test_a_place_that_is_not_there_takes_nothing_and_says_so(place: StorePlace, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"the store (file|s3)://.* failed: "):
        Store(place.url).put(save(tmp_path, b"film"), "sha256/ab/abc.png")


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_what_another_machine_is_putting_is_not_disturbed_nor_taken_for_a_result(
    place: StorePlace, tmp_path: Path
) -> None:
    place.make()
    store, key = Store(place.url), "sha256/ab/abc.png"
    store.put(save(tmp_path, b"film"), key)
    place.put(f"sha256/ab/.abc.png.0123{PART_SUFFIX}", b"fi")
    store.put(save(tmp_path, b"other"), key)
    assert place.objects()[key] == b"film"
    store.put(save(tmp_path, b"other"), key, replaces=True)
    assert (place.objects()[key], len(place.objects())) == (b"other", 2)
    assert store.find([key, "sha256/ab/abd.png"]) == {key: 5}


def test_a_key_is_the_content_with_the_ending_of_its_path() -> None:
    whole = Output("https://x.example/1", "image", "outputs/a.b/1.png", "ab" + "0" * 62, 4)
    assert key_of(whole) == f"sha256/ab/ab{'0' * 62}.png"
    assert key_of(Output("https://x.example/1", "image")) is None
    assert in_groups(["sha256/ab/1", "sha256/cd/2", "sha256/ab/3"]) == [["sha256/ab/1", "sha256/ab/3"], ["sha256/cd/2"]]


def test_a_crew_makes_so_many_calls_at_once_and_tells_what_each_raised() -> None:
    crew, barrier = Crew(2), threading.Barrier(2)
    both = [crew.call(lambda: barrier.wait(10)) for _ in range(2)]
    assert sorted(call.result(10) for call in both) == [0, 1]
    failed = crew.call(lambda: 1 // 0)
    assert isinstance(failed.exception(10), ZeroDivisionError)
    assert crew.call(lambda: "goes on").result(10) == "goes on"


def test_a_crew_that_is_closed_begins_nothing_and_waits_for_nothing() -> None:
    crew, begun, held = Crew(1), threading.Event(), threading.Event()

    def hold() -> bool:
        begun.set()
        return held.wait(10)

    first, second = crew.call(hold), crew.call(lambda: True)
    assert begun.wait(10)
    crew.close()
    assert not first.done()
    held.set()
    assert first.result(10)
    wait([second], timeout=10)
    assert second.cancelled()
