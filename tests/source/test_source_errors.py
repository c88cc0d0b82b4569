"""The sentences and places of errors, as a table of what people write by mistake."""

import pickle

import pytest
from yaml import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from kirin_batch.source import Places, YamlError, load_yaml
from kirin_batch.source.building import read_value
from kirin_batch.source.events import parse
from kirin_batch.source.parsers import PythonParser
from kirin_batch.source.syntax import explain

MISTAKES = [
    ("jobs:\n\thero: 1\n", 2, 1, "a tab cannot indent a line"),
    ("a: 1\n\tb: 2\n", 2, 1, "a tab cannot indent a line"),
    ("a: |\n\ttext\n", 2, 1, "a tab cannot indent a line"),
    ('a: 1\nb: "never closed\nc: 2\n', 2, 4, "this quoted text is never closed"),
    ("a: 'never closed\n", 1, 4, "this quoted text is never closed"),
    ('a: "x\n---\ny"\n', 1, 4, "this quoted text is never closed"),
    ("a: 'it's fine'\n", 1, 8, "nothing may follow a closing quote"),
    ('a: "say "hi" now"\n', 1, 10, "nothing may follow a closing quote"),
    ("prompt: a fox: red\n", 1, 14, "a text with `: ` in it must be in quotes"),
    ("é: ü: c\n", 1, 5, "a text with `: ` in it must be in quotes"),
    ("a: : b\n", 1, 4, "a text with `: ` in it must be in quotes"),
    ("a: @handle\n", 1, 4, "a text cannot start with @ (put it in quotes)"),
    ("a: `code`\n", 1, 4, "a text cannot start with ` (put it in quotes)"),
    ("a: %d\n", 1, 4, "a text cannot start with % (put it in quotes)"),
    ("a: ? b\n", 1, 4, "a text that starts with `? ` must be in quotes"),
    ("a: - b\n", 1, 4, "a list starts on a line of its own"),
    ("a:\n  b: 1\n   c: 2\n", 3, 5, "this line is indented deeper than the one above"),
    ("a:\n  b: 1\n \n\n   c: 2\n", 5, 5, "this line is indented deeper than the one above"),
    ("a:\n    b: 1\n  c: 2\n", 3, 3, "the indentation of this line fits no line above"),
    ("a: |\n  x\n y\nb: 1\n", 3, 2, "the indentation of this line fits no line above"),
    ("a:1\nb: 2\n", 2, 2, "the line above is no `key: value`"),
    ("jobs:\n  hero\n    model: x\n", 3, 10, "the line above is no `key: value`"),
    ("a:\nb c: 'x' d: 1\n", 2, 10, "nothing may follow a closing quote"),
    ("[b: 1\n]: c", 2, 2, "a key takes one line"),
    ("x" * 1100 + ": 1\n", 1, 1101, "a key may have at most 1024 characters"),
    ("a: 1\nb\nc: 2\n", 2, 1, "this line is no `key: value`"),
    ("a: 1\n- b\n", 2, 1, "a list item cannot stand here"),
    ("a: 1\n}\n", 2, 1, "this `}` closes nothing"),
    ("a: &x &y 1\n", 1, 7, "a line break is missing before this"),
    ("- a\nb: 1\n", 2, 1, "a list item, `- ` and a value, must stand here"),
    ("a: [1, 2\nb: 3\n", 2, 2, "a `,` or `]` is missing before this: the `[` stands in line 1"),
    ('a: {"x": 1 "y": 2}\n', 1, 15, "a `,` or `}` is missing before this"),
    ("a: 1\nb: [1,\n  2\n", 2, 4, "this `[` is never closed: add `]`"),
    ("a: {b: 1\n", 1, 4, "this `{` is never closed: add `}`"),
    ("a: {b: ${{ vars.x }}}\n", 1, 9, "an expression must be in quotes"),
    ("a: [${{ vars.x }}]\n", 1, 6, "an expression must be in quotes"),
    ("a: [- b]\n", 1, 5, "a `- ` list cannot stand inside"),
    ("a: [1,, 2]\n", 1, 7, "a value cannot start with `,`"),
    ("a: ]\n", 1, 4, "a value cannot start with `]`"),
    ("a: **bold**\n", 1, 4, "what starts with `*` is an alias"),
    ("a: & b\n", 1, 4, "what starts with `&` is an anchor"),
    ("a: | text\n", 1, 6, "block starts on the next line"),
    ("a: |0\n x\n", 1, 5, "must be 1 to 9: leave it out"),
    ("a: !x!y z\n", 1, 4, "tags are not supported"),
    ("%YAML 1.2\n%YAML 1.2\n---\na: 1\n", 2, 1, "a line that starts with `%` is a directive"),
    ("[1] x\n", 1, 5, "nothing may follow here"),
    ("jobs:\n  a: 1\n<<<<<<< HEAD\n  b: 2\n=======\n  b: 3\n>>>>>>> x\n", 3, 1, "a merge conflict is left"),
]
ESCAPES = [
    ('a: "C:\\dir"\n', 'inside "…" a backslash starts an escape'),
    ('a: "C:\\Users"\n', 'inside "…" a backslash starts an escape'),
    ('a: "\\ud83d\\ude00"\n', "this escape is no character"),
    ('a: "\\UFFFFFFFF"\n', "this escape is no character"),
    ('a: "\\U00110000"\n', "this escape is no character"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), MISTAKES)
def test_a_mistake_is_told_where_it_is_and_in_one_sentence(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        load_yaml(text.encode())
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(("text", "line", "column", "message"), MISTAKES)
def test_the_slower_parser_gets_the_same_sentence(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse(text.encode(), read_value, parser=PythonParser)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize("parser", [None, PythonParser])
@pytest.mark.parametrize(("text", "message"), ESCAPES)
def test_a_bad_escape_is_told_in_its_line(text: str, message: str, parser: type[PythonParser] | None) -> None:
    with pytest.raises(YamlError) as caught:
        parse(text.encode(), read_value, parser=parser) if parser else load_yaml(text.encode())
    assert message in caught.value.message
    assert caught.value.line == 1


def test_an_unknown_directive_is_an_error_of_libyaml() -> None:
    with pytest.raises(YamlError, match="a line that starts with `%` is a directive") as caught:
        load_yaml(b"%foo\na: 1\n")
    assert (caught.value.line, caught.value.column) == (1, 1)


@pytest.mark.parametrize("end", ["[", "a: [1,", "{", "a: {b: [c, "])
def test_a_text_that_ends_too_early_says_so(end: str) -> None:
    with pytest.raises(YamlError, match=r"the text ends where a value|is never closed"):
        load_yaml(end.encode())


@pytest.mark.parametrize("stamp", ["\n", "\r\n", "\r"])
def test_all_three_line_breaks_count(stamp: str) -> None:
    text = stamp.join(["é: 1", "", "b: 😀ü @", "c: @"])
    with pytest.raises(YamlError) as caught:
        load_yaml(text.encode())
    assert (caught.value.line, caught.value.column) == (4, 4)


@pytest.mark.parametrize("stamp", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bad", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_the_first_byte_that_is_no_utf8_has_a_place(stamp: str, bad: bytes) -> None:
    with pytest.raises(YamlError, match=f"the byte 0x{bad[0]:02X} is not UTF-8: save the file as UTF-8") as caught:
        load_yaml(f"a: 1{stamp}{stamp}é: 😀".encode() + bad + b"\n")
    assert (caught.value.line, caught.value.column) == (3, 5)


def test_a_byte_order_mark_does_not_move_places() -> None:
    with pytest.raises(YamlError) as caught:
        load_yaml(b"\xef\xbb\xbfa: \xff")
    assert (caught.value.line, caught.value.column) == (1, 4)
    assert Places.of(b"\xef\xbb\xbfa: 1").value(("a",)) == (1, 4)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_encodings_are_named(encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith("e") else ""
    with pytest.raises(YamlError, match="the file is encoded as UTF-16 or UTF-32: save it as UTF-8"):
        load_yaml(f"{mark}a: 1".encode(encoding))


@pytest.mark.parametrize("parser", [None, PythonParser])
@pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x7f", "\x9f", "\ufffe", "\uffff"])
def test_control_characters_have_a_place(character: str, parser: type[PythonParser] | None) -> None:
    text = f"a: é\nb: ü{character}\n".encode()
    with pytest.raises(YamlError, match=r"a control character \(U\+[0-9A-F]{4}\) is not allowed") as caught:
        parse(text, read_value, parser=parser) if parser else load_yaml(text)
    assert (caught.value.line, caught.value.column) == (2, 5)


def test_a_flood_of_tag_directives_is_refused_at_once() -> None:
    directives = "".join(f"%TAG !a{number}! x\n" for number in range(300_000))
    with pytest.raises(YamlError, match="`%TAG` directives are not supported") as caught:
        load_yaml(f"%YAML 1.2\n{directives}---\na: 1".encode())
    assert (caught.value.line, caught.value.column) == (2, 1)


def test_a_few_tag_directives_do_no_harm() -> None:
    assert load_yaml(b"%TAG !x! tag:yaml.org,2002:\n---\na: !x!str 5") == {"a": "5"}


def test_a_complaint_that_no_rule_knows_keeps_its_wording() -> None:
    told = explain(MarkedYAMLError("while dreaming", None, "saw a ghost", None), "a: 1")
    assert (told.message, told.line, told.column) == ("no valid YAML: while dreaming: saw a ghost", 1, 1)


def test_a_complaint_about_no_character_in_particular_is_told_all_the_same() -> None:
    error: YAMLError = ReaderError("name", 0, 0, "utf-8", "odd")
    assert "a control character" in explain(error, "a: 1").message


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("x" * 900 + ": 1\n" + "x" * 900 + ": 2", "the key `" + "x" * 59 + "…` stands"),
        ('{"a\\n\\u2028": 1, "a\\n\\u2028": 2}', "the key `a\\n\\u2028` stands"),
        ("a: *" + "x" * 5000, "no anchor `&" + "x" * 59 + "…` stands"),
        ("a: !" + "x" * 5000, "tags like `!" + "x" * 58 + "…` are"),
        ("a: !!int " + "x" * 5000, "tag `!!int`: '" + "x" * 59 + "…'"),
        ("'': 1\n'': 2", "the key `` stands"),
    ],
)
def test_what_a_message_quotes_stays_short_and_on_one_line(text: str, quoted: str) -> None:
    with pytest.raises(YamlError) as caught:
        load_yaml(text.encode())
    assert quoted in caught.value.message
    assert caught.value.message.isprintable()


def test_an_error_prints_its_place_and_survives_pickling() -> None:
    error = YamlError("a sentence", 3, 7)
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just pickled
    assert str(copied) == str(error) == "line 3, column 7: a sentence"
    assert (copied.message, copied.line, copied.column) == ("a sentence", 3, 7)
