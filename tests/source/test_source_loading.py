"""Documents, keys, anchors, merges and limits, with libyaml's parser and with PyYAML's own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kirin_batch
from kirin_batch.source import PlainScalar, Value, YamlError, load_yaml
from kirin_batch.source.building import read_value
from kirin_batch.source.events import parse
from kirin_batch.source.parsers import FASTEST, MakeParser, PythonParser

Load = Callable[[str], Value]
CHECKOUT = Path(kirin_batch.__file__).parents[1]


@pytest.fixture(params=[FASTEST, PythonParser], ids=["fastest", "python"])
def load(request: pytest.FixtureRequest) -> Load:
    parser: MakeParser = request.param
    return lambda text: parse(text.encode(), read_value, parser=parser)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "%YAML 1.2\n---\n", "\ufeff", "~"])
def test_an_empty_text_is_none(load: Load, text: str) -> None:
    assert load(text) is None


@pytest.mark.parametrize("start", ["---\n", "%YAML 1.1\n---\n", "%YAML 1.2\n---\n", "\ufeff", "\ufeff# hi\n", "\r\n"])
def test_a_document_may_start_in_many_ways(load: Load, start: str) -> None:
    assert load(start + "a: [1, b]\n...\n") == {"a": [1, "b"]}


def test_mappings_and_lists_nest_in_block_and_flow(load: Load) -> None:
    text = "a:\n- b: {c: [1, [2, {d: 3}]]}\n  e:\n    f: |\n      two\n      lines\n- []\n- {}\ng:\n"
    assert load(text) == {"a": [{"b": {"c": [1, [2, {"d": 3}]]}, "e": {"f": "two\nlines\n"}}, [], {}], "g": None}


def test_expressions_in_block_values_are_plain_strings(load: Load) -> None:
    assert load("a: ${{ vars.x }}\nb: x ${{ y }} z\n") == {"a": "${{ vars.x }}", "b": "x ${{ y }} z"}


def test_keys_are_the_texts_of_plain_scalars(load: Load) -> None:
    keys = ["1", "007", "true", "~", "on", "1.50"]
    assert load(f"{{{', '.join(f'{key}: x' for key in keys)}, 'y': x}}") == dict.fromkeys([*keys, "y"], "x")


def test_keys_may_have_anchors_and_core_tags(load: Load) -> None:
    assert load("&k !!str name: *k\n!!int 5: x") == {"name": "name", "5": "x"}


def test_an_alias_may_be_a_key(load: Load) -> None:
    assert load("a: &a 007\nb: {*a : x}\nc: &c ~\nd: {*c : y}") == {
        "a": PlainScalar(7, "007"),
        "b": {"007": "x"},
        "c": None,
        "d": {"~": "y"},
    }


@pytest.mark.parametrize("text", ["? [a]\n: 1", "? {a: 1}\n: 1", "{[a]: 1}", "x: {{ y }}", "&a [1]: 2"])
def test_keys_that_are_no_scalars_are_errors(load: Load, text: str) -> None:
    with pytest.raises(YamlError, match="a key must be a text, not a mapping or a list"):
        load(text)


def test_an_alias_of_a_list_is_no_key(load: Load) -> None:
    with pytest.raises(YamlError, match="a key must be a text") as caught:
        load("a: &a [1]\nb: {*a : x}")
    assert (caught.value.line, caught.value.column) == (2, 5)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a: 1\nb: 2\na: 3", "a"),
        ("1: a\nx: b\n'1': c", "1"),
        ("<<: {}\nb: 1\n<<: {}", "<<"),
        ("? 'é'\n: 1\n\né: 2", "é"),
    ],
)
def test_a_duplicate_key_is_an_error_with_both_places(load: Load, text: str, key: str) -> None:
    with pytest.raises(YamlError) as caught:
        load("top:\n" + "".join(f"  {line}\n" for line in text.split("\n")))
    assert caught.value.message == f"the key `{key}` stands here twice: the first is in line 2"
    assert (caught.value.line, caught.value.column) == (4 if "?" not in text else 5, 3)


def test_an_alias_shares_what_its_anchor_built(load: Load) -> None:
    value = load("a: &x {n: 1}\nb: [*x, *x]\nc: &x 2\nd: *x")
    assert value == {"a": {"n": 1}, "b": [{"n": 1}, {"n": 1}], "c": 2, "d": 2}
    assert isinstance(value, dict)
    shared = value["b"]
    assert isinstance(shared, list)
    assert shared[0] is shared[1] is value["a"]


@pytest.mark.parametrize("text", ["a: *x", "- *x\n- &x 1", "[*x]"])
def test_an_alias_without_an_anchor_above_is_an_error(load: Load, text: str) -> None:
    with pytest.raises(YamlError, match="no anchor `&x` stands above this alias"):
        load(text)


@pytest.mark.parametrize("text", ["&x [*x]", "&x {a: *x}", "&x {a: {b: [1, *x]}}", "a: &x {<<: *x}", "&x {*x : 1}"])
def test_an_alias_inside_its_own_anchor_is_an_error(load: Load, text: str) -> None:
    with pytest.raises(YamlError, match="inside its own anchor"):
        load(text)


def test_a_merge_adds_what_is_not_there(load: Load) -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {y: 9, <<: *b}\ntwo:\n  <<: [*b, *m]\n  w: 0\n"
    value = load(text)
    assert isinstance(value, dict)
    assert value["one"] == {"y": 9, "x": 1}
    assert value["two"] == {"w": 0, "x": 1, "y": 2, "z": 4}
    assert value["base"] == {"x": 1, "y": 2}


def test_merges_of_merges_and_of_written_mappings_work(load: Load) -> None:
    text = (
        "a: &a {<<: {x: 1}, y: 2}\nb: &b {<<: *a, z: 3}\nc: {<<: [*b, {z: 4, v: 5}]}\n"
        "d: {<<: []}\ne: &l [*a]\nf: {<<: *l}"
    )
    value = load(text)
    assert isinstance(value, dict)
    assert value["c"] == {"x": 1, "y": 2, "z": 3, "v": 5}
    assert value["d"] == {}
    assert value["f"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("text", ["'<<': 1", '"<<": 1', "!!str <<: 1", "? |-\n  <<\n: 1"])
def test_only_the_unquoted_key_merges(load: Load, text: str) -> None:
    assert load(text) == {"<<": 1}


@pytest.mark.parametrize("value", ["1", "", "x", "[1]", "[{a: 1}, x]", "[[{a: 1}]]"])
def test_merging_what_is_no_mapping_is_an_error(load: Load, value: str) -> None:
    with pytest.raises(YamlError, match="`<<` merges a mapping or a list of mappings") as caught:
        load(f"a: 1\nb:\n  c: 1\n  <<: {value}\n")
    assert (caught.value.line, caught.value.column) == (4, 3)


@pytest.mark.parametrize(
    ("text", "place"), [("a: 1\n---\nb: 1", (2, 1)), ("a: 1\n...\n---\nb: 1", (3, 1)), ("---\n---\n", (2, 1))]
)
def test_a_second_document_is_an_error_at_its_start(load: Load, text: str, place: tuple[int, int]) -> None:
    with pytest.raises(YamlError, match="a second document starts here") as caught:
        load(text)
    assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize("text", ["%YAML 1.3\n---\na: 1", "%YAML 2.0\n---\na: 1"])
def test_another_version_of_yaml_is_an_error(load: Load, text: str) -> None:
    with pytest.raises(YamlError, match=r"only `%YAML 1\.1` and `%YAML 1\.2`"):
        load(text)


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029"])
def test_what_only_old_yaml_takes_for_a_line_break_is_a_character(load: Load, mark: str) -> None:
    text = f"plain: a{mark} b\nquoted: 'a{mark} b'\nkey{mark}x: 1 # a comment{mark}goes on\nblock: |\n  a{mark}b\n"
    assert load(text) == {"plain": f"a{mark} b", "quoted": f"a{mark} b", f"key{mark}x": 1, "block": f"a{mark}b\n"}


def test_stand_ins_for_line_breaks_are_not_in_the_text_already(load: Load) -> None:
    text = "\u2028 \U00010000 \U00010001 \x85"
    assert load(f"'{text}'") == text


def test_long_scalars_are_read_whole(load: Load) -> None:
    text = "word " * 20_000 + "end"
    assert load(f"a: {text}\nb: '{text}'\nc: |-\n  {text}\n") == {"a": text, "b": text, "c": text}


def test_nesting_is_limited(load: Load) -> None:
    assert load("[" * 100 + "]" * 100)
    with pytest.raises(YamlError, match="nest deeper than 100 levels") as caught:
        load("[" * 101 + "]" * 101)
    assert (caught.value.line, caught.value.column) == (1, 101)


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "&a [", "!!seq ["])
def test_endless_nesting_ends_quickly(load: Load, piece: str) -> None:
    with pytest.raises(YamlError):
        load(piece * 50_000)


def test_nesting_through_aliases_counts() -> None:
    text = "a: &a [[[1]]]\nb: &b [[[*a]]]\nc: [[[*b]]]\n"
    assert load_yaml(text.encode(), max_depth=10)
    with pytest.raises(YamlError, match="nest deeper than 9 levels") as caught:
        load_yaml(text.encode(), max_depth=9)
    assert (caught.value.line, caught.value.column) == (3, 7)


def test_the_depth_of_an_anchor_inside_an_anchor_counts_for_both() -> None:
    text = "a: &a [&b [[1]], 2]\nc: [[[*b]]]\nd: [[[*a]]]\n"
    assert load_yaml(text.encode(), max_depth=7)
    with pytest.raises(YamlError, match="nest deeper than 6 levels") as caught:
        load_yaml(text.encode(), max_depth=6)
    assert caught.value.line == 3


def test_an_alias_bomb_is_an_error(load: Load) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 20):
        bomb += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    with pytest.raises(YamlError, match="aliases expand to more than 1000000 values") as caught:
        load(bomb)
    assert caught.value.line == 7


def test_merges_count_as_aliases_do() -> None:
    text = "a: &a {p: 1, q: 2, r: 3}\nb: &b {<<: *a, s: 4}\nc: [*b, *b]\n"
    assert load_yaml(text.encode(), max_nodes=20)
    with pytest.raises(YamlError, match="aliases expand to more than 10 values") as caught:
        load_yaml(text.encode(), max_nodes=10)
    assert caught.value.line == 3


def test_values_that_no_alias_names_are_not_limited() -> None:
    assert load_yaml(b"[1, 2, 3, &a 4, *a]", max_nodes=1) == [1, 2, 3, 4, 4]


def test_a_text_of_too_many_bytes_is_an_error() -> None:
    assert load_yaml(b"a: 1", max_bytes=4) == {"a": 1}
    with pytest.raises(YamlError, match="the file has 5 bytes, more than the 4 that are read"):
        load_yaml(b"a: 12", max_bytes=4)
    with pytest.raises(YamlError, match="8388609 bytes, more than the 8388608"):
        load_yaml(b" " * (8 * 1024 * 1024 + 1))


def test_a_pyyaml_without_libyaml_is_enough() -> None:
    program = (
        "import sys; sys.modules['yaml._yaml'] = None\n"
        "from kirin_batch.source import load_yaml, parsers\n"
        "print(parsers.FASTEST.__name__, load_yaml(b'a: [1, [16:9]]'))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and the program above
        [sys.executable, "-W", "error", "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "PythonParser {'a': [1, ['16:9']]}\n"
