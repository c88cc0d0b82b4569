"""Specs to jobs: reads the files of a project, expands and links what they say, and tells all that is wrong at once."""

from kirin_batch.specs.loading import Specs, load_specs

__all__ = ["Specs", "load_specs"]
