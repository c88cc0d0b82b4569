"""What plain, quoted and tagged scalars mean, as a table."""

import math

import pytest

from kirin_batch.source import PlainScalar, Value, YamlError, load_yaml, scalar_text, unwrap

STRINGS = """
    on off yes no On OFF Yes NO y n 16:9 190:20:30 2024-01-01 2024-01-01T10:00:00Z 1_000 0b11 017x 0o8 0xG 1e 1e+ 1.5.2
    +-1 -+1 + . .. .e1 inf nan +.nan -.nan nULL tRUE Nulls truer ~~ = 12e03x ١٢ 0X1F 0O7 -0x1F +0o7 ½
""".split()  # noqa: SIM905 - a table to read, not a list to edit
CANONICAL: dict[str, Value] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "false": False,
    "0": 0,
    "5": 5,
    "-17": -17,
    "1.5": 1.5,
    "-0.0": -0.0,
    "1e+16": 1e16,
}
WRITTEN_OTHERWISE = {
    "True": True,
    "TRUE": True,
    "False": False,
    "FALSE": False,
    "007": 7,
    "+5": 5,
    "-0": 0,
    "0o17": 15,
    "0x1F": 31,
    "0x1f": 31,
    "1.50": 1.5,
    "1.": 1.0,
    ".5": 0.5,
    "+1.5": 1.5,
    "1e3": 1000.0,
    "12e03": 12000.0,
    "-2E+05": -200000.0,
    ".inf": math.inf,
    ".Inf": math.inf,
    "+.INF": math.inf,
    "-.inf": -math.inf,
    "1e999": math.inf,
}
TAGGED: dict[str, Value] = {
    "!!str 5": "5",
    "!!str": "",
    "!!str true": "true",
    "! 5": "5",
    "!!int 5": 5,
    '!!int "5"': 5,
    "!!int 0x1F": PlainScalar(31, "0x1F"),
    "!!float 1.5": 1.5,
    "!!float 5": PlainScalar(5.0, "5"),
    "!!float 07": PlainScalar(7.0, "07"),
    "!!bool true": True,
    "!!null ~": None,
    "!!null ''": None,
    "!!map {a: 1}": {"a": 1},
    "!!seq [1]": [1],
    "! {a: 1}": {"a": 1},
    "!<tag:yaml.org,2002:int> 5": 5,
}


@pytest.mark.parametrize("text", STRINGS)
def test_what_the_core_schema_does_not_name_is_a_string(text: str) -> None:
    assert load_yaml(text.encode()) == text
    assert load_yaml(f"[{text}]".encode()) == [text]


@pytest.mark.parametrize(("text", "value"), CANONICAL.items())
def test_a_canonical_scalar_is_the_pure_value(text: str, value: Value) -> None:
    loaded = load_yaml(f"key: {text}".encode())
    assert isinstance(loaded, dict)
    assert repr(loaded["key"]) == repr(value)


@pytest.mark.parametrize(("text", "value"), WRITTEN_OTHERWISE.items())
def test_a_number_written_otherwise_keeps_its_text(text: str, value: float) -> None:
    scalar = load_yaml(text.encode())
    assert isinstance(scalar, PlainScalar)
    assert (scalar.text, repr(scalar.value)) == (text, repr(value))


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number_keeps_its_text(text: str) -> None:
    scalar = load_yaml(text.encode())
    assert isinstance(scalar, PlainScalar)
    assert math.isnan(scalar.value)
    assert scalar_text(scalar) == text


@pytest.mark.parametrize("text", [*CANONICAL, *WRITTEN_OTHERWISE, *STRINGS])
def test_quoted_and_block_scalars_are_strings(text: str) -> None:
    assert load_yaml(f"['{text}', \"{text}\"]".encode()) == [text, text]
    assert load_yaml(f"- |-\n  {text}\n- >-\n  {text}\n".encode()) == [text, text]


@pytest.mark.parametrize(("text", "value"), TAGGED.items())
def test_tags_of_the_core_schema_are_honoured(text: str, value: Value) -> None:
    loaded = load_yaml(text.encode())
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize(
    "text", ["!!int x", "!!int 1.5", "!!int true", "!!bool 1", "!!null x", "!!float x", "!!float true", "!!int"]
)
def test_a_text_that_does_not_fit_its_tag_is_an_error(text: str) -> None:
    with pytest.raises(YamlError, match="does not fit its tag `!!") as caught:
        load_yaml(f"key: {text}".encode())
    assert (caught.value.line, caught.value.column) == (1, 6)


@pytest.mark.parametrize(
    "text", ["!foo 5", "!foo {a: 1}", "!foo [1]", "!!set {a}", "!!map [1]", "!!seq {a: 1}", "!!binary aGk=", "!<str> 5"]
)
def test_other_tags_are_errors(text: str) -> None:
    with pytest.raises(YamlError, match=r"tags like `!?.*` are not supported") as caught:
        load_yaml(f"key: {text}".encode())
    assert (caught.value.line, caught.value.column) == (1, 6)


@pytest.mark.parametrize("text", ["1" * 251, "0x" + "f" * 249, "1." + "0" * 5000, "-" + "9" * 100_000])
def test_a_number_of_too_many_digits_is_an_error(text: str) -> None:
    with pytest.raises(YamlError, match=r"is too long \(at most 250\): put it in quotes") as caught:
        load_yaml(f"a: 1\nkey: {text}".encode())
    assert (caught.value.line, caught.value.column) == (2, 6)


@pytest.mark.parametrize("text", ["9" * 250, "0x" + "f" * 248])
def test_the_longest_integers_still_fit_a_float(text: str) -> None:
    value = unwrap(load_yaml(text.encode()))
    assert isinstance(value, int)
    assert math.isfinite(float(value))


@pytest.mark.parametrize("text", ["5", "true", "false", "null", "1.5", "007", "True", "1e3", "hello"])
def test_the_text_of_a_scalar_is_what_was_written(text: str) -> None:
    scalar = load_yaml(text.encode())
    assert not isinstance(scalar, dict | list)
    assert scalar_text(scalar) == text


def test_unwrapping_replaces_plain_scalars_and_shares_the_rest() -> None:
    value = load_yaml(b"{a: [007, {b: 1.50, c: True}], d: {e: [1, x]}}")
    assert isinstance(value, dict)
    bare = unwrap(value)
    assert bare == {"a": [7, {"b": 1.5, "c": True}], "d": {"e": [1, "x"]}}
    assert isinstance(bare, dict)
    assert bare["d"] is value["d"]
    assert unwrap(value["d"]) is value["d"]
