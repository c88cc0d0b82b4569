"""YAML text to values: texts of the plainest form by `lines`, all others by a parser. Every file is read this way."""

from kirin_batch.source.lines import read_lines
from kirin_batch.source.texts import MAX_BYTES, MAX_DEPTH, MAX_NODES, decode
from kirin_batch.source.values import Value

__all__ = ["load_yaml"]


def load_yaml(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES
) -> Value:
    """The value of a YAML text by the core schema of YAML 1.2; None for an empty text, `YamlError` for no YAML.

    Equal parts of one text or of several may be the same object: do not change them in place. `max_depth` levels take
    two to three Python frames each, so a few hundred are possible.
    """
    plain = read_lines(decode(data, max_bytes=max_bytes), max_depth=max_depth)
    if plain is not None:
        return plain
    # Measured: PyYAML and what stands on it take a sixth of the time to validate a small project, and plain files
    # need neither.
    from kirin_batch.source.building import parse_yaml  # noqa: PLC0415 - see above

    return parse_yaml(data, max_bytes=max_bytes, max_depth=max_depth, max_nodes=max_nodes)
