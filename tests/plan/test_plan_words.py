"""What changed in a text is told word by word, in whatever script, and never runs away."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.word_diff import Mark, diff_words, shorten, shorten_spans

WORDS = st.lists(st.sampled_from(["fox", " ", "\n", "狐", "ไก่", ",", "a", "é", "-", "🦊"]), max_size=30).map("".join)


def told(old: str, new: str) -> str:
    return "".join(map(str, shorten_spans(diff_words(old, new))))


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        ("A fox at dawn", "A fox at dusk", "A fox at [-dawn-]{+dusk+}"),
        ("A fox", "A fox, at dusk", "A fox{+, at dusk+}"),
        ("A small fox", "A fox", "A [-small -]fox"),
        ("red fox, small", "blue cat, small", "[-red fox-]{+blue cat+}, small"),
        ("red, old fox", "blue, young fox", "[-red, old-]{+blue, young+} fox"),
        ("a don't b", "a won't b", "a [-don't-]{+won't+} b"),
        ("a  b", "a b", "a[-  -]{+ +}b"),
        ("一只狐狸在黎明走过", "一只狐狸在黄昏走过", "一只狐狸在[-黎明-]{+黄昏+}走过"),
        ("森の中のキツネ", "森の中の猫", "森の中の[-キツネ-]{+猫+}"),
        ("สวัสดีตอนค่ำ", "สวัสดีตอนดึก", "สวัสดีตอน[-ค่ำ-]{+ดึก+}"),
        ("नमस्ते दुनिया", "नमस्ते भारत", "नमस्ते [-दुनिया-]{+भारत+}"),
        ("", "a fox", "{+a fox+}"),
    ],
)
def test_the_words_that_changed_are_told_between_those_that_did_not(old: str, new: str, diff: str) -> None:
    assert told(old, new) == diff


def test_what_is_the_same_at_length_is_left_out() -> None:
    common = "through the deep dark forest where nobody has ever been for more than a hundred years"
    assert told(f"dawn {common} east", f"dusk {common} west") == (
        "[-dawn-]{+dusk+} through the deep dark … than a hundred years [-east-]{+west+}"
    )
    assert len(told("x" * 5000, "y" * 5000)) < 250


LONG = "x" * 50
SPACED = "the deep forest, " * 2000


@pytest.mark.parametrize(
    ("old", "new", "diff"),
    [
        (f"{LONG}a{LONG}", f"{LONG}b{LONG}", f"…{LONG[:24]}[-a-]{{+b+}}{LONG[:24]}…"),
        (f"{LONG}a", f"{LONG}b", f"…{LONG[:24]}[-a-]{{+b+}}"),
        (f"{LONG}a{LONG}", f"{LONG * 2}", f"…{LONG[:24]}[-a-]{LONG[:24]}…"),
        (f"{LONG}a", f"{LONG}a{LONG}", f"…{LONG[:23]}a{{+{LONG}+}}"),
        (f"{SPACED}at dawn, {SPACED}", f"{SPACED}at dusk, {SPACED}", "the deep forest, at [-dawn-]{+dusk+}, the deep"),
        (f"{LONG * 500}a{LONG * 500}", f"{LONG * 500}b{LONG * 500}", f"…{LONG[:24]}[-a-]{{+b+}}{LONG[:24]}…"),
        (SPACED, f"{SPACED} ", " the deep forest, {+ +}"),
    ],
)
def test_what_differs_within_long_words_and_texts_is_seen(old: str, new: str, diff: str) -> None:
    assert diff in told(old, new)
    assert len(told(old, new)) < 130


@given(WORDS, WORDS, st.sampled_from([0, 150, 21_000]), st.sampled_from([0, 150, 21_000]))
def test_both_long_texts_can_be_read_from_the_pieces(old: str, new: str, before: int, behind: int) -> None:
    old, new = (f"{'a' * before}{text}{'b ' * behind}" for text in (old, new))
    spans = diff_words(old, new)
    assert "".join(span.text for span in spans if span.mark is not Mark.NEW) == old
    assert "".join(span.text for span in spans if span.mark is not Mark.GONE) == new
    assert (old == new) or any(span.mark is not Mark.SAME for span in spans)


@given(WORDS, WORDS)
def test_both_texts_can_be_read_from_the_pieces(old: str, new: str) -> None:
    spans = diff_words(old, new)
    assert "".join(span.text for span in spans if span.mark is not Mark.NEW) == old
    assert "".join(span.text for span in spans if span.mark is not Mark.GONE) == new


@pytest.mark.parametrize("words", [3_000, 100_000])
def test_texts_that_are_made_to_take_long_do_not(words: int) -> None:
    begin = time.perf_counter()
    spans = diff_words("a b " * words, "b b a " * words)
    assert time.perf_counter() - begin < 1
    assert {span.mark for span in spans} >= {Mark.GONE, Mark.NEW}


def test_a_text_that_is_too_long_keeps_its_beginning_and_its_end() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghijk", 10) == "abcdef…ijk"
