"""YAML text to plain Python values, and the places of values for those who report problems.

Knows YAML 1.2 and nothing of specs or models. Loading keeps no places: `Places` parses a second time, and only files
with problems are asked for places.
"""

from kirin_batch.source.errors import Place, YamlError
from kirin_batch.source.loading import load_yaml
from kirin_batch.source.places import Places
from kirin_batch.source.scalars import resolve_plain
from kirin_batch.source.values import Json, PlainScalar, Value, scalar_text, unwrap

__all__ = [
    "Json",
    "Place",
    "Places",
    "PlainScalar",
    "Value",
    "YamlError",
    "load_yaml",
    "resolve_plain",
    "scalar_text",
    "unwrap",
]
