"""Fuzzes the YAML builder, guided by its coverage: `python tests/fuzz/fuzz_yaml.py [options of libFuzzer] [folder]`.

It goes on until a text breaks what `examine` holds, or as long as the options say; what it finds worth keeping goes to
the folder, if one is named. That text is then in a file `crash-…`: name it instead of a folder to see it again.
"""

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import yaml

try:
    import atheris
except ImportError:
    atheris = None

IS_RUN = __name__ == "__main__" and atheris is not None
with atheris.instrument_imports(include=["kirin_batch.source"]) if IS_RUN else nullcontext():
    from kirin_batch.source import Json, Places, Value, YamlError, load_yaml, unwrap
    from kirin_batch.source.building import read_value
    from kirin_batch.source.events import parse
    from kirin_batch.source.lines import read_lines
    from kirin_batch.source.spots import read_spots  # noqa: F401 - else it comes too late to be instrumented
    from kirin_batch.source.texts import decode

__all__ = ["examine"]

TESTS = Path(__file__).resolve().parent.parent
MOST_BYTES_OF_A_SEED = 2000
MOST_DEPTH = 100
MOST_NODES = 200  # of a text whose places are looked at; aliases may stand for a million
TOKENS = [
    *[": ", "- ", "? ", ", ", "[", "]", "{", "}", "#", " #", "&a ", "*a", "<<: *a", "! ", "!!str ", "!!int ", "!!map "],
    *["|\n", "|-\n", "|2+\n", ">\n", ">-\n", "'", "''", '"', "---\n", "...\n", "%YAML 1.2\n", "%TAG ! a\n", "\r\n"],
    *[
        "\n  ",
        "~",
        "null",
        "true",
        ".inf",
        ".nan",
        "0x1F",
        "0o7",
        "1e3",
        "007",
        "16:9",
        "\\u00e9",
        "\\x85",
        "\\U0010FFFF",
    ],
    *["\ufeff", "\x85", "\u2028", "é", "😀", "${{ ", " }}"],
]
# libyaml's, where it is there: PyYAML's own parser refuses some YAML, as `[why?]` and lines that begin with a tab.
PYYAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BREAKS_OF_PYYAML = re.compile("[\x85\u2028\u2029]")  # of YAML 1.1, not of 1.2
LINE_BREAK = re.compile("\r\n|\r|\n")
ESCAPED_BY_YAML_ALONE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def examine(data: bytes, *, load: Callable[[bytes], Value] = load_yaml) -> None:
    """Hold what must be true of any bytes; AssertionError, or whatever breaks, where it is not."""
    try:
        value = load(data)
    except YamlError as error:
        hold_that_it_is_told(error, data)
        return
    text = data.decode("utf-8-sig")
    hold_that_pyyaml_reads_it(text)
    hold_that_the_parser_reads_the_same(data, value)
    hold_that_places_are_inside(text, value, Places.of(data))
    if "*" not in text:  # aliases may stand for a million values
        hold_that_json_brings_it_back(unwrap(value), load)


def hold_that_it_is_told(error: YamlError, data: bytes) -> None:
    lines = LINE_BREAK.split(data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace"))
    assert error.message
    assert error.message.isprintable(), error.message
    assert 1 <= error.line <= len(lines), error
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1, error


def hold_that_pyyaml_reads_it(text: str) -> None:
    """What is no YAML for PyYAML's loader is none for us."""
    if not BREAKS_OF_PYYAML.search(text):
        for _ in yaml.parse(text, Loader=PYYAML):
            pass


def hold_that_the_parser_reads_the_same(data: bytes, value: Value) -> None:
    """Plain texts are read by lines, without a parser."""
    if read_lines(decode(data), max_depth=MOST_DEPTH) is not None:
        assert repr(parse(data, read_value)) == repr(value)


def hold_that_places_are_inside(text: str, value: Value, places: Places) -> None:
    lines = [*LINE_BREAK.split(text), ""]  # libyaml sees what is empty at the very end in a line below
    for _, path in zip(range(MOST_NODES), ways(value), strict=False):
        for place in (places.value(path), places.key(path)):
            assert 1 <= place.line <= len(lines), (path, place)
            assert 1 <= place.column <= len(lines[place.line - 1]) + 1, (path, place)


def ways(value: Value, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all values inside."""
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from ways(item, (*above, key))


def hold_that_json_brings_it_back(value: Json, load: Callable[[bytes], Value]) -> None:
    if is_finite(value):
        text = json.dumps(value, ensure_ascii=False)
        text = ESCAPED_BY_YAML_ALONE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        assert unwrap(load(text.encode())) == value


def is_finite(value: Json) -> bool:
    if isinstance(value, dict | list):
        return all(map(is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def save_seeds(folder: Path) -> Path:
    """The YAML of all tests, where it is short, in one folder."""
    folder.mkdir()
    for number, path in enumerate(sorted(TESTS.rglob("*.yaml"))):
        data = path.read_bytes()
        if len(data) <= MOST_BYTES_OF_A_SEED:
            (folder / f"{number}.yaml").write_bytes(data)
    return folder


def save_tokens(file: Path) -> Path:
    """A dictionary of libFuzzer: a token a line, its bytes as escapes."""
    file.write_text("".join('"' + "".join(f"\\x{byte:02X}" for byte in token.encode()) + '"\n' for token in TOKENS))
    return file


def main() -> None:
    if atheris is None:
        sys.exit("atheris is not installed: it is one of the dev dependencies, and has wheels for Linux on x86-64 only")
    with tempfile.TemporaryDirectory(prefix="kirin-batch-fuzz-") as folder:
        arguments = [*sys.argv, f"-dict={save_tokens(Path(folder, 'tokens.dict'))}"]
        if not any(Path(argument).is_file() for argument in sys.argv[1:]):  # else those are read, and nothing besides
            arguments.append(str(save_seeds(Path(folder, "seeds"))))
        sys.exit(code_of_fuzzing(arguments))


def code_of_fuzzing(arguments: list[str]) -> int:
    """Fuzz in a child process: libFuzzer ends its own on the spot, and nobody would remove the folder."""
    child = os.fork()
    if child == 0:
        atheris.Setup(arguments, examine)
        atheris.Fuzz()
    while True:
        with suppress(KeyboardInterrupt):  # the child has it too, and tells how far it came
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
