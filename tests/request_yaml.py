"""Values as people write them in YAML: plain, quoted and in blocks, by chance. Knows nothing of requests."""

import json
import random
import re
from typing import Any

__all__ = ["written"]

_NULLS = {"null", "Null", "NULL"}
_PLAIN = re.compile(r"[A-Za-z0-9](?:(?:[A-Za-z0-9_./:-]| (?=[A-Za-z0-9])){0,60}[A-Za-z0-9])?")
_TO_ESCAPE = re.compile("[^ -~\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]")
_SMALL = 1000  # a float has all digits of smaller numbers, and of some larger ones


def written(value: Any, chance: random.Random, *, indent: int = 0, is_flow: bool = False) -> str:  # noqa: ANN401 - any JSON
    """A value as it stands behind `key:` or `-`: begins with a space, or with the line break of a block.

    A string may be written plain even where it then reads as a number or a boolean: only in the place of a string it
    comes back as it was.
    """
    if not isinstance(value, dict | list):
        return f" {_scalar(value, chance, indent, is_flow=is_flow)}"
    if is_flow or not value or chance.random() < 0.3:
        items = [written(item, chance, is_flow=True) for item in (value if isinstance(value, list) else value.values())]
        if isinstance(value, list):
            return f" [{','.join(items)}]"
        return f" {{{', '.join(f'{_key(key)}:{item}' for key, item in zip(value, items, strict=True))}}}"
    starts = ["-"] * len(value) if isinstance(value, list) else [f"{_key(key)}:" for key in value]
    inner = value if isinstance(value, list) else value.values()
    lines = [f"{start}{written(item, chance, indent=indent + 2)}" for start, item in zip(starts, inner, strict=True)]
    return "".join(f"\n{' ' * indent}{line}" for line in lines)


def _key(key: str) -> str:
    return key if re.fullmatch("[a-z_]+", key) else _double(key)


def _scalar(value: Any, chance: random.Random, indent: int, *, is_flow: bool) -> str:  # noqa: ANN401 - any scalar
    if isinstance(value, str):
        return chance.choice(_spellings(value, indent, is_flow=is_flow))
    if isinstance(value, bool):
        word = str(value)
        return chance.choice([word, word.lower(), word.upper()])
    if isinstance(value, int) and 0 <= value < _SMALL:
        return chance.choice([str(value), str(value), f"+{value}", hex(value), f"{value}.0", f"{value}e0", f"0{value}"])
    return json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")


def _spellings(text: str, indent: int, *, is_flow: bool) -> list[str]:
    found = [_double(text)]
    is_line = text.isprintable()
    if is_line:
        found.append("'" + text.replace("'", "''") + "'")
    if _PLAIN.fullmatch(text) and ": " not in text and text not in _NULLS:
        found += [text, text]
    lines = text.split("\n")
    if not is_flow and all(line.isprintable() and line[:1] not in {"", " "} for line in lines):
        found.append("|-" + "".join(f"\n{' ' * indent}  {line}" for line in lines))
        if is_line:
            found.append(f">-\n{' ' * indent}  {text}")
    return found


def _double(text: str) -> str:
    return _TO_ESCAPE.sub(lambda match: f"\\U{ord(match[0]):08x}", json.dumps(text, ensure_ascii=False))
