"""Files are looked at once: what was seen is kept by content, found again by size and time, and bounded."""

import os
from pathlib import Path

import pytest
from studio import draw_picture, plain_picture

from kirin_batch.report.previews import Previews


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_second_look_draws_nothing_and_sees_the_same(tmp_path: Path, cache: Path) -> None:
    picture = draw_picture(tmp_path / "a.png", size=(400, 300))
    first = Previews(cache)
    seen = first.look_at([picture])
    again = Previews(cache)
    assert again.look_at([picture]) == seen
    assert (first.made, first.reused, again.made, again.reused) == (1, 0, 0, 1)
    look = seen[picture]
    assert (look.media, look.width, look.height, look.thumbnail) == ("image", 400, 300, True)
    assert again.thumbnail(look.sha256).read_bytes()[8:12] == b"WEBP"


def test_a_file_that_changed_is_looked_at_anew(tmp_path: Path, cache: Path) -> None:
    picture = draw_picture(tmp_path / "a.png")
    before = Previews(cache).look_at([picture])[picture]
    picture.write_bytes(plain_picture("another", size=(500, 400)))
    after = Previews(cache).look_at([picture])[picture]
    assert before.sha256 != after.sha256
    assert (after.width, after.height) == (500, 400)


def test_equal_files_share_one_preview(tmp_path: Path, cache: Path) -> None:
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for picture in pictures:
        picture.write_bytes(plain_picture("same"))
    previews = Previews(cache)
    assert all(look.thumbnail for look in previews.look_at(pictures).values())
    assert (previews.made, len(list(cache.glob("*.webp")))) == (1, 1)


def test_a_page_with_the_bytes_of_a_picture_is_no_picture_beside_its_twin(tmp_path: Path, cache: Path) -> None:
    for name in ("a.png", "a.html"):
        (tmp_path / name).write_bytes(plain_picture("same"))
    for _ in range(2):
        looks = Previews(cache).look_at([tmp_path / "a.html", tmp_path / "a.png"])
        assert (looks[tmp_path / "a.html"].media, looks[tmp_path / "a.png"].media) == ("", "image")
        assert not looks[tmp_path / "a.html"].thumbnail


def test_what_is_no_file_is_left_out(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    assert Previews(cache).look_at([tmp_path / name for name in ("folder.png", "pipe.png", "gone.png")]) == {}


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"version":1,"files":{"a":{"size":1}}}', b'{"version":0}', b"null"]
)
def test_an_index_that_cannot_be_read_is_made_anew(tmp_path: Path, cache: Path, damage: bytes) -> None:
    picture = draw_picture(tmp_path / "a.png")
    seen = Previews(cache).look_at([picture])
    (cache / "index.json").write_bytes(damage)
    assert Previews(cache).look_at([picture]) == seen


def test_a_preview_that_was_removed_is_drawn_again(tmp_path: Path, cache: Path) -> None:
    picture = draw_picture(tmp_path / "a.png")
    Previews(cache).look_at([picture])
    for file in cache.glob("*.webp"):
        file.unlink()
    previews = Previews(cache)
    assert previews.look_at([picture])[picture].thumbnail
    assert (previews.made, len(list(cache.glob("*.webp")))) == (1, 1)


def test_a_cache_that_takes_too_much_room_keeps_what_is_shown_now(tmp_path: Path, cache: Path) -> None:
    old, new = draw_picture(tmp_path / "old.png"), draw_picture(tmp_path / "new.png")
    Previews(cache).look_at([old])
    previews = Previews(cache, most_bytes=1)
    look = previews.look_at([new])[new]
    assert [file.stem for file in cache.glob("*.webp")] == [look.sha256]
    assert Previews(cache).look_at([new])[new] == look
