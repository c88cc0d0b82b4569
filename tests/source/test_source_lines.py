"""What is read by lines is read as the parser reads it, and what is anything but plain is left to the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.source import Value
from kirin_batch.source.building import read_value
from kirin_batch.source.events import parse
from kirin_batch.source.lines import read_lines

PLAIN = [
    "x",
    "a b",
    "16:9",
    "007",
    "1.50",
    "True",
    "on",
    "null",
    "x:y",
    "a#b",
    "it's",
    "é 🙂",
    "${{ vars.x }}",
    "<<<image_1>>>",
]
INLINE = [
    '"a: b"',
    "'a #b'",
    '""',
    "[a, 16:9]",
    '["a, b",c]',
    "{a: 1, b: x/y}",
    "http://x/y?z#w",
    "2026-01-01",
    "0x1F",
    "1e3",
]
STRANGE = [
    "a: b",
    "a #b",
    "a:",
    "x ",
    '"\\n"',
    "'it''s'",
    '"a" b',
    "&a x",
    "*a",
    "!t x",
    "|",
    ">",
    "- a",
    "-1",
    "? a",
    "@x",
]
STRANGE_INLINE = [
    "[a, [b]]",
    "[a:, b]",
    "[a",
    "{a: 1, a: 2}",
    "{}",
    "[]",
    "{a:1}",
    "a\tb",
    "a\x85b",
    "a\u2028b",
    "\ufeff",
    "1" * 300,
]
KEYS = ["a", "b", "c_d", "x-1", "null", "true", "<<", "1a", "é"]


def dumped(value: object) -> str:
    """A value with the types in it: 1 is not 1.0, and no boolean."""
    return repr(value)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Lines that often make mappings and lists, with something strange in some."""
    values = st.sampled_from([*PLAIN, *INLINE] * 4 + [*STRANGE, *STRANGE_INLINE])
    columns = st.sampled_from([0, 0, 2, 2, 4, 1, 3])
    dashes = st.sampled_from(["", "", "- ", "-", "-  "])
    entries = st.builds("{}:{}".format, st.sampled_from(KEYS), st.one_of(st.just(""), values.map(" {}".format)))
    contents = st.one_of(entries, entries, values, st.sampled_from(["", "# x", "---", "..."]))
    lines = st.builds(lambda column, dash, content: " " * column + dash + content, columns, dashes, contents)
    return "\n".join(draw(st.lists(lines, min_size=1, max_size=7)))


@given(texts())
def test_what_is_read_by_lines_is_read_as_the_parser_reads_it(text: str) -> None:
    value = read_lines(text, max_depth=100)
    if value is not None:
        assert dumped(value) == dumped(parse(text.encode(), read_value))


@pytest.mark.parametrize("value", [*PLAIN, *INLINE])
@pytest.mark.parametrize(
    "form", ["a: {}", "a:\n- {}\n- b: 1\nc: 2", "a:\n  - b: {}\n    c:\nd:", "# x\n\na:\n    b:   {}\n"]
)
def test_plain_texts_are_read_by_lines(form: str, value: str) -> None:
    text = form.format(value)
    found = read_lines(text, max_depth=100)
    assert found is not None
    assert dumped(found) == dumped(parse(text.encode(), read_value))


@pytest.mark.parametrize("value", [*STRANGE, *STRANGE_INLINE])
def test_a_text_with_anything_else_in_it_is_left_to_the_parser(value: str) -> None:
    assert read_lines(f"a: x\nb:\n  - c: {value}\n", max_depth=100) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "# x",
            "a",
            "- a",
            "a: 1\na: 2",
            "a: 1\n b: 2",
            "a:\n    b: 1\n  c: 2",
            "a: x\n  y",
            "a: x\n- b",
            " a: 1",
        ),
        *(
            "a:\n  - x\n - y",
            "a:\n - b: 1\n  c: 2",
            "---\na: 1",
            "a: 1\n...",
            "%YAML 1.2\n---\na: 1",
            "a:b",
            "a : b",
            "a:\r\n",
        ),
    ],
)
def test_lines_that_do_not_fit_together_are_left_to_the_parser(text: str) -> None:
    assert read_lines(text, max_depth=100) is None


def test_levels_beyond_the_limit_are_left_to_the_parser() -> None:
    text = "a:\n  b:\n    c: [1]"
    found: Value = {"a": {"b": {"c": [1]}}}
    assert (read_lines(text, max_depth=5), read_lines(text, max_depth=3)) == (found, None)
