"""What holds for any text: only one kind of error, and round trips of JSON-like documents."""

import json
from contextlib import suppress

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kirin_batch.source import Json, Places, PlainScalar, YamlError, load_yaml, unwrap
from kirin_batch.source.building import read_value
from kirin_batch.source.events import parse
from kirin_batch.source.parsers import PythonParser
from kirin_batch.source.scalars import resolve_plain

PIECES = [
    *"a b 1 .5 ~ : ? [ ] { } ! | > ' \" % --- ... @ ` # \\ é 😀 007 0x1F true yes 16:9 *a *b".split(),  # noqa: SIM905 - easier to read
    *["- ", ": ", ", ", "&a ", "&b ", "!!str ", "!!int ", "|2-\n", "<<: ", "<<: *a\n", " # ", "%YAML 1.2\n", "%TAG "],
    *["\\u00e9", "\\U00110000", "\\ud800", "\t", " ", "  ", "\n", "\n  ", "\n ", "\r\n", "\r", "\x85", "\u2028"],
    *["\ufeff", "\0", "\x7f"],
]
YAML_LIKE = st.lists(st.sampled_from(PIECES), max_size=24).map(lambda pieces: "".join(pieces).encode())
# Characters that YAML may hold unescaped, but for those that YAML 1.1 takes for line breaks and PyYAML's emitter folds.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="\u2028\u2029\ufeff")
)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
QUICK = settings(max_examples=100, deadline=2000, suppress_health_check=[HealthCheck.too_slow])


def complaint(data: bytes) -> YamlError | None:
    """Load a text in every way there is; only a `YamlError` may come out, and it is returned."""
    try:
        unwrap(load_yaml(data))
    except YamlError as error:
        return error
    Places.of(data)
    return None


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_load_or_raise_a_yaml_error(data: bytes) -> None:
    error = complaint(data)
    assert error is None or (error.line >= 1 and error.column >= 1)


@QUICK
@given(YAML_LIKE)
def test_anything_like_yaml_loads_or_raises_a_yaml_error(data: bytes) -> None:
    error = complaint(data)
    assert error is None or (error.line >= 1 and error.column >= 1)


@QUICK
@given(YAML_LIKE)
def test_the_slower_parser_raises_nothing_else_either(data: bytes) -> None:
    with suppress(YamlError):
        unwrap(parse(data, read_value, parser=PythonParser))


@QUICK
@given(DOCUMENTS)
def test_what_json_writes_comes_back(document: Json) -> None:
    assert unwrap(load_yaml(json.dumps(document, ensure_ascii=False).encode())) == document


@QUICK
@given(DOCUMENTS)
def test_what_indented_json_holds_comes_back(document: Json) -> None:
    assert unwrap(load_yaml(json.dumps(document, ensure_ascii=False, indent=2).encode())) == document


@QUICK
@given(DOCUMENTS, st.booleans())
def test_what_pyyaml_writes_comes_back(document: Json, flow: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    written = yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow)
    assume(not any(isinstance(resolve_plain(word), int | float | PlainScalar) for word in old_strings(document)))
    assert unwrap(load_yaml(written.encode())) == document


def old_strings(document: Json) -> list[str]:
    """All strings: some that YAML 1.1 writes without quotes, as `0o7` and `1e3`, are numbers of YAML 1.2."""
    if isinstance(document, dict):
        return [*document, *(word for value in document.values() for word in old_strings(value))]
    if isinstance(document, list):
        return [word for value in document for word in old_strings(value)]
    return [document] if isinstance(document, str) else []
